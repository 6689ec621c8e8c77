// Plays recordings at their own speed. Pure.
//
// Threads: one camera's thread.
#pragma once
#include <algorithm>
#include <cstdint>

namespace sightline::capture {

class Pacer {
 public:
  /// How long to wait before a packet of media time `media_us` is handed on. After a jump of the media time, or when the machine
  /// has fallen behind, the clock is set anew: late packets are not played in a burst.
  std::int64_t wait_us(std::int64_t media_us, std::int64_t now_us) {
    const std::int64_t wait = started_ ? origin_us_ + media_us - now_us : 0;
    if (!started_ || wait > ahead_max_us || wait < -behind_max_us) {
      started_ = true;
      origin_us_ = now_us - media_us;
      return 0;
    }
    return std::max<std::int64_t>(wait, 0);
  }

 private:
  static constexpr std::int64_t ahead_max_us = 12'000'000;
  static constexpr std::int64_t behind_max_us = 500'000;
  bool started_ = false;
  std::int64_t origin_us_ = 0;  ///< monotonic time of media time 0
};

}  // namespace sightline::capture
