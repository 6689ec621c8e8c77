// Still pictures: the bytes of a JPEG, PNG or WebP file -> a picture that the kernels read.
//
// Threads: any; takes a few milliseconds a picture, so never call it on JavaScript's main thread.
// Owns:    nothing beyond the call; the picture that is returned keeps its own pixels alive.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "../slots/pool.hpp"

namespace sightline::capture {

/// Smallest and largest side that is decoded: a file of some bytes can ask for gigabytes.
inline constexpr int still_side_min = 16;
inline constexpr int still_side_max = 4096;

struct Still {
  std::optional<slots::Picture> picture;
  /// Why there is none, in words that hold nothing of the file.
  std::string problem;
};

/// The kind is told from the first bytes. A damaged or cut file is refused, not shown in part.
Still decode_still(std::span<const std::uint8_t> file);

}  // namespace sightline::capture
