#include "av_log.hpp"

#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <utility>

#include "av_compat.hpp"

namespace sightline::capture {
namespace {

thread_local LogSink* current_sink = nullptr;

// Beginnings of libav's format strings (5.0 .. 7.1). All are rare in a healthy stream; what a harmless oddity of a camera can
// cause (an odd SEI, an unknown APP marker) is deliberately not here.
constexpr std::array loss_formats = {
    "RTP: missed",            // rtpdec: gap in the sequence numbers
    "RTP: PT=",               // rtpdec: bad cseq
    "jitter buffer full",     // rtpdec: gave up waiting for a packet
    "max delay reached",      // rtsp: likewise
    "Continuity check failed",  // mpegts
    "Packet corrupt",         // demux
    "Missing packets; dropping frame",                  // rtpdec_jpeg, rtpdec_vp8
    "Received packet without a start chunk",            // rtpdec_jpeg
    "Too short RTP",          // rtpdec_hevc: the packet is thrown away
    "Illegal combination of S and E",
};
constexpr std::array damage_formats = {
    "error while decoding MB", "concealing %d DC", "reference picture missing", "Missing reference picture",
    "decode_slice_header error", "non-existing PPS",  // h264
    "Could not find ref with POC", "Error parsing NAL unit", "First slice in a frame missing", "Previous slice segment missing",
    "Error constructing the", "Independent slice segment missing", "Two slices reporting",  // hevc
    "error y=%d x=%d", "overread %d", "error dc", "error count", "bitstream truncated",  // mjpeg
    "huffman table decode error",
};

template <std::size_t N>
bool begins_with_any(const char* format, const std::array<const char*, N>& beginnings) {
  for (const char* beginning : beginnings) {
    if (std::strncmp(format, beginning, std::strlen(beginning)) == 0) return true;
  }
  return false;
}

void on_log(void*, int level, const char* format, va_list arguments) {
  LogSink* sink = current_sink;
  level &= 0xff;  // the upper bits are a colour
  if (sink == nullptr || format == nullptr || level > AV_LOG_DEBUG) return;
  char line[256] = {};
  if (level <= AV_LOG_ERROR) {
// The format is libav's own.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    std::vsnprintf(line, sizeof line, format, arguments);
#pragma GCC diagnostic pop
  }
  note_log(*sink, level, format, line);
}

}  // namespace

void note_log(LogSink& sink, int level, const char* format, const char* line) {
  if (level > AV_LOG_INFO) {
    if (level == AV_LOG_DEBUG && std::strncmp(format, "Frame num gap", 13) == 0) sink.frame_gap_ = true;
    return;
  }
  if (begins_with_any(format, loss_formats)) sink.loss_ = true;
  if (begins_with_any(format, damage_formats)) sink.damage_ = true;
  if (level > AV_LOG_ERROR || line[0] == 0 || line[0] == '\n') return;
  std::strncpy(sink.words_, line, sizeof sink.words_ - 1);
  for (std::size_t end = std::strlen(sink.words_); end > 0 && std::strchr(" \r\n", sink.words_[end - 1]) != nullptr; --end) {
    sink.words_[end - 1] = 0;
  }
  for (char& c : sink.words_) {
    if (c != 0 && (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)) c = ' ';
  }
}

bool LogSink::take_loss() { return std::exchange(loss_, false); }
bool LogSink::take_damage() { return std::exchange(damage_, false); }
bool LogSink::take_frame_gap() { return std::exchange(frame_gap_, false); }

void initialise_libav() {
  static std::once_flag once;
  std::call_once(once, [] {
    av_log_set_callback(on_log);
    avdevice_register_all();
    avformat_network_init();
  });
}

LogScope::LogScope(LogSink& sink) : before_(std::exchange(current_sink, &sink)) {}
LogScope::~LogScope() { current_sink = before_; }

std::string av_error_text(int av_error) {
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  if (av_strerror(av_error, text, sizeof text) < 0) return "error " + std::to_string(av_error);
  return text;
}

}  // namespace sightline::capture
