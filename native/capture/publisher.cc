#include "publisher.hpp"

#include <utility>

namespace sightline::capture {

Publisher::Publisher(const CameraOptions& options, std::shared_ptr<slots::Pool> pool, Counters& counters)
    : options_(options),
      pool_(std::move(pool)),
      counters_(counters),
      clock_(options.kind == SourceKind::rtsp || options.kind == SourceKind::v4l2),
      fps_wanted_(options.analysis_fps),
      due_fps_(options.analysis_fps),
      due_(options.analysis_fps),
      newest_(make_frame()) {}

bool Publisher::show(FramePtr& frame, const FrameInfo& info, std::int64_t step_us) {
  if (frame->width > options_.max_width || frame->height > options_.max_height) {
    counters_.drop(Drop::too_large);
    return false;
  }
  // Not the packet's arrival: packets of reordered frames arrive in another order.
  const std::int64_t now_us = monotonic_us();
  const std::int64_t media_us = clock_.advance(info.pts_us, now_us, step_us);
  counters_.frames.add();
  fps_.add(now_us);
  if (due(media_us) && pool_ != nullptr) analyse(*frame, info, media_us);
  {
    const std::lock_guard lock(mutex_);
    newest_.swap(frame);
  }
  newest_us_.store(info.arrival_us, std::memory_order_relaxed);
  newest_wall_ms_.store(info.wall_ms, std::memory_order_relaxed);
  return true;
}

bool Publisher::due(std::int64_t media_us) {
  const double fps = fps_wanted_.load(std::memory_order_relaxed);
  const double limit = limit_wanted_.load(std::memory_order_relaxed);
  if (fps != due_fps_) due_ = DueClock(due_fps_ = fps);
  if (limit != limit_fps_) limited_ = DueClock(limit_fps_ = limit);
  if (!due_.due(media_us)) return false;
  if (limit_fps_ <= 0 || limited_.due(media_us)) return true;
  counters_.drop(Drop::withheld);
  return false;
}

void Publisher::analyse(const AVFrame& frame, const FrameInfo& info, std::int64_t media_us) {
  slots::ClaimFailure why{};
  std::optional<slots::RowLease> lease = pool_->claim(options_.handle, &why);
  if (!lease) {
    counters_.drop(Drop::no_slot);
    return;
  }
  // From here on the lease gives the row back by itself when the frame cannot be used.
  const AVFrame* host = adapter_.adapt(frame);
  const std::optional<pixels::ImageView> view = host == nullptr ? std::nullopt : view_of(*host);
  if (!view) {
    counters_.drop(Drop::unsupported);
    return;
  }
  const auto& inputs = pool_->options().inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const slots::InputSpec& input = inputs[i];
    const pixels::Placement at = pixels::place(view->width, view->height, input.width, input.height, input.fit);
    pixels::to_rgb(*view, lease->tensor(i), input.width, input.height, at, input.pad);
  }
  std::optional<slots::Picture> picture = picture_of(clone_ref(*host));
  if (!picture) return;  // no memory for the reference
  slots::RowMeta meta;
  meta.camera = options_.handle;
  meta.generation = options_.generation;
  meta.seq = counters_.frames.value();
  meta.pts_us = media_us;
  meta.packet_us = info.arrival_us;
  meta.wall_ms = info.wall_ms;
  meta.width = view->width;
  meta.height = view->height;
  if (lease->superseded()) counters_.drop(Drop::superseded);
  counters_.analysed.add();
  lease->commit(meta, std::move(*picture));
}

slots::Picture Publisher::newest() const {
  FramePtr frame;
  {
    const std::lock_guard lock(mutex_);
    if (newest_->buf[0] == nullptr) return {};
    frame = clone_ref(*newest_);
  }
  if (!frame) return {};
  // Surfaces and rare formats are brought down here, on the asker's thread: the camera pays nothing for snapshots.
  FrameAdapter adapter;
  const AVFrame* host = adapter.adapt(*frame);
  if (host == nullptr) return {};
  std::optional<slots::Picture> picture = picture_of(host == frame.get() ? std::move(frame) : clone_ref(*host));
  return picture ? std::move(*picture) : slots::Picture{};
}

}  // namespace sightline::capture
