// The size that a JPEG says it has; we read only what capture::encode_jpeg() wrote.
#pragma once
#include <cstdint>
#include <string_view>

namespace sightline::addon {

struct PixelSize {
  int width = 0, height = 0;
};

/// Reads the frame header (SOF0..SOF2, ITU T.81 B.2.2). Zero when there is none.
inline PixelSize jpeg_size(std::string_view jpeg) {
  const auto byte = [jpeg](std::size_t at) { return static_cast<int>(static_cast<std::uint8_t>(jpeg[at])); };
  std::size_t at = 2;  // after SOI
  while (at + 9 <= jpeg.size() && byte(at) == 0xFF) {
    const int marker = byte(at + 1);
    if (marker >= 0xC0 && marker <= 0xC2) return {byte(at + 7) << 8 | byte(at + 8), byte(at + 5) << 8 | byte(at + 6)};
    at += 2 + static_cast<std::size_t>(byte(at + 2) << 8 | byte(at + 3));
  }
  return {};
}

}  // namespace sightline::addon
