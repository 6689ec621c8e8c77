#include "demuxer.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "resolve.hpp"
#include "thread.hpp"

namespace sightline::capture {
namespace {

constexpr std::int64_t close_limit_us = 100'000;     // for the TEARDOWN to leave
constexpr std::int64_t device_poll_us = 4'000;       // v4l2 has no wait that can be interrupted
constexpr std::int64_t live_probe_bytes = 512 * 1024;
constexpr std::int64_t live_analyse_us = 1'000'000;
constexpr std::int64_t udp_buffer_bytes = 1 << 20;   // a key frame of a 4K camera arrives as one burst
constexpr std::int64_t udp_reorder_packets = 256;
// Nothing is reordered within TCP, but servers drop packets when it is slow. libav notices gaps in the sequence numbers only
// where it has a queue; this is the shortest.
constexpr std::int64_t tcp_reorder_packets = 2;

/// A FIFO or a socket would block in open(), where no interrupt reaches.
Reason check_file(const char* path, std::string* detail) {
  struct stat info {};
  if (stat(path, &info) != 0) {
    const int error = errno;
    *detail = av_error_text(AVERROR(error));
    return reason_of(AVERROR(error), "");
  }
  if (S_ISREG(info.st_mode)) return Reason::none;
  *detail = "expected a regular file";
  return Reason::unsupported;
}

}  // namespace

Demuxer::Demuxer(const CameraOptions& options, Interrupt& interrupt, LogSink& log)
    : options_(options), interrupt_(interrupt), log_(log) {}

Demuxer::~Demuxer() { close(); }

void Demuxer::close() {
  stream_ = nullptr;
  if (!format_) return;
  interrupt_.begin(Phase::close, monotonic_us() + close_limit_us);
  format_.reset();
}

Reason Demuxer::open(std::int64_t deadline_us, std::string* detail) {
  close();
  interrupt_.begin(Phase::open, deadline_us);
  log_.forget_words();
  const Source source = parse_source(options_.kind, options_.url);
  if (!source.problem.empty()) {
    *detail = source.problem;
    return Reason::unsupported;
  }
  if (options_.kind == SourceKind::file) {
    const Reason reason = check_file(source.url.c_str() + sizeof("file:") - 1, detail);
    if (reason != Reason::none) return reason;
  }
  const Reason reason =
      options_.kind == SourceKind::rtsp ? open_rtsp(source, detail) : open_input(source, source.url, detail);
  return reason == Reason::none ? choose_stream(source, detail) : reason;
}

Reason Demuxer::open_rtsp(const Source& source, std::string* detail) {
  const Lookup found = resolve(percent_decode(source.host), [this] { return !interrupt_.interrupted(); });
  if (found.addresses.empty()) {
    *detail = "no address for the host: " + found.problem;
    return interrupt_.stopped() ? Reason::stopped : Reason::dns;
  }
  // TLS servers are told apart by name, so there the name stays; the lookup above has just shown that it answers.
  if (source.url.starts_with("rtsps:")) return open_input(source, source.url, detail);
  Reason reason = Reason::dns;
  for (const std::string& address : found.addresses) {
    reason = open_input(source, with_host(source.url, address), detail);
    if (reason != Reason::refused && reason != Reason::unreachable) break;
  }
  return reason;
}

void Demuxer::set_options(const Source& source, Dictionary& options) const {
  options.set("protocol_whitelist", source.protocols);
  if (options_.kind != SourceKind::rtsp) return;
  const bool udp = options_.transport == Transport::udp;
  options.set("rtsp_transport", udp ? "udp" : "tcp");
  options.set("allowed_media_types", "video");
  options.set("user_agent", "sightline");
  // A backstop only: the interrupt callback has the true deadlines.
  options.set("timeout", (std::int64_t{options_.open_timeout_ms} + options_.stall_limit_ms + 1'000) * 1'000);
  options.set("probesize", live_probe_bytes);
  options.set("analyzeduration", live_analyse_us);
  options.set("reorder_queue_size", udp ? udp_reorder_packets : tcp_reorder_packets);
  if (udp) options.set("buffer_size", udp_buffer_bytes);
}

Reason Demuxer::open_input(const Source& source, const std::string& url, std::string* detail) {
  const AVInputFormat* format = nullptr;
  if (source.format != nullptr && (format = av_find_input_format(source.format)) == nullptr) {
    *detail = std::string("this FFmpeg was built without ") + source.format;
    return Reason::unsupported;
  }
  FormatPtr context(avformat_alloc_context());
  if (!context) return Reason::internal;
  context->interrupt_callback = interrupt_.callback();
  if (options_.kind == SourceKind::v4l2) context->flags |= AVFMT_FLAG_NONBLOCK;
  Dictionary options;
  set_options(source, options);
  // avformat_open_input frees the context when it fails.
  AVFormatContext* raw = context.release();
  const int failed = avformat_open_input(&raw, url.c_str(), format, options.out());
  format_.reset(raw);
  return failed < 0 ? failure(failed, detail) : Reason::none;
}

Reason Demuxer::choose_stream(const Source&, std::string* detail) {
  const auto best = [this] { return av_find_best_stream(format_.get(), AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0); };
  int index = best();
  // An RTSP description and a device say all that the decoder needs; looking at packets would only cost time.
  const bool live = options_.kind == SourceKind::rtsp || options_.kind == SourceKind::v4l2;
  const bool described = index >= 0 && format_->streams[index]->codecpar->codec_id != AV_CODEC_ID_NONE;
  if (!live || !described) {
    if (options_.kind == SourceKind::lavfi) format_->fps_probe_size = 2;  // raw frames; it knows its rate
    const int failed = avformat_find_stream_info(format_.get(), nullptr);
    if (failed < 0) return failure(failed, detail);
    if (interrupt_.interrupted()) return failure(AVERROR_EXIT, detail);
    index = best();
  }
  if (index < 0) {
    *detail = "no video stream among " + std::to_string(format_->nb_streams);
    return Reason::no_video;
  }
  for (unsigned i = 0; i < format_->nb_streams; ++i) {
    format_->streams[i]->discard = static_cast<int>(i) == index ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
  }
  stream_ = format_->streams[index];
  return Reason::none;
}

Reason Demuxer::failure(int av_error, std::string* detail) const {
  if (interrupt_.stopped()) return Reason::stopped;
  if (interrupt_.expired()) {
    *detail = "no answer within " + std::to_string(options_.open_timeout_ms) + " ms";
    return Reason::timeout;
  }
  const std::string words = log_.words();
  *detail = words.empty() ? av_error_text(av_error) : words;
  return reason_of(av_error, words);
}

AVRational Demuxer::frame_rate() const {
  for (const AVRational rate : {stream_->avg_frame_rate, stream_->r_frame_rate}) {
    if (rate.num > 0 && rate.den > 0 && av_q2d(rate) <= 1000) return rate;
  }
  return {0, 1};
}

const char* Demuxer::transport() const {
  if (options_.kind != SourceKind::rtsp) return "";
  return options_.transport == Transport::udp ? "udp" : "tcp";
}

int Demuxer::read(AVPacket& packet) {
  for (;;) {
    const int result = av_read_frame(format_.get(), &packet);
    if (result == AVERROR(EAGAIN)) {
      if (interrupt_.interrupted()) return AVERROR_EXIT;
      sleep_for_us(device_poll_us, interrupt_.stop());
      continue;
    }
    if (result < 0) return result;
    if (packet.stream_index == stream_->index) return 0;
    av_packet_unref(&packet);
    if (interrupt_.interrupted()) return AVERROR_EXIT;
  }
}

bool Demuxer::rewind(std::int64_t deadline_us) {
  // Where time stamps may jump (MPEG-TS), a seek to the start lands somewhere near it.
  if (options_.kind == SourceKind::file && (format_->iformat->flags & AVFMT_TS_DISCONT) == 0) {
    const std::int64_t start = stream_->start_time == AV_NOPTS_VALUE ? 0 : stream_->start_time;
    if (avformat_seek_file(format_.get(), stream_->index, INT64_MIN, start, start, 0) >= 0) return true;
  }
  std::string detail;
  return open(deadline_us, &detail) == Reason::none;
}

}  // namespace sightline::capture
