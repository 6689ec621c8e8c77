// The specification of to_rgb(), in plain C++ and single precision; always compiled, and what every SIMD kernel is held against
// (8-bit results within 1 level). It also serves the resizes that shrink too much for 16-bit arithmetic.
//
//   pixel centres  output (i, j) covers the source interval [i*s, (i+1)*s) per axis, edges at integers; see axis.hpp
//   chroma         centred between the luma samples it belongs to (as in JPEG and MPEG-1); resampled from its own resolution
//   order          vertical, horizontal, colour; nothing is rounded before the end
//   borders        edge samples repeat
//   rounding       once, to the nearest level, halves up, clamped to 0..255
#include <algorithm>
#include <array>
#include <vector>

#include "kernels.hpp"

namespace sightline::pixels {
namespace {

using std::size_t;

/// Vertical pass of one component for output line `y`: tall[x] = sum of weight * sample.
void weigh_rows(const Component& c, const Axis& rows, int y, float* tall) {
  const size_t i = static_cast<size_t>(y);
  const std::uint8_t* line = c.first + c.stride * rows.first[i];
  const float* weight = &rows.weight[i * static_cast<size_t>(rows.taps)];
  std::fill(tall, tall + c.width, 0.0f);
  for (int t = 0; t < rows.count[i]; ++t, line += c.stride) {
    const float w = weight[t];
    if (c.step == 1) {
      for (int x = 0; x < c.width; ++x) tall[x] += w * static_cast<float>(line[x]);
    } else {
      const std::ptrdiff_t step = c.step;
      for (int x = 0; x < c.width; ++x) tall[x] += w * static_cast<float>(line[x * step]);
    }
  }
}

/// Horizontal pass: out[i] = sum of weight * tall[x].
void weigh_columns(const float* tall, const Axis& columns, float* out) {
  for (size_t i = 0; i < static_cast<size_t>(columns.key.out); ++i) {
    const float* from = tall + columns.first[i];
    const float* weight = &columns.weight[i * static_cast<size_t>(columns.taps)];
    float sum = 0;
    for (int t = 0; t < columns.count[i]; ++t) sum += weight[t] * from[t];
    out[i] = sum;
  }
}

void write_line(const ResizeJob& job, const std::array<std::vector<float>, 3>& line, int components, std::uint8_t* out) {
  const Colour& c = job.colour;
  const bool rgb = is_rgb(job.src->layout);
  for (size_t x = 0; x < static_cast<size_t>(job.width); ++x, out += 3) {
    if (rgb) {
      for (size_t k = 0; k < 3; ++k) out[k] = to_level(line[k][x]);
      continue;
    }
    const float luma = c.gain * (line[0][x] - c.offset);
    const float u = components == 3 ? line[1][x] - 128.0f : 0.0f;
    const float v = components == 3 ? line[2][x] - 128.0f : 0.0f;
    out[0] = to_level(luma + c.rv * v);
    out[1] = to_level(luma - c.gu * u - c.gv * v);
    out[2] = to_level(luma + c.bu * u);
  }
}

}  // namespace

void resize_scalar(const ResizeJob& job) {
  const int components = component_count(job.src->layout);
  std::array<Component, 3> component;
  std::array<std::vector<float>, 3> line;
  std::vector<float> tall(static_cast<size_t>(job.columns->in) + 1);
  for (int k = 0; k < components; ++k) {
    component[static_cast<size_t>(k)] = component_of(*job.src, k);
    line[static_cast<size_t>(k)].resize(static_cast<size_t>(job.width));
  }
  for (int y = 0; y < job.height; ++y) {
    for (size_t k = 0; k < static_cast<size_t>(components); ++k) {
      weigh_rows(component[k], k == 0 ? *job.rows : *job.chroma_rows, y, tall.data());
      weigh_columns(tall.data(), k == 0 ? *job.columns : *job.chroma_columns, line[k].data());
    }
    write_line(job, line, components, job.first + job.stride * y);
  }
}

}  // namespace sightline::pixels
