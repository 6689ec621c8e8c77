// How long to wait before the next attempt. Pure.
#pragma once
#include <algorithm>
#include <cstdint>

namespace sightline::capture {

struct BackoffLimits {
  std::int64_t min_ms = 1'000, max_ms = 60'000;
};

/// Exponential with jitter: min * 2^attempt up to max, of which a random half is taken off so that cameras behind one switch
/// do not come back in step. `attempt` counts from 0, `random` is uniform in [0, 1). The result is within [min/2, max].
inline std::int64_t backoff_ms(int attempt, BackoffLimits limits, double random) {
  const std::int64_t least = std::max<std::int64_t>(limits.min_ms, 1);
  const std::int64_t most = std::max(limits.max_ms, least);
  std::int64_t full = least;
  for (int i = 0; i < attempt && full < most; ++i) full = std::min(full * 2, most);
  return full - static_cast<std::int64_t>(static_cast<double>(full) * 0.5 * std::clamp(random, 0.0, 1.0));
}

/// A fixed long wait (wrong password, unsupported codec), spread by a tenth.
inline std::int64_t slow_retry_ms(std::int64_t base_ms, double random) {
  const std::int64_t base = std::max<std::int64_t>(base_ms, 1);
  return base + static_cast<std::int64_t>(static_cast<double>(base) * 0.1 * std::clamp(random, 0.0, 1.0));
}

}  // namespace sightline::capture
