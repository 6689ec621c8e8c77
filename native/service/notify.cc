#include "notify.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace sightline::service {

int notify(std::string_view address, std::string_view message) noexcept {
  if (address.size() < 2 || (address[0] != '/' && address[0] != '@') || message.empty()) return EINVAL;
  sockaddr_un peer{};
  peer.sun_family = AF_UNIX;
  if (address.size() >= sizeof peer.sun_path) return ENAMETOOLONG;
  std::memcpy(peer.sun_path, address.data(), address.size());
  // An abstract name has a leading zero and no closing one; its length ends it.
  if (address[0] == '@') peer.sun_path[0] = '\0';
  const std::size_t length = offsetof(sockaddr_un, sun_path) + address.size() + (address[0] == '@' ? 0 : 1);

  const int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return errno;
  ssize_t sent = -1;
  do {
    // sockaddr_un is a sockaddr by contract of the sockets API.
    sent = sendto(descriptor, message.data(), message.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&peer),
                  static_cast<socklen_t>(length));
  } while (sent < 0 && errno == EINTR);
  const int fault = sent < 0 ? errno : 0;
  close(descriptor);
  return fault;
}

}  // namespace sightline::service
