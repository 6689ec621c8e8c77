// Frames per second over the last seconds.
//
// Threads: add() by the camera's thread, fps() by any; lock-free. A reader that races with add() may miss the newest frame.
// Owns:    the arrival times of the last 256 frames.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>

namespace sightline::capture {

class FpsMeter {
 public:
  static constexpr std::int64_t window_us = 4'000'000;

  void add(std::int64_t now_us) {
    const std::uint64_t n = count_.load(std::memory_order_relaxed);
    times_[n % times_.size()].store(now_us, std::memory_order_relaxed);
    count_.store(n + 1, std::memory_order_release);
  }

  double fps(std::int64_t now_us) const {
    const std::uint64_t n = count_.load(std::memory_order_acquire);
    std::int64_t newest_us = 0, oldest_us = 0;
    int frames = 0;
    for (std::uint64_t back = 1; back <= n && back < times_.size(); ++back) {
      const std::int64_t at_us = times_[(n - back) % times_.size()].load(std::memory_order_relaxed);
      if (at_us < now_us - window_us) break;
      if (frames == 0) newest_us = at_us;
      oldest_us = at_us;
      ++frames;
    }
    if (frames < 2 || newest_us <= oldest_us) return 0;
    const double spacing_us = static_cast<double>(newest_us - oldest_us) / (frames - 1);
    // A source that has just stopped must not keep its last rate until the window has moved on.
    const double silence_us = static_cast<double>(now_us - newest_us);
    const double span_us = static_cast<double>(newest_us - oldest_us) + (silence_us > 2 * spacing_us ? silence_us : 0);
    return (frames - 1) * 1e6 / span_us;
  }

 private:
  std::array<std::atomic<std::int64_t>, 256> times_{};
  std::atomic<std::uint64_t> count_{0};
};

}  // namespace sightline::capture
