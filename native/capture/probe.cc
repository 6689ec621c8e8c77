#include <exception>

#include "reader.hpp"

namespace sightline::capture {
namespace {

int ms_since(std::int64_t start_us) { return static_cast<int>((monotonic_us() - start_us) / 1'000); }

Reason first_frame(const CameraOptions& options, const std::stop_token& stop, ProbeResult& result, std::string* detail) {
  LogSink log;
  const LogScope scope(log);
  Interrupt interrupt{stop};
  Counters counters;
  const std::int64_t start_us = monotonic_us();
  PacketRing ring(0, 0);
  FrameReader reader(options, interrupt, log, counters, ring, [] {});
  if (const Reason reason = reader.open(detail); reason != Reason::none) return reason;
  result.open_ms = ms_since(start_us);
  result.transport = reader.demuxer().transport();
  result.codec = reader.decoder().codec();
  const FramePtr frame = make_frame();
  FrameInfo info;
  const std::int64_t deadline_us = start_us + std::int64_t{options.open_timeout_ms} * 1'000;
  const Reason reason = reader.next(*frame, info, detail, deadline_us);
  if (reason == Reason::stalled) return Reason::timeout;
  if (reason != Reason::none) return reason;
  result.first_frame_ms = ms_since(start_us);
  result.width = frame->width;
  result.height = frame->height;
  result.source_fps = reader.source_fps();
  const auto format = static_cast<AVPixelFormat>(frame->format);
  const char* format_name = av_get_pix_fmt_name(format);
  result.pixel_format = format_name == nullptr ? "" : format_name;
  return Reason::none;
}

}  // namespace

ProbeResult probe(const CameraOptions& asked, const std::stop_token& stop) {
  initialise_libav();
  ProbeResult result;
  CameraOptions options = asked;
  options.loop = false;
  options.realtime = false;
  options.hw_device.clear();  // whether the stream can be decoded, not where
  options.stall_limit_ms = options.open_timeout_ms;
  std::string detail;
  Reason reason = Reason::internal;
  try {
    reason = first_frame(options, stop, result, &detail);
  } catch (const std::exception& error) {
    detail = error.what();
  }
  result.ok = reason == Reason::none;
  result.reason = code(reason);
  if (!result.ok) result.detail = Redactor(options.kind, options.url)(detail);
  return result;
}

std::string libav_versions() {
  const auto text = [](const char* library, unsigned version) {
    return std::string(library) + " " + std::to_string(AV_VERSION_MAJOR(version)) + "." +
           std::to_string(AV_VERSION_MINOR(version)) + "." + std::to_string(AV_VERSION_MICRO(version));
  };
  return text("libavcodec", avcodec_version()) + ", " + text("libavformat", avformat_version()) + ", " +
         text("libavutil", avutil_version()) + ", " + text("libavdevice", avdevice_version()) + ", " +
         text("libswscale", swscale_version());
}

}  // namespace sightline::capture
