#include "clip.hpp"

#include <stdexcept>

#include "../capture/av_ptr.hpp"

extern "C" {
#include <libavcodec/bsf.h>
}

namespace sightline::rtsp_server {
namespace {

constexpr std::size_t size_bytes_max = std::size_t{256} << 20;
constexpr AVRational microseconds{1, 1'000'000};

using Filter = std::unique_ptr<AVBSFContext, capture::FreeByAddress<AVBSFContext, av_bsf_free>>;

[[noreturn]] void refuse(const std::string& path, const std::string& why) { throw std::runtime_error(path + ": " + why); }

std::string words_of(int error) {
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(error, text, sizeof text);
  return text;
}

capture::FormatPtr open(const std::string& path) {
  AVFormatContext* raw = nullptr;
  if (const int error = avformat_open_input(&raw, path.c_str(), nullptr, nullptr); error < 0) refuse(path, words_of(error));
  capture::FormatPtr input(raw);
  if (const int error = avformat_find_stream_info(raw, nullptr); error < 0) refuse(path, words_of(error));
  return input;
}

Codec codec_of(const std::string& path, AVCodecID id) {
  switch (id) {
    case AV_CODEC_ID_H264: return Codec::H264;
    case AV_CODEC_ID_HEVC: return Codec::Hevc;
    case AV_CODEC_ID_MJPEG: return Codec::Mjpeg;
    default: refuse(path, std::string("expected H.264, HEVC or MJPEG, found ") + avcodec_get_name(id));
  }
}

/// Containers keep parameter sets aside and lengths before NAL units; payloaders want start codes and parameter sets in the stream.
Filter annex_b_filter(const std::string& path, Codec codec, const AVStream& stream) {
  const char* name = codec == Codec::H264 ? "h264_mp4toannexb" : codec == Codec::Hevc ? "hevc_mp4toannexb" : "null";
  const AVBitStreamFilter* kind = av_bsf_get_by_name(name);
  AVBSFContext* raw = nullptr;
  if (kind == nullptr || av_bsf_alloc(kind, &raw) < 0) refuse(path, std::string("libav has no filter ") + name);
  Filter filter(raw);
  if (avcodec_parameters_copy(raw->par_in, stream.codecpar) < 0) refuse(path, "out of memory");
  raw->time_base_in = stream.time_base;
  if (const int error = av_bsf_init(raw); error < 0) refuse(path, words_of(error));
  return filter;
}

void append(Clip& clip, const AVPacket& packet, AVRational time_base) {
  if (packet.size <= 0 || packet.dts == AV_NOPTS_VALUE) return;
  if (packet.pts != packet.dts) refuse(clip.path, "has B-frames; encode without them");
  const auto size = static_cast<std::size_t>(packet.size);
  clip.size_bytes += size;
  if (clip.size_bytes > size_bytes_max) refuse(clip.path, "is larger than 256 MiB");
  AccessUnit unit;
  unit.bytes.reset(g_bytes_new(packet.data, size));
  unit.start_us = av_rescale_q(packet.dts, time_base, microseconds);
  unit.key = (packet.flags & AV_PKT_FLAG_KEY) != 0;
  if (clip.units.empty() && !unit.key) return;  // nothing before the first key frame can be decoded
  clip.units.push_back(std::move(unit));
}

void check_sizes(const Clip& clip) {
  if (clip.width < 2 || clip.height < 2) refuse(clip.path, "has no picture size");
  if (clip.codec != Codec::Mjpeg) return;
  if (clip.width % 8 != 0 || clip.height % 8 != 0 || clip.width > 2040 || clip.height > 2040) {
    refuse(clip.path, "RTP carries JPEG only in multiples of 8 up to 2040, this is " + std::to_string(clip.width) + "x" +
                        std::to_string(clip.height));
  }
}

void read_units(Clip& clip, AVFormatContext* input, const AVStream& stream, AVBSFContext* filter) {
  const capture::PacketPtr packet = capture::make_packet();
  while (av_read_frame(input, packet.get()) >= 0) {
    if (packet->stream_index != stream.index) {
      av_packet_unref(packet.get());
      continue;
    }
    if (const int error = av_bsf_send_packet(filter, packet.get()); error < 0) refuse(clip.path, words_of(error));
    while (av_bsf_receive_packet(filter, packet.get()) >= 0) {
      append(clip, *packet, stream.time_base);
      av_packet_unref(packet.get());
    }
  }
}

GstCaps* raw_caps(const Clip& clip) {
  const char* type = clip.codec == Codec::H264 ? "video/x-h264" : clip.codec == Codec::Hevc ? "video/x-h265" : "image/jpeg";
  GstCaps* caps = gst_caps_new_simple(type, "width", G_TYPE_INT, clip.width, "height", G_TYPE_INT, clip.height, nullptr);
  if (clip.codec == Codec::Mjpeg) {
    gst_caps_set_simple(caps, "parsed", G_TYPE_BOOLEAN, TRUE, nullptr);
  } else {
    gst_caps_set_simple(caps, "stream-format", G_TYPE_STRING, "byte-stream", "alignment", G_TYPE_STRING, "au", nullptr);
  }
  return caps;
}

}  // namespace

std::unique_ptr<GstCaps, CapsUnref> caps_of(const Clip& clip) { return std::unique_ptr<GstCaps, CapsUnref>(raw_caps(clip)); }

const char* name_of(Codec codec) {
  switch (codec) {
    case Codec::H264: return "h264";
    case Codec::Hevc: return "hevc";
    case Codec::Mjpeg: return "mjpeg";
  }
  return "";
}

std::shared_ptr<const Clip> Clip::load(const std::string& path) {
  const capture::FormatPtr input = open(path);
  const int index = av_find_best_stream(input.get(), AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
  if (index < 0) refuse(path, "has no video stream");
  const AVStream& stream = *input->streams[index];
  auto clip = std::make_shared<Clip>();
  clip->path = path;
  clip->codec = codec_of(path, stream.codecpar->codec_id);
  clip->width = stream.codecpar->width;
  clip->height = stream.codecpar->height;
  check_sizes(*clip);
  const Filter filter = annex_b_filter(path, clip->codec, stream);
  read_units(*clip, input.get(), stream, filter.get());
  if (clip->units.empty()) refuse(path, "has no key frame");
  const std::int64_t first_us = clip->units.front().start_us;
  for (AccessUnit& unit : clip->units) unit.start_us -= first_us;
  const AVRational rate = av_guess_frame_rate(input.get(), input->streams[index], nullptr);
  clip->fps = rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 25.0;
  // The last picture is shown as long as any other, so that the loop has no stutter.
  clip->duration_us = clip->units.back().start_us + static_cast<std::int64_t>(1e6 / clip->fps);
  return clip;
}

}  // namespace sightline::rtsp_server
