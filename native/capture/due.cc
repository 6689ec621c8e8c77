#include "due.hpp"

#include <algorithm>

namespace sightline::capture {

std::int64_t MediaClock::advance(std::optional<std::int64_t> pts_us, std::int64_t arrival_us, std::int64_t step_us) {
  const std::int64_t waited_us = started_ ? std::max<std::int64_t>(arrival_us - last_arrival_us_, 0) : 0;
  std::optional<std::int64_t> step;
  if (pts_us && last_pts_us_) {
    const std::int64_t apart = *pts_us - *last_pts_us_;
    if (apart > 0 && apart <= step_max_us) step = apart;
  }
  last_arrival_us_ = arrival_us;
  last_pts_us_ = pts_us;
  if (!started_) {
    started_ = true;
    first_arrival_us_ = arrival_us;
    return now_us_;
  }
  if (!live_) {
    now_us_ += step.value_or(std::max<std::int64_t>(step_us, 1));
    return now_us_;
  }
  if (arrival_us < trust_again_us_) step.reset();
  const std::int64_t arrival_time_us = arrival_us - first_arrival_us_;
  const std::int64_t ahead_us = now_us_ + step.value_or(waited_us) - arrival_time_us;
  if (ahead_us > disagree_us) {  // the clock of the camera runs too fast, or a burst of old frames came: arrival counts
    distrust();
    first_arrival_us_ = arrival_us - now_us_ - waited_us;
    now_us_ += waited_us;
  } else if (ahead_us < -disagree_us) {  // a gap, or a clock that stands still
    distrust();
    now_us_ = arrival_time_us;
  } else {
    now_us_ += step.value_or(waited_us);
  }
  return now_us_;
}

void MediaClock::distrust() {
  trust_again_us_ = last_arrival_us_ + distrust_us_;
  distrust_us_ = std::min(2 * distrust_us_, distrust_max_us);
}

bool DueClock::due(std::int64_t time_us) {
  const auto now = static_cast<double>(time_us);
  if (last_us_ && time_us > *last_us_) {
    // A gap says nothing about the rate of the source; without the limit it would widen the tolerance for many frames.
    const double apart = static_cast<double>(time_us - *last_us_);
    spacing_us_ = spacing_us_ == 0 ? apart : spacing_us_ + 0.1 * (std::min(apart, 2 * spacing_us_) - spacing_us_);
  }
  const bool first = !last_us_;
  last_us_ = time_us;
  if (interval_us_ == 0) return true;
  if (first) {
    next_us_ = now + interval_us_;
    return true;
  }
  // Half a frame either way makes it the nearest frame to the tick.
  const double tolerance = 0.5 * std::min(spacing_us_, interval_us_);
  const double late = now - next_us_;
  if (late < -tolerance) return false;
  // The tick follows the frames a little: a source whose clock is slightly off stays in step instead of losing a frame each
  // time the two have drifted apart by half a frame.
  next_us_ += late > interval_us_ ? late + interval_us_ : interval_us_ + 0.2 * late;
  return true;
}

}  // namespace sightline::capture
