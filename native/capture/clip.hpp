// A piece of a stream as a file in memory.
#pragma once
#include <cstdint>
#include <string>

namespace sightline::capture {

struct Clip {
  std::string data;       ///< a whole file; empty when there is none, then `reason` says why
  std::string extension;  ///< "mp4", "mkv" or "ts"
  std::string reason;     ///< CAPTURE_CLIP_NONE, CAPTURE_CLIP_FAILED
  int packets = 0;
  std::int64_t from_us = 0, to_us = 0;  ///< arrival of its first and last packet, CLOCK_MONOTONIC
};

}  // namespace sightline::capture
