#include "reader.hpp"

#include <algorithm>
#include <ctime>
#include <utility>

#include "thread.hpp"

namespace sightline::capture {
namespace {

constexpr std::int64_t key_wait_us = 15'000'000;  // then decoding begins without: some streams never flag a key frame
constexpr int invalid_packets_max = 32;
constexpr AVRational microseconds = {1, 1'000'000};

std::int64_t wall_clock_ms() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000 + now.tv_nsec / 1'000'000;
}

std::optional<std::int64_t> to_us(std::int64_t value, AVRational base) {
  if (value == AV_NOPTS_VALUE) return std::nullopt;
  return av_rescale_q(value, base, microseconds);
}

bool is_recording(const CameraOptions& options) {
  return options.kind == SourceKind::file || options.kind == SourceKind::lavfi;
}

}  // namespace

FrameReader::FrameReader(const CameraOptions& options, Interrupt& interrupt, LogSink& log, Counters& counters, PacketRing& ring,
                         std::function<void()> on_packet)
    : options_(options),
      interrupt_(interrupt),
      log_(log),
      counters_(counters),
      ring_(ring),
      on_packet_(std::move(on_packet)),
      demuxer_(options, interrupt, log),
      packet_(make_packet()) {}

Reason FrameReader::open(std::string* detail) {
  opened_us_ = monotonic_us();
  const Reason opened = demuxer_.open(opened_us_ + std::int64_t{options_.open_timeout_ms} * 1'000, detail);
  if (opened != Reason::none) return opened;
  const AVCodecParameters& parameters = demuxer_.parameters();
  const DecoderOptions options{options_.hw_device, std::int64_t{options_.max_width} * options_.max_height};
  const Reason made = make_decoder(parameters, demuxer_.time_base(), options, &decoder_, detail);
  if (made != Reason::none) return made;
  if (decoder_->take_fallback()) counters_.hw_fallbacks.add();
  gate_ = KeyGate(decoder_->inter());
  ring_.reset(parameters, demuxer_.time_base());
  if (parameters.codec_id == AV_CODEC_ID_H264 && parameters.extradata != nullptr) {
    gaps_.extradata({parameters.extradata, static_cast<std::size_t>(parameters.extradata_size)});
  }
  log_.forget();  // what probing said about its own half-read packets is no damage of the stream
  return Reason::none;
}

double FrameReader::source_fps() const {
  for (const AVRational rate : {demuxer_.frame_rate(), decoder_->frame_rate()}) {
    if (rate.num > 0 && rate.den > 0 && av_q2d(rate) <= 1000) return av_q2d(rate);
  }
  return 0;
}

std::int64_t FrameReader::step_us() const {
  const double fps = source_fps();
  return fps > 0 ? std::max<std::int64_t>(static_cast<std::int64_t>(1e6 / fps), 1) : 40'000;
}

Reason FrameReader::next(AVFrame& frame, FrameInfo& info, std::string* detail, std::int64_t deadline_us) {
  for (;;) {
    if (receive(frame, info)) {
      ++shown_in_pass_;
      return Reason::none;
    }
    if (monotonic_us() >= deadline_us) return nothing_to_show(detail);
    const Reason reason = draining_ ? end_of_pass(detail) : read_packet(detail, deadline_us);
    if (reason != Reason::none) return reason;
  }
}

Reason FrameReader::nothing_to_show(std::string* detail) const {
  *detail = "packets come, but no frame of them can be shown";
  const std::string words = log_.words();
  if (!words.empty()) *detail += ": " + words;
  return Reason::decoder;
}

Reason FrameReader::read_packet(std::string* detail, std::int64_t deadline_us) {
  interrupt_.begin(Phase::read, std::min(monotonic_us() + std::int64_t{options_.stall_limit_ms} * 1'000, deadline_us));
  log_.forget_words();
  const PacketScope scope(*packet_);
  const int result = demuxer_.read(*packet_);
  if (interrupt_.stopped()) return Reason::stopped;
  if (interrupt_.expired()) {  // also with a packet at hand: when its read fails, libav first hands out what its parser held
    if (number_ > 0 && monotonic_us() >= deadline_us) return nothing_to_show(detail);
    *detail = "no packet for " + std::to_string(options_.stall_limit_ms) + " ms";
    return Reason::stalled;
  }
  if (result == AVERROR_INVALIDDATA && ++invalid_in_a_row_ < invalid_packets_max) {
    counters_.corrupt.add();
    return Reason::none;
  }
  if (result == AVERROR_EOF && is_recording(options_)) {
    draining_ = true;
    decoder_->send(nullptr);
    return Reason::none;
  }
  if (result < 0) {
    const std::string words = log_.words();
    *detail = words.empty() ? av_error_text(result) : words;
    return reason_of(result, words);
  }
  invalid_in_a_row_ = 0;
  if (options_.realtime && is_recording(options_) && !wait_for_turn(*packet_)) return Reason::stopped;
  ring_.push(*packet_, monotonic_us());
  feed(*packet_);
  return Reason::none;
}

Reason FrameReader::end_of_pass(std::string* detail) {
  draining_ = false;
  decoder_->flush();
  *detail = "end of the recording";
  if (!options_.loop) return Reason::eof;
  if (shown_in_pass_ == 0) {
    *detail = "no frame of it could be decoded";
    return Reason::decoder;
  }
  shown_in_pass_ = 0;
  if (!demuxer_.rewind(monotonic_us() + std::int64_t{options_.open_timeout_ms} * 1'000)) {
    return interrupt_.stopped() ? Reason::stopped : Reason::open_failed;
  }
  ring_.reset(demuxer_.parameters(), demuxer_.time_base());
  log_.forget();
  packet_clock_.restart();
  restarted_ = true;
  started_ = false;
  return Reason::none;
}

bool FrameReader::take_restart() { return std::exchange(restarted_, false); }

bool FrameReader::wait_for_turn(const AVPacket& packet) {
  const std::int64_t stamp = packet.dts != AV_NOPTS_VALUE ? packet.dts : packet.pts;
  const std::int64_t media_us = packet_clock_.advance(to_us(stamp, demuxer_.time_base()), 0, step_us());
  return sleep_for_us(pacer_.wait_us(media_us, monotonic_us()), interrupt_.stop());
}

FrameReader::Fed FrameReader::feed(AVPacket& packet) {
  ++number_;
  counters_.packets.add();
  counters_.bytes.add(static_cast<std::uint64_t>(packet.size));
  PacketNote& note = note_of(number_);
  note.number = number_;
  note.info = {to_us(packet.pts, demuxer_.time_base()), monotonic_us(), wall_clock_ms()};
  on_packet_();
  const bool key = (packet.flags & AV_PKT_FLAG_KEY) != 0;
  const bool lost = log_.take_loss();
  if (lost || (packet.flags & AV_PKT_FLAG_CORRUPT) != 0) mark_damage(number_);
  if (!awaited_key(packet)) {
    counters_.drop(Drop::waiting_key);
    return Fed::skipped;
  }
  gate_.packet(number_, key);
  if (key && demuxer_.parameters().codec_id == AV_CODEC_ID_H264) {
    gaps_.packet({packet.data, static_cast<std::size_t>(std::max(packet.size, 0))});
  }
  packet.pts = packet.dts = static_cast<std::int64_t>(number_);
  log_.forget_damage();  // what the parser said while reading (no parameter sets yet) is not about the decoded frame
  const int result = decoder_->send(&packet);
  note_log_of(number_);
  if (decoder_->take_fallback()) counters_.hw_fallbacks.add();
  if (result < 0 && result != AVERROR(EAGAIN)) count_refused();
  return Fed::yes;
}

bool FrameReader::awaited_key(const AVPacket& packet) {
  if (started_) return true;
  started_ = (packet.flags & AV_PKT_FLAG_KEY) != 0 || !decoder_->inter() || monotonic_us() - opened_us_ > key_wait_us;
  return started_;
}

void FrameReader::note_log_of(std::uint64_t number) {
  const bool damaged = log_.take_damage();
  const bool gap = log_.take_frame_gap() && gaps_.gap_is_loss();
  if (damaged || gap) mark_damage(number);
}

void FrameReader::mark_damage(std::uint64_t number) {
  if (number != damaged_) counters_.corrupt.add();
  damaged_ = number;
  gate_.damage(number);
}

void FrameReader::count_refused() {
  mark_damage(number_);
  // Words of libav tell a picture that is too large from one that is damaged; the return code is the same.
  const bool too_large = std::string_view(log_.words()).starts_with("Picture size");
  counters_.drop(too_large ? Drop::too_large : Drop::decode_error);
}

bool FrameReader::receive(AVFrame& frame, FrameInfo& info) {
  for (;;) {
    av_frame_unref(&frame);
    const int result = decoder_->receive(frame);
    if (result == AVERROR(EAGAIN) || result == AVERROR_EOF) return false;
    note_log_of(number_);
    if (result < 0) {
      count_refused();
      if (draining_) continue;
      return false;
    }
    const auto number = static_cast<std::uint64_t>(frame.pts);
    const bool known = frame.pts > 0 && note_of(number).number == number;
    const PacketNote& note = known ? note_of(number) : note_of(number_);
    const bool damaged = (frame.flags & AV_FRAME_FLAG_CORRUPT) != 0 || frame.decode_error_flags != 0;
    if (damaged) mark_damage(note.number);
    switch (gate_.frame(note.number, is_key(frame), damaged)) {
      case KeyGate::Verdict::show: info = note.info; return true;
      case KeyGate::Verdict::damaged: counters_.drop(Drop::decode_error); break;
      case KeyGate::Verdict::waiting_key: counters_.drop(Drop::waiting_key); break;
    }
  }
}

}  // namespace sightline::capture
