// Colour: YUV -> RGB coefficients (ITU-R BT.601, BT.709, BT.2020 non-constant luminance; 8-bit quantisation of BT.601/BT.709
// section "digital representation"). With kr, kb the luma weights of red and blue:
//   R = gain * (Y - offset) + rv * (V - 128)          rv = 2 (1 - kr) * chroma scale
//   G = gain * (Y - offset) - gu * (U - 128) - gv * (V - 128)
//   B = gain * (Y - offset) + bu * (U - 128)          bu = 2 (1 - kb) * chroma scale
// limited range: offset 16, gain 255/219, chroma scale 255/224; full range: 0, 1, 1.
#pragma once
#include <cstdint>

#include "pixels.hpp"

namespace sightline::pixels {

struct Colour {
  float offset = 0, gain = 1;
  float rv = 0, gu = 0, gv = 0, bu = 0;
};

/// The coefficients for a view; gray8 has no chroma terms, RGB layouts are the identity.
constexpr Colour colour_of(const ImageView& src) {
  Colour c;
  if (src.layout == Layout::rgb24 || src.layout == Layout::bgr24) return c;
  const bool limited = src.range == Range::limited;
  c.offset = limited ? 16.0f : 0.0f;
  c.gain = limited ? static_cast<float>(255.0 / 219.0) : 1.0f;
  if (src.layout == Layout::gray8) return c;
  const double kr = src.matrix == Matrix::bt601 ? 0.299 : src.matrix == Matrix::bt709 ? 0.2126 : 0.2627;
  const double kb = src.matrix == Matrix::bt601 ? 0.114 : src.matrix == Matrix::bt709 ? 0.0722 : 0.0593;
  const double kg = 1.0 - kr - kb;
  const double scale = limited ? 255.0 / 224.0 : 1.0;
  c.rv = static_cast<float>(2.0 * (1.0 - kr) * scale);
  c.bu = static_cast<float>(2.0 * (1.0 - kb) * scale);
  c.gu = static_cast<float>(2.0 * (1.0 - kb) * kb / kg * scale);
  c.gv = static_cast<float>(2.0 * (1.0 - kr) * kr / kg * scale);
  return c;
}

/// Nearest 8-bit level, halves up; the one rounding rule of this folder.
inline std::uint8_t to_level(float value) {
  const float clamped = value < 0.0f ? 0.0f : value > 255.0f ? 255.0f : value;
  return static_cast<std::uint8_t>(clamped + 0.5f);
}

}  // namespace sightline::pixels
