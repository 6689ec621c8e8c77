// The newest packets of one stream, from a key frame on, and clips of them: remuxed, not encoded again.
//
// Threads: push() and reset() on the camera's thread, clip() on any.
// Owns:    references to packets (no copies where libav counts references), a copy of the stream's parameters.
// Locks:   a mutex around the list; a clip is written from references taken under it.
#pragma once
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "av_ptr.hpp"
#include "clip.hpp"

namespace sightline::capture {

class PacketRing {
 public:
  /// Keeps what arrived in the last `span_ms`, at most `bytes_max`; either 0 keeps nothing.
  PacketRing(int span_ms, std::int64_t bytes_max) : span_us_(std::int64_t{span_ms} * 1'000), bytes_max_(bytes_max) {}
  PacketRing(const PacketRing&) = delete;
  PacketRing& operator=(const PacketRing&) = delete;

  /// A stream was opened, or began anew: what was there before does not fit it.
  void reset(const AVCodecParameters& parameters, AVRational time_base);
  /// The size of the decoded pictures: streams don't always say it beside their packets, files have to.
  void size(int width, int height);
  void push(const AVPacket& packet, std::int64_t arrival_us);

  /// Packets that arrived in [from_us, to_us], begun at the last key frame before, as a file. Blocking: milliseconds.
  Clip clip(std::int64_t from_us, std::int64_t to_us) const;
  std::int64_t bytes() const;
  std::size_t packets() const;

 private:
  struct Held {
    PacketPtr packet;
    std::int64_t arrival_us;
  };
  void trim(std::int64_t now_us);
  void drop_front();

  const std::int64_t span_us_, bytes_max_;
  mutable std::mutex mutex_;
  ParametersPtr parameters_;  // guarded by mutex_, as all below
  AVRational time_base_{1, 1'000'000};
  std::deque<Held> held_;
  std::int64_t bytes_ = 0;
};

}  // namespace sightline::capture
