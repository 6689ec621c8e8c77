#include "packet_ring.hpp"

#include <algorithm>

#include "av_log.hpp"

namespace sightline::capture {
namespace {

constexpr std::size_t packets_max = 8'192;
constexpr AVRational microseconds = {1, 1'000'000};

/// What is not compressed is too large to keep.
bool is_kept(AVCodecID codec) { return codec != AV_CODEC_ID_RAWVIDEO && codec != AV_CODEC_ID_WRAPPED_AVFRAME && codec != AV_CODEC_ID_NONE; }

bool is_key(const AVPacket& packet) { return (packet.flags & AV_PKT_FLAG_KEY) != 0; }

/// mp4 wants the parameter sets of H.264 and HEVC beside the packets; where a stream has them only inside, MPEG-TS does.
const char* container(const AVCodecParameters& parameters) {
  switch (parameters.codec_id) {
    case AV_CODEC_ID_H264:
    case AV_CODEC_ID_HEVC:
      return parameters.extradata_size > 0 ? "mp4" : "mpegts";
    case AV_CODEC_ID_MPEG4:
    case AV_CODEC_ID_MJPEG:
      return "mp4";
    default:
      return "matroska";
  }
}

const char* extension_of(const std::string& container) {
  return container == "mp4" ? "mp4" : container == "mpegts" ? "ts" : "mkv";
}

struct Piece {
  PacketPtr packet;
  std::int64_t arrival_us;
};

/// Time stamps of a file: from 0, decoding order strictly rising, whatever the camera sent.
class Stamps {
 public:
  Stamps(AVRational from, AVRational to, const std::vector<Piece>& pieces) : from_(from), to_(to), arrival_us_(pieces.front().arrival_us) {
    const AVPacket& packet = *pieces.front().packet;
    const auto steps = static_cast<std::int64_t>(std::max<std::size_t>(pieces.size() - 1, 1));
    step_ = std::max<std::int64_t>(av_rescale_q((pieces.back().arrival_us - arrival_us_) / steps, microseconds, to), 1);
    origin_ = packet.dts != AV_NOPTS_VALUE ? packet.dts : packet.pts;
  }
  void apply(AVPacket& packet, std::int64_t arrival_us) {
    std::int64_t dts = packet.dts != AV_NOPTS_VALUE ? packet.dts : packet.pts;
    std::int64_t pts = packet.pts != AV_NOPTS_VALUE ? packet.pts : dts;
    if (origin_ == AV_NOPTS_VALUE || dts == AV_NOPTS_VALUE) {
      dts = pts = av_rescale_q(arrival_us - arrival_us_, microseconds, to_);
    } else {
      dts = av_rescale_q(dts - origin_, from_, to_);
      pts = av_rescale_q(pts - origin_, from_, to_);
    }
    if (last_ != AV_NOPTS_VALUE) dts = std::max(dts, last_ + 1);
    last_ = dts;
    packet.dts = dts;
    packet.pts = std::max(pts, dts);
    // Without one the last frame would last no time, which players take for not being there.
    packet.duration = packet.duration > 0 ? std::max<std::int64_t>(av_rescale_q(packet.duration, from_, to_), 1) : step_;
    packet.stream_index = 0;
    packet.pos = -1;
  }

