// The specification of the sampling in warp_rgb(); always compiled, and what the SIMD kernels are held against (within 1 level).
//
//   bilinear    between the four nearest sample centres (k + 0.5); beyond the outermost centres the edge samples repeat
//   precision   positions 16.16 fixed point, the same integers on every target; values single precision
//   rounding    once, after the colour conversion, to the nearest level, halves up, clamped to 0..255
#include <algorithm>

#include "kernels.hpp"

namespace sightline::pixels {
namespace {

struct Tap {
  std::ptrdiff_t low = 0, high = 0;  ///< the two neighbouring samples
  float part = 0;                    ///< how far from low to high, 0..1
};

Tap tap_at(std::int32_t position, int samples) {
  const std::int32_t clamped = std::clamp(position - 32768, 0, (samples - 1) * 65536);
  Tap tap;
  tap.low = clamped >> 16;
  tap.high = std::min<std::ptrdiff_t>(tap.low + 1, samples - 1);
  tap.part = static_cast<float>(clamped & 0xffff) * (1.0f / 65536.0f);
  return tap;
}

float sample(const Component& c, std::int32_t u, std::int32_t v) {
  const Tap x = tap_at(u, c.width);
  const Tap y = tap_at(v, c.height);
  const auto across = [&](std::ptrdiff_t line) {
    const std::uint8_t* from = c.first + c.stride * line;
    const float a = from[x.low * c.step];
    const float b = from[x.high * c.step];
    return a + (b - a) * x.part;
  };
  const float a = across(y.low);
  return a + (across(y.high) - a) * y.part;
}

}  // namespace

void warp_run_scalar(const WarpRun& run) {
  std::int32_t u = run.u;
  std::int32_t v = run.v;
  for (int i = 0; i < run.count; ++i) {
    run.out[i] = sample(run.from, u, v);
    // The step after the last sample leaves the picture and could overflow.
    if (i + 1 < run.count) u += run.du, v += run.dv;
  }
}

void warp_line_scalar(const WarpLine& line) {
  const Colour& c = line.colour;
  std::uint8_t* out = line.out;
  for (int i = 0; i < line.count; ++i, out += 3) {
    if (line.rgb) {
      for (std::size_t k = 0; k < 3; ++k) out[k] = to_level(line.component[k][i]);
      continue;
    }
    const float luma = c.gain * (line.component[0][i] - c.offset);
    const float u = line.component[1][i] - 128.0f;
    const float v = line.component[2][i] - 128.0f;
    out[0] = to_level(luma + c.rv * v);
    out[1] = to_level(luma - c.gu * u - c.gv * v);
    out[2] = to_level(luma + c.bu * u);
  }
}

}  // namespace sightline::pixels
