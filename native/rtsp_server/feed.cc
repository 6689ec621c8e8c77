#include "feed.hpp"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <utility>

namespace sightline::rtsp_server {
namespace {

/// Units that may wait in an appsrc: more means that its pipeline is blocked until a client says PLAY.
constexpr guint64 units_waiting_max = 2;
/// Further off than this and timestamps start anew instead of being caught up.
constexpr std::int64_t slip_us_max = 500'000;
constexpr std::int64_t idle_us = 1'000'000;

std::int64_t monotonic_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

struct Pacer::Feed {
  std::uint64_t number = 0;
  std::shared_ptr<Program> program;
  GstRef<GstAppSrc> source;
  std::shared_ptr<const Clip> clip;  ///< that `unit` counts in
  std::size_t unit = 0;
  bool primed = false;
  std::int64_t due_us = 0;           ///< monotonic
  std::int64_t stamp_us = -1;        ///< running time of the next unit, -1 = take the pipeline's

  [[nodiscard]] std::int64_t frame_us() const {
    if (program->fps > 0) return static_cast<std::int64_t>(1e6 / program->fps);
    const std::int64_t here = clip->units[unit].start_us;
    const bool last = unit + 1 == clip->units.size();
    return std::max<std::int64_t>(1000, (last ? clip->duration_us : clip->units[unit + 1].start_us) - here);
  }

  /// The pipeline's time now, or -1 while it has none. Asked only of a playing element: one on its way there has a clock already but no base
  /// time yet, so that it would answer the machine's uptime, and a sink would wait that long for the unit stamped with it.
  [[nodiscard]] std::int64_t running_us() const {
    if (GST_STATE(source.get()) != GST_STATE_PLAYING) return -1;
    const GstClockTime time = gst_element_get_current_running_time(GST_ELEMENT(source.get()));
    return GST_CLOCK_TIME_IS_VALID(time) ? static_cast<std::int64_t>(time / GST_USECOND) : -1;
  }

  /// Even steps from unit to unit, and a new start when those no longer agree with the pipeline's clock (a stall, a late PLAY).
  void settle_stamp() {
    const std::int64_t running = running_us();
    if (stamp_us < 0 || (running >= 0 && std::abs(running - stamp_us) > slip_us_max)) stamp_us = std::max<std::int64_t>(running, 0);
  }
};

Pacer::Pacer() {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  pthread_setname_np(thread_.native_handle(), "pacer");
}

Pacer::~Pacer() {
  thread_.request_stop();
  changed_.notify_all();
}

std::uint64_t Pacer::add(std::shared_ptr<Program> program, GstRef<GstAppSrc> source) {
  const std::lock_guard lock(mutex_);
  auto feed = std::make_unique<Feed>();
  feed->number = next_number_++;
  feed->program = std::move(program);
  feed->source = std::move(source);
  feed->clip = feed->program->clip;
  feed->due_us = monotonic_us();
  gst_app_src_set_caps(feed->source.get(), caps_of(*feed->clip).get());
  const std::uint64_t number = feed->number;
  feeds_.push_back(std::move(feed));
  changed_.notify_all();
  return number;
}

void Pacer::remove(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  std::erase_if(feeds_, [number](const auto& feed) { return feed->number == number; });
}

void Pacer::set_clip(Program& program, std::shared_ptr<const Clip> clip) {
  const std::lock_guard lock(mutex_);
  program.clip = std::move(clip);
}

/// Pushes the feed's unit when it is due; returns when to look at this feed again.
std::int64_t Pacer::push_due(Feed& feed, std::int64_t now_us) {
  if (feed.due_us > now_us) return feed.due_us;
  const std::int64_t step_us = feed.frame_us();
  Program& program = *feed.program;
  const bool waiting = feed.primed && gst_app_src_get_current_level_buffers(feed.source.get()) >= units_waiting_max;
  if (waiting) program.held.fetch_add(1, std::memory_order_relaxed);
  if (waiting || (feed.primed && program.stalled)) {
    feed.due_us = now_us + step_us;
    return feed.due_us;
  }
  if (feed.clip != program.clip) {
    feed.clip = program.clip;
    feed.unit = 0;
    gst_app_src_set_caps(feed.source.get(), caps_of(*feed.clip).get());
  }
  feed.settle_stamp();
  const AccessUnit& unit = feed.clip->units[feed.unit];
  GstBuffer* buffer = gst_buffer_new();
  gsize size = 0;
  gconstpointer data = g_bytes_get_data(unit.bytes.get(), &size);
  gst_buffer_append_memory(buffer, gst_memory_new_wrapped(GST_MEMORY_FLAG_READONLY, const_cast<gpointer>(data), size, 0, size,
                                                          g_bytes_ref(unit.bytes.get()),
                                                          [](gpointer bytes) { g_bytes_unref(static_cast<GBytes*>(bytes)); }));
  GST_BUFFER_PTS(buffer) = GST_BUFFER_DTS(buffer) = static_cast<GstClockTime>(feed.stamp_us) * GST_USECOND;
  GST_BUFFER_DURATION(buffer) = static_cast<GstClockTime>(step_us) * GST_USECOND;
  if (!unit.key) GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
  // A pipeline that is being taken down refuses; remove() follows.
  if (gst_app_src_push_buffer(feed.source.get(), buffer) == GST_FLOW_OK) program.frames.fetch_add(1, std::memory_order_relaxed);
  feed.stamp_us += step_us;
  feed.unit = (feed.unit + 1) % feed.clip->units.size();
  if (!feed.primed) {
    // From here on at the mount's own place between the others' frames.
    feed.primed = true;
    const std::int64_t into = (now_us - program.phase_us) % step_us;
    feed.due_us = now_us + step_us - (into < 0 ? into + step_us : into);
  } else {
    feed.due_us = std::max(feed.due_us + step_us, now_us - slip_us_max);
  }
  return feed.due_us;
}

void Pacer::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    const std::int64_t now_us = monotonic_us();
    std::int64_t next_us = now_us + idle_us;
    for (const auto& feed : feeds_) next_us = std::min(next_us, push_due(*feed, now_us));
    const std::chrono::steady_clock::time_point until{std::chrono::microseconds(next_us)};
    const std::size_t known = feeds_.size();
    const std::uint64_t newest = next_number_;
    changed_.wait_until(lock, stop, until, [&] { return feeds_.size() != known || next_number_ != newest; });
  }
}

}  // namespace sightline::rtsp_server
