// Host names looked up with a deadline. getaddrinfo() cannot be interrupted and libav calls it on the camera's thread; with a
// dead name server that would hang a stop for as long as the resolver tries. So the name is looked up here, on a thread of
// its own that nobody waits for, and libav is given a number.
//
// Threads: any.
// Owns:    at most `lookups_max` lookup threads in the process; each ends when the resolver gives up.
#pragma once
#include <functional>
#include <string>
#include <vector>

namespace sightline::capture {

constexpr int lookups_max = 256;

struct Lookup {
  std::vector<std::string> addresses;  ///< numeric, in the resolver's order
  bool timed_out = false;
  std::string problem;                 ///< the resolver's words; empty when there are addresses
};

/// `keep_waiting` is asked every 20 ms; false ends the wait (a stop or a deadline).
Lookup resolve(const std::string& host, const std::function<bool()>& keep_waiting);

}  // namespace sightline::capture
