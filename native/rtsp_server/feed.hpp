// Gives running mounts their access units in real time.
#pragma once
#include <gst/app/gstappsrc.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "clip.hpp"

namespace sightline::rtsp_server {

template <class T>
struct GstUnref {
  void operator()(T* object) const { gst_object_unref(object); }
};
template <class T>
using GstRef = std::unique_ptr<T, GstUnref<T>>;

/// What a mount and its feeds share. Threads: any; the clip is exchanged under the pacer's lock (Pacer::set_clip).
struct Program {
  std::shared_ptr<const Clip> clip;
  double fps = 0;               ///< 0 = the clip's own pace
  std::int64_t phase_us = 0;    ///< where in the frame interval its frames are due
  std::atomic<bool> stalled{false};
  std::atomic<std::uint64_t> frames{0};  ///< access units pushed
  std::atomic<std::uint64_t> held{0};    ///< times a unit waited because nobody took the one before
};

/// Threads: one of its own for all feeds; the public functions may be called from any thread and never wait for a pipeline.
/// Owns: a reference to each feed's appsrc until remove(); joins its thread in the destructor.
/// Locks: `mutex_` around the list; held while units are pushed, which only queues them (appsrc with block=false).
class Pacer {
 public:
  Pacer();
  ~Pacer();
  Pacer(const Pacer&) = delete;
  Pacer& operator=(const Pacer&) = delete;

  /// Starts feeding `source` from the clip's first key frame; the first unit is pushed at once, stalled or not, because
  /// gst-rtsp-server can't describe a stream that it has never seen. Returns the feed's number.
  std::uint64_t add(std::shared_ptr<Program> program, GstRef<GstAppSrc> source);
  void remove(std::uint64_t feed);
  /// The program's feeds go on with the first unit of `clip` when their next one is due.
  void set_clip(Program& program, std::shared_ptr<const Clip> clip);

 private:
  struct Feed;
  void run(const std::stop_token& stop);
  std::int64_t push_due(Feed& feed, std::int64_t now_us);

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<std::unique_ptr<Feed>> feeds_;
  std::uint64_t next_number_ = 1;
  std::jthread thread_;  ///< last, so that it ends before the rest is destroyed
};

}  // namespace sightline::rtsp_server
