// Which frames are due for analysis. Pure: times go in, answers come out.
//
// Threads: one camera's thread.
// Owns:    nothing.
#pragma once
#include <cstdint>
#include <optional>

namespace sightline::capture {

/// Turns time stamps of a stream, which may be absent, jump or tick at the wrong rate, into one time that never runs
/// backwards. Live sources are held against the arrival time; recordings that are read as fast as possible are not.
class MediaClock {
 public:
  explicit MediaClock(bool live) : live_(live) {}
  /// Media time of the next frame in microseconds, 0 for the first. `pts_us`: nullopt = none. `step_us`: expected distance of
  /// frames (> 0), used when a recording has no time stamps.
  std::int64_t advance(std::optional<std::int64_t> pts_us, std::int64_t arrival_us, std::int64_t step_us);
  /// The next time stamps belong to a new connection or a new pass over the file.
  void restart() { last_pts_us_.reset(); }

 private:
  static constexpr std::int64_t disagree_us = 2'000'000;  ///< media and arrival time may differ by so much
  static constexpr std::int64_t distrust_min_us = 10'000'000;  ///< then time stamps are ignored for so long, doubled each time
  static constexpr std::int64_t distrust_max_us = 600'000'000;
  static constexpr std::int64_t step_max_us = 10'000'000;  ///< a larger step of time stamps is a jump

  bool live_;
  bool started_ = false;
  std::int64_t now_us_ = 0;           ///< media time of the last frame
  std::int64_t first_arrival_us_ = 0; ///< arrival time that media time 0 stands for
  std::int64_t last_arrival_us_ = 0;
  std::int64_t trust_again_us_ = 0;   ///< arrival time
  std::int64_t distrust_us_ = distrust_min_us;
  void distrust();
  std::optional<std::int64_t> last_pts_us_;
};

/// Picks frames at a steady rate: the frame nearest to each tick. A source at the very rate, or up to a twentieth faster,
/// loses none to jitter or drift; 25 per second at 5 gives every fifth.
class DueClock {
 public:
  /// `fps` 0 = every frame is due.
  explicit DueClock(double fps) : interval_us_(fps > 0 ? 1e6 / fps : 0) {}
  /// `time_us` never runs backwards (MediaClock).
  bool due(std::int64_t time_us);

 private:
  double interval_us_;
  double next_us_ = 0;
  double spacing_us_ = 0;  ///< smoothed distance of frames
  std::optional<std::int64_t> last_us_;
};

}  // namespace sightline::capture
