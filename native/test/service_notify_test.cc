// Messages to the service manager: what arrives is what was sent, and what can't be sent says why.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

#include "../service/notify.hpp"
#include "check.hpp"

namespace {

using sightline::service::notify;

/// A bound datagram socket of the unix family; an abstract name starts with '@'.
class Peer {
 public:
  explicit Peer(const std::string& name) : descriptor_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') address.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + (name[0] == '@' ? 0 : 1));
    bound_ = bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), length) == 0;
  }
  ~Peer() { close(descriptor_); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  bool bound() const { return bound_; }
  std::string receive() const {
    char bytes[256];
    const ssize_t count = recv(descriptor_, bytes, sizeof bytes, MSG_DONTWAIT);
    return count < 0 ? std::string() : std::string(bytes, static_cast<std::size_t>(count));
  }

 private:
  int descriptor_;
  bool bound_ = false;
};

SL_TEST("service notify: a message arrives, by path and by abstract name") {
  const std::string path = "/tmp/sl-notify-" + std::to_string(getpid());
  for (const std::string& name : {path, "@" + path}) {
    const Peer peer(name);
    REQUIRE(peer.bound());
    CHECK_EQ(notify(name, "READY=1\nSTATUS=two lines"), 0);
    CHECK_EQ(peer.receive(), std::string("READY=1\nSTATUS=two lines"));
  }
  unlink(path.c_str());
}

SL_TEST("service notify: what can't be sent says why") {
  CHECK_EQ(notify("", "x"), EINVAL);
  CHECK_EQ(notify("relative", "x"), EINVAL);
  CHECK_EQ(notify("/tmp/x", ""), EINVAL);
  CHECK_EQ(notify("/tmp/" + std::string(200, 'x'), "x"), ENAMETOOLONG);
  CHECK_EQ(notify("/tmp/sl-notify-nobody-listens-here", "x"), ENOENT);
}

SL_TEST("service notify: a manager that does not read does not hold the daemon up") {
  const std::string name = "@sl-notify-deaf-" + std::to_string(getpid());
  const Peer peer(name);
  int fault = 0;
  for (int i = 0; i < 10000 && fault == 0; ++i) fault = notify(name, "WATCHDOG=1");
  CHECK_EQ(fault, EAGAIN);
}

}  // namespace
