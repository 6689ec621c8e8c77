// The clock of every time that ends in _us: CLOCK_MONOTONIC, the one behind `process.hrtime.bigint()`.
#pragma once
#include <ctime>

#include <cstdint>

namespace sightline {

/// CLOCK_MONOTONIC in microseconds.
inline std::int64_t monotonic_us() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1'000;
}

}  // namespace sightline
