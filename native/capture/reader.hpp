// A source opened as a sequence of decoded frames that may be shown: demuxer, decoder, and the judgement of what is damaged.
//
// Threads: not thread-safe; one camera's thread, inside a LogScope of `log`.
// Owns:    demuxer, decoder, one packet.
#pragma once
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "counters.hpp"
#include "decoder.hpp"
#include "demuxer.hpp"
#include "due.hpp"
#include "h264_sps.hpp"
#include "key_gate.hpp"
#include "pacing.hpp"
#include "packet_ring.hpp"

namespace sightline::capture {

/// What is known of a frame from the packet that completed it.
struct FrameInfo {
  std::optional<std::int64_t> pts_us;  ///< of the container
  std::int64_t arrival_us = 0;         ///< CLOCK_MONOTONIC
  std::int64_t wall_ms = 0;
};

class FrameReader {
 public:
  /// `on_packet` is called as soon as a packet of the stream has arrived.
  /// Packets go to `ring` as they come.
  FrameReader(const CameraOptions& options, Interrupt& interrupt, LogSink& log, Counters& counters, PacketRing& ring,
              std::function<void()> on_packet);
  FrameReader(const FrameReader&) = delete;
  FrameReader& operator=(const FrameReader&) = delete;

  /// Bounded by open_timeout_ms. `detail` becomes libav's words, not redacted.
  Reason open(std::string* detail);
  const Demuxer& demuxer() const { return demuxer_; }
  const Decoder& decoder() const { return *decoder_; }
  /// Expected distance of frames, microseconds.
  std::int64_t step_us() const;
  /// The container's or else the bit stream's frame rate, 0 = unknown.
  double source_fps() const;

  /// The next frame that may be shown. A reason other than `none` ends the connection; CAPTURE_DECODER when packets keep coming
  /// but no such frame by `deadline_us`.
  Reason next(AVFrame& frame, FrameInfo& info, std::string* detail, std::int64_t deadline_us);
  /// True once after the source began anew (a file was looped).
  bool take_restart();

 private:
  struct PacketNote {
    std::uint64_t number = 0;
    FrameInfo info;
  };
  enum class Fed : std::uint8_t { yes, skipped };

  Reason read_packet(std::string* detail, std::int64_t deadline_us);
  Reason nothing_to_show(std::string* detail) const;
  Reason end_of_pass(std::string* detail);
  bool wait_for_turn(const AVPacket& packet);
  Fed feed(AVPacket& packet);
  bool awaited_key(const AVPacket& packet);
  void note_log_of(std::uint64_t number);
  bool receive(AVFrame& frame, FrameInfo& info);
  void mark_damage(std::uint64_t number);
  void count_refused();
  PacketNote& note_of(std::uint64_t number) { return notes_[number % notes_.size()]; }

  const CameraOptions& options_;
  Interrupt& interrupt_;
  LogSink& log_;
  Counters& counters_;
  PacketRing& ring_;
  const std::function<void()> on_packet_;
  Demuxer demuxer_;
  std::unique_ptr<Decoder> decoder_;
  PacketPtr packet_;
  KeyGate gate_{true};
  H264Gaps gaps_;
  MediaClock packet_clock_{false};
  Pacer pacer_;
  /// Decoders carry `pts` from packet to frame whatever the reordering; the packets are numbered in it and the rest is kept here.
  std::array<PacketNote, 64> notes_{};
  std::uint64_t number_ = 0;       ///< of the newest packet
  std::uint64_t damaged_ = 0;      ///< newest packet that was counted as corrupt
  std::uint64_t shown_in_pass_ = 0;
  std::int64_t opened_us_ = 0;
  int invalid_in_a_row_ = 0;
  bool started_ = false;           ///< the decoder has been given a key frame
  bool draining_ = false, restarted_ = false;
};

}  // namespace sightline::capture