 private:
  const AVRational from_, to_;
  const std::int64_t arrival_us_;
  std::int64_t step_ = 1, origin_ = AV_NOPTS_VALUE, last_ = AV_NOPTS_VALUE;
};

bool mux(const char* format, const AVCodecParameters& parameters, AVRational time_base, std::vector<Piece>& pieces, std::string* out) {
  const MuxerPtr muxer = make_muxer(format);
  DynamicBuffer buffer;
  if (!muxer || !buffer.open()) return false;
  muxer->pb = buffer.io();
  AVStream* stream = avformat_new_stream(muxer.get(), nullptr);
  if (stream == nullptr || avcodec_parameters_copy(stream->codecpar, &parameters) < 0) return false;
  stream->codecpar->codec_tag = 0;
  stream->time_base = time_base;
  if (avformat_write_header(muxer.get(), nullptr) < 0) return false;
  Stamps stamps(time_base, stream->time_base, pieces);
  for (Piece& piece : pieces) {
    stamps.apply(*piece.packet, piece.arrival_us);
    if (av_write_frame(muxer.get(), piece.packet.get()) < 0) return false;
  }
  if (av_write_trailer(muxer.get()) < 0) return false;
  *out = buffer.take();
  return !out->empty();
}

}  // namespace

void PacketRing::reset(const AVCodecParameters& parameters, AVRational time_base) {
  if (span_us_ <= 0 || bytes_max_ <= 0) return;
  std::deque<Held> gone;
  const std::lock_guard lock(mutex_);
  gone.swap(held_);
  bytes_ = 0;
  time_base_ = time_base;
  parameters_ = is_kept(parameters.codec_id) ? copy_parameters(parameters) : nullptr;
}

void PacketRing::push(const AVPacket& packet, std::int64_t arrival_us) {
  const std::lock_guard lock(mutex_);
  if (!parameters_ || packet.size <= 0) return;
  if (held_.empty() && !is_key(packet)) return;
  if (packet.size > bytes_max_) {  // the packets after it need it
    held_.clear();
    bytes_ = 0;
    return;
  }
  PacketPtr reference(av_packet_clone(&packet));
  if (!reference) return;
  bytes_ += packet.size;
  held_.push_back({std::move(reference), arrival_us});
  trim(arrival_us);
}

void PacketRing::size(int width, int height) {
  const std::lock_guard lock(mutex_);
  if (!parameters_ || parameters_->width > 0) return;
  parameters_->width = width;
  parameters_->height = height;
}

/// Whole groups go from the front, so that the list begins with a key frame; a group longer than the span stays while its bytes fit.
void PacketRing::trim(std::int64_t now_us) {
  const auto second_key = [this] {
    return std::find_if(held_.begin() + 1, held_.end(), [](const Held& held) { return is_key(*held.packet); });
  };
  for (;;) {
    const bool crowded = bytes_ > bytes_max_ || held_.size() > packets_max;
    if (held_.empty() || (!crowded && now_us - held_.front().arrival_us <= span_us_)) return;
    const auto next = second_key();
    if (next == held_.end() && !crowded) return;
    if (!crowded && now_us - next->arrival_us < span_us_) return;  // its group is still needed for the start of the span
    for (auto left = next - held_.begin(); left > 0; --left) drop_front();
  }
}

void PacketRing::drop_front() {
  bytes_ -= held_.front().packet->size;
  held_.pop_front();
}

Clip PacketRing::clip(std::int64_t from_us, std::int64_t to_us) const {
  Clip clip;
  clip.reason = "CAPTURE_CLIP_NONE";
  ParametersPtr parameters;
  AVRational time_base{};
  std::vector<Piece> pieces;
  {
    const std::lock_guard lock(mutex_);
    if (!parameters_ || held_.empty()) return clip;
    std::size_t first = 0;
    for (std::size_t i = 0; i < held_.size(); ++i) {
      if (is_key(*held_[i].packet) && held_[i].arrival_us <= from_us) first = i;
    }
    for (std::size_t i = first; i < held_.size() && held_[i].arrival_us <= to_us; ++i) {
      PacketPtr reference(av_packet_clone(held_[i].packet.get()));
      if (!reference) return clip;
      pieces.push_back({std::move(reference), held_[i].arrival_us});
    }
    parameters = copy_parameters(*parameters_);
    time_base = time_base_;
  }
  if (pieces.empty() || !parameters) return clip;
  initialise_libav();
  LogSink log;
  const LogScope scope(log);
  const std::string format = container(*parameters);
  clip.packets = static_cast<int>(pieces.size());
  clip.from_us = pieces.front().arrival_us;
  clip.to_us = pieces.back().arrival_us;
  clip.extension = extension_of(format);
  clip.reason = mux(format.c_str(), *parameters, time_base, pieces, &clip.data) ? "" : "CAPTURE_CLIP_FAILED";
  if (!clip.reason.empty()) clip.data.clear();
  return clip;
}

std::int64_t PacketRing::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

std::size_t PacketRing::packets() const {
  const std::lock_guard lock(mutex_);
  return held_.size();
}

}  // namespace sightline::capture
