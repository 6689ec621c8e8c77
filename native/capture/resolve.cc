#include "resolve.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "thread.hpp"

namespace sightline::capture {
namespace {

constexpr std::size_t lookup_stack_bytes = 256 * 1024;  // name service modules want more than the minimum
constexpr auto look_again = std::chrono::milliseconds(20);

// Bounds threads that a dead name server would otherwise pile up; a plain counter, so it has no lifetime.
std::atomic<int> lookups_running{0};

struct Shared {
  std::mutex mutex;
  std::condition_variable done;
  bool finished = false;
  Lookup result;
};

struct FreeAddresses {
  void operator()(addrinfo* list) const noexcept { freeaddrinfo(list); }
};

Lookup look_up(const std::string& host, int flags) {
  Lookup lookup;
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* raw = nullptr;
  const int failed = getaddrinfo(host.c_str(), nullptr, &hints, &raw);
  const std::unique_ptr<addrinfo, FreeAddresses> list(raw);
  if (failed != 0) {
    lookup.problem = gai_strerror(failed);
    return lookup;
  }
  for (const addrinfo* at = list.get(); at != nullptr; at = at->ai_next) {
    char text[NI_MAXHOST] = {};
    if (getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0) continue;
    if (std::find(lookup.addresses.begin(), lookup.addresses.end(), text) == lookup.addresses.end()) {
      lookup.addresses.emplace_back(text);
    }
  }
  if (lookup.addresses.empty()) lookup.problem = "no usable address";
  return lookup;
}

}  // namespace

Lookup resolve(const std::string& host, const std::function<bool()>& keep_waiting) {
  if (Lookup numeric = look_up(host, AI_NUMERICHOST); !numeric.addresses.empty()) return numeric;
  if (lookups_running.fetch_add(1) >= lookups_max) {
    lookups_running.fetch_sub(1);
    return {{}, false, "too many name lookups are waiting for the name server"};
  }
  const auto shared = std::make_shared<Shared>();
  const bool started = start_detached(lookup_stack_bytes, [shared, host] {
    Lookup found = look_up(host, AI_ADDRCONFIG);
    {
      const std::lock_guard lock(shared->mutex);
      shared->result = std::move(found);
      shared->finished = true;
    }
    shared->done.notify_all();
    lookups_running.fetch_sub(1);
  });
  if (!started) {
    lookups_running.fetch_sub(1);
    return {{}, false, "no thread for the name lookup"};
  }
  std::unique_lock lock(shared->mutex);
  while (!shared->finished) {
    if (!keep_waiting()) return {{}, true, "the name server does not answer"};
    shared->done.wait_for(lock, look_again);
  }
  return shared->result;
}

}  // namespace sightline::capture
