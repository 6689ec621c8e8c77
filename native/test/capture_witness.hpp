// Watches a camera in a test: its states, and every frame that reaches the pool.
#pragma once
#include <chrono>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "../capture/camera.hpp"
#include "../common/clock.hpp"
#include "capture_media.hpp"

namespace sightline::witness {

struct Seen {
  slots::RowMeta meta;
  std::uint64_t hash = 0;
};

/// Waits until the condition holds; false after `limit_ms`.
inline bool eventually(const std::function<bool()>& holds, int limit_ms = 60'000) {
  const std::int64_t end_us = monotonic_us() + std::int64_t{limit_ms} * 1'000;
  while (monotonic_us() < end_us) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return holds();
}

inline capture::CameraOptions options(capture::SourceKind kind, const std::string& url) {
  capture::CameraOptions options;
  options.handle = 7;
  options.generation = 3;
  options.label = "test";
  options.kind = kind;
  options.url = url;
  options.analysis_fps = 0;
  options.backoff_min_ms = 50;
  options.backoff_max_ms = 200;
  return options;
}
/// A recording that is read once, as fast as possible, every frame analysed.
inline capture::CameraOptions once(const std::string& path) {
  capture::CameraOptions o = options(capture::SourceKind::file, path);
  o.loop = false;
  o.realtime = false;
  return o;
}

class Witness {
 public:
  explicit Witness(capture::CameraOptions options) {
    slots::PoolOptions pool_options;
    pool_options.batches = 2;
    pool_options.rows = 1;
    pool_options.inputs = {{"test", 64, 64, pixels::Fit::letterbox, 114}};
    pool_ = slots::Pool::create(pool_options);
    pool_->set_target_rows(1);
    pool_->on_ready([this] { take(); });
    camera_ = capture::Camera::start(
        std::move(options), pool_,
        [this](std::uint32_t handle, std::uint32_t generation, capture::State state, const std::string& reason) {
          const std::lock_guard lock(mutex_);
          states_.push_back(std::string(capture::name(state)) + (reason.empty() ? "" : ":" + reason));
          identified_ = identified_ && handle == 7 && generation == 3;
        });
  }
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;
  ~Witness() {
    camera_->stop();
    pool_->close();
  }

  capture::Camera& camera() { return *camera_; }
  capture::CameraStats stats() const { return camera_->stats(); }
  capture::State state() const { return camera_->stats().state; }
  std::vector<Seen> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  /// States reached, in order, as "state" or "state:REASON".
  std::vector<std::string> states() const {
    const std::lock_guard lock(mutex_);
    return states_;
  }
  bool identified() const {
    const std::lock_guard lock(mutex_);
    return identified_;
  }
  bool reached(const std::string& state) const {
    const std::lock_guard lock(mutex_);
    return std::find(states_.begin(), states_.end(), state) != states_.end();
  }
  /// Waits until a recording has been read to its end.
  bool finished() {
    return eventually([this] { return state() == capture::State::disabled; });
  }

 private:
  void take() {  // on the camera's thread, so that no frame is missed
    while (const auto batch = pool_->take(std::numeric_limits<std::int64_t>::max())) {
      for (const slots::TakenRow& row : batch->rows) {
        const std::optional<slots::Picture> picture = pool_->picture(batch->batch, row.row);
        if (!picture) continue;
        const pixels::ImageView& view = picture->view;
        const std::uint64_t hash = media::luma_hash(view.plane[0], view.stride[0], view.width, view.height);
        const std::lock_guard lock(mutex_);
        seen_.push_back({row.meta, hash});
      }
      pool_->release(batch->batch);
    }
    pool_->arm();
  }

  std::shared_ptr<slots::Pool> pool_;
  mutable std::mutex mutex_;
  std::vector<Seen> seen_;
  std::vector<std::string> states_;
  bool identified_ = true;
  std::shared_ptr<capture::Camera> camera_;
};

}  // namespace sightline::witness
