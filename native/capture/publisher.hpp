// What happens to a frame that may be shown: it becomes the newest, and when it is due it is converted into a batch row.
//
// Threads: show() and restart() on the camera's thread; the rest, also rate(), on any.
// Owns:    a reference to the newest frame.
// Locks:   one mutex around the newest frame, held for a swap of pointers.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>

#include "camera.hpp"
#include "counters.hpp"
#include "due.hpp"
#include "fps_meter.hpp"
#include "picture.hpp"
#include "reader.hpp"

namespace sightline::capture {

class Publisher {
 public:
  Publisher(const CameraOptions& options, std::shared_ptr<slots::Pool> pool, Counters& counters);

  /// Takes the frame's content and leaves another frame to be reused. `step_us`: expected distance of frames.
  /// False when the frame was dropped because of its size.
  bool show(FramePtr& frame, const FrameInfo& info, std::int64_t step_us);
  /// The next frame's time stamps do not continue those before.
  void restart() { clock_.restart(); }

  /// `fps` frames a second are due from now on, 0 = every frame; at most `limit` of those are analysed, 0 = all of them.
  void rate(double fps, double limit) {
    fps_wanted_.store(fps, std::memory_order_relaxed);
    limit_wanted_.store(limit, std::memory_order_relaxed);
  }

  slots::Picture newest() const;
  double fps(std::int64_t now_us) const { return fps_.fps(now_us); }
  std::int64_t newest_us() const { return newest_us_.load(std::memory_order_relaxed); }
  std::int64_t newest_wall_ms() const { return newest_wall_ms_.load(std::memory_order_relaxed); }

 private:
  bool due(std::int64_t media_us);
  void analyse(const AVFrame& frame, const FrameInfo& info, std::int64_t media_us);

  const CameraOptions& options_;
  const std::shared_ptr<slots::Pool> pool_;
  Counters& counters_;
  MediaClock clock_;
  std::atomic<double> fps_wanted_, limit_wanted_{0};
  double due_fps_, limit_fps_ = 0;  // what the clocks were made for; of the camera's thread, like these
  DueClock due_, limited_{0};
  FrameAdapter adapter_;
  FpsMeter fps_;
  std::atomic<std::int64_t> newest_us_{0}, newest_wall_ms_{0};
  mutable std::mutex mutex_;
  FramePtr newest_;  // guarded by mutex_; without data before the first frame
};

}  // namespace sightline::capture
