// warp_rgb(): which part of each destination line lies inside the picture, where each component is read, and the reduction of
// crops that shrink.
//
// A crop that shrinks by more than 2 along a source axis is first reduced along that axis by a whole factor, as the mean of
// boxes, so that every source pixel counts and what is left to the bilinear sampling shrinks by less than 2. Each component has
// its own factors: half-resolution chroma needs half the reduction. The reduction is the same code on every target.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "kernels.hpp"

namespace sightline::pixels {
namespace {

using std::int64_t;
using std::size_t;

constexpr size_t line_slack = 16;                ///< what kernels may touch past a line
constexpr size_t kept_bytes_max = 4u << 20;      ///< reduced pictures larger than this are freed after the call

/// Where a component is read: sample = (luma position / subsample - origin) / factor.
struct Source {
  Component component;
  double scale_x = 1, scale_y = 1;    ///< samples per luma pixel
  double origin_x = 0, origin_y = 0;  ///< samples
};

struct Box {
  int left = 0, top = 0, right = 0, bottom = 0;
};

int factor_for(double step) { return step <= 2.0 ? 1 : static_cast<int>(step); }

/// The samples of `c` that the destination can read, with a margin of two reduced samples.
Box reach(const Component& c, int dst_w, int dst_h, const std::array<float, 6>& m, int factor_x, int factor_y) {
  const auto range = [&](double a, double b, double origin, int subsample, int factor, int samples, int* low, int* high) {
    const double across = a * dst_w;
    const double down = b * dst_h;
    const double least = (origin + std::min(across, 0.0) + std::min(down, 0.0)) / subsample - 2.0 * factor;
    const double most = (origin + std::max(across, 0.0) + std::max(down, 0.0)) / subsample + 2.0 * factor;
    *low = static_cast<int>(std::clamp(std::floor(least), 0.0, static_cast<double>(samples - 1)));
    *high = static_cast<int>(std::clamp(std::ceil(most), *low + 1.0, static_cast<double>(samples)));
  };
  Box box;
  range(m[0], m[1], m[2], c.subsample_x, factor_x, c.width, &box.left, &box.right);
  range(m[3], m[4], m[5], c.subsample_y, factor_y, c.height, &box.top, &box.bottom);
  return box;
}

/// Adds `count` samples, `step` bytes apart, to 16-bit sums; the caller adds at most 257 lines.
void add_line(const std::uint8_t* from, int step, size_t count, std::uint16_t* __restrict to) {
  if (step == 1) {
    for (size_t x = 0; x < count; ++x) to[x] = static_cast<std::uint16_t>(to[x] + from[x]);
  } else {
    for (size_t x = 0; x < count; ++x, from += step) to[x] = static_cast<std::uint16_t>(to[x] + *from);
  }
}

/// Adds the sums of `boxes` whole boxes of `factor` neighbours to `total`. Small factors are compiled in, which is what makes it fast.
template <int compiled>
void add_boxes(const std::uint16_t* __restrict from, int factor, size_t boxes, float* __restrict total) {
  const int count = compiled > 0 ? compiled : factor;
  for (size_t x = 0; x < boxes; ++x, from += count) {
    int sum = 0;
    for (int k = 0; k < count; ++k) sum += from[k];
    total[x] += static_cast<float>(sum);
  }
}

using AddBoxes = void (*)(const std::uint16_t*, int, size_t, float*);
AddBoxes add_boxes_for(int factor) {
  switch (factor) {
    case 1: return &add_boxes<1>;
    case 2: return &add_boxes<2>;
    case 3: return &add_boxes<3>;
    case 4: return &add_boxes<4>;
    case 5: return &add_boxes<5>;
    case 6: return &add_boxes<6>;
    default: return &add_boxes<0>;
  }
}

/// Means of factor_x * factor_y boxes, nearest level; boxes cut off by the edge of the picture are means of what is there.
void reduce(const Component& c, const Box& box, int factor_x, int factor_y, std::uint8_t* out, int out_w, int out_h) {
  constexpr int lines_max = 257;  // 257 * 255 fits 16 bits
  const size_t width = static_cast<size_t>(box.right - box.left);
  const size_t whole_boxes = width / static_cast<size_t>(factor_x);
  const size_t rest = width % static_cast<size_t>(factor_x);
  const AddBoxes add_whole = add_boxes_for(factor_x);
  thread_local std::vector<std::uint16_t> column;  // at most 16 KB
  thread_local std::vector<float> total;           // at most 32 KB
  for (int y = 0; y < out_h; ++y) {
    const int top = box.top + y * factor_y;
    const int bottom = std::min(top + factor_y, box.bottom);
    total.assign(static_cast<size_t>(out_w), 0.0f);
    for (int part = top; part < bottom; part += lines_max) {
      column.assign(width, 0);
      for (int line = part; line < std::min(part + lines_max, bottom); ++line) {
        add_line(c.first + c.stride * line + static_cast<std::ptrdiff_t>(box.left) * c.step, c.step, width, column.data());
      }
      add_whole(column.data(), factor_x, whole_boxes, total.data());
      if (rest > 0) add_boxes<0>(column.data() + width - rest, static_cast<int>(rest), 1, &total.back());
    }
    const float whole = 1.0f / static_cast<float>(factor_x * (bottom - top));
    for (size_t x = 0; x < whole_boxes; ++x) *out++ = to_level(total[x] * whole);
    if (rest > 0) *out++ = to_level(total.back() / static_cast<float>(static_cast<int>(rest) * (bottom - top)));
  }
}

/// Prepares the components; reduced ones live in `memory`.
std::array<Source, 3> sources_of(const ImageView& src, int dst_w, int dst_h, const std::array<float, 6>& m,
                                 std::vector<std::uint8_t>& memory) {
  struct Plan {
    int factor_x = 1, factor_y = 1, width = 0, height = 0;
    Box box;
    size_t at = 0;
  };
  std::array<Source, 3> sources;
  std::array<Plan, 3> plans;
  const double step_x = std::hypot(m[0], m[1]);
  const double step_y = std::hypot(m[3], m[4]);
  const size_t components = static_cast<size_t>(component_count(src.layout));
  size_t bytes = 0;
  for (size_t k = 0; k < components; ++k) {
    const Component c = component_of(src, static_cast<int>(k));
    Plan& p = plans[k];
    p.factor_x = std::min(factor_for(step_x / c.subsample_x), c.width);
    p.factor_y = std::min(factor_for(step_y / c.subsample_y), c.height);
    sources[k] = {c, 1.0 / c.subsample_x, 1.0 / c.subsample_y, 0, 0};
    if (p.factor_x == 1 && p.factor_y == 1) continue;
    p.box = reach(c, dst_w, dst_h, m, p.factor_x, p.factor_y);
    p.width = (p.box.right - p.box.left + p.factor_x - 1) / p.factor_x;
    p.height = (p.box.bottom - p.box.top + p.factor_y - 1) / p.factor_y;
    p.at = bytes;
    bytes += static_cast<size_t>(p.width) * static_cast<size_t>(p.height);
  }
  if (memory.size() < bytes) memory.resize(bytes);
  for (size_t k = 0; k < components; ++k) {
    const Plan& p = plans[k];
    if (p.factor_x == 1 && p.factor_y == 1) continue;
    Source& s = sources[k];
    reduce(s.component, p.box, p.factor_x, p.factor_y, memory.data() + p.at, p.width, p.height);
    s.component.first = memory.data() + p.at;
    s.component.stride = p.width;
    s.component.step = 1;
    s.component.width = p.width;
    s.component.height = p.height;
    s.scale_x /= p.factor_x;
    s.scale_y /= p.factor_y;
    s.origin_x = static_cast<double>(p.box.left) / p.factor_x;
    s.origin_y = static_cast<double>(p.box.top) / p.factor_y;
  }
  return sources;
}

/// The destination pixels of a line whose centres lie in [0, limit) along one source axis; narrows [*from, *to).
void inside(double start, double step, double limit, int* from, int* to) {
  const auto is_inside = [&](int x) {
    const double position = start + step * x;
    return position >= 0.0 && position < limit;
  };
  if (step == 0.0) {
    if (!is_inside(0)) *to = *from;
    return;
  }
  const double enter = (step > 0.0 ? 0.0 - start : limit - start) / step;
  const double leave = (step > 0.0 ? limit - start : 0.0 - start) / step;
  // The divisions may be off by one pixel; the test itself decides.
  int low = static_cast<int>(std::clamp(std::floor(enter) - 1.0, static_cast<double>(*from), static_cast<double>(*to)));
  int high = static_cast<int>(std::clamp(std::ceil(leave) + 1.0, static_cast<double>(*from), static_cast<double>(*to)));
  while (low < high && !is_inside(low)) ++low;
  while (high > low && !is_inside(high - 1)) --high;
  *from = low;
  *to = high;
}

std::int32_t fixed(double position) {
  return static_cast<std::int32_t>(std::lround(std::clamp(position, -32000.0, 32000.0) * 65536.0));
}

}  // namespace

void warp_image(const Kernels& kernels, const ImageView& src, std::uint8_t* dst, int dst_w, int dst_h,
                const std::array<float, 6>& m, std::uint8_t pad) {
  thread_local std::vector<std::uint8_t> reduced;
  thread_local std::vector<float> lines;  // three components of a line, at most 25 KB
  const size_t width = static_cast<size_t>(dst_w) + line_slack;
  lines.assign(width * 3, 128.0f);  // gray has no chroma: neutral
  const std::array<Source, 3> sources = sources_of(src, dst_w, dst_h, m, reduced);
  const size_t components = static_cast<size_t>(component_count(src.layout));
  WarpLine line;
  line.component = {lines.data(), lines.data() + width, lines.data() + 2 * width};
  line.rgb = is_rgb(src.layout);
  line.colour = colour_of(src);
  const size_t line_bytes = static_cast<size_t>(dst_w) * 3;
  for (int y = 0; y < dst_h; ++y, dst += line_bytes) {
    const double u = 0.5 * m[0] + (y + 0.5) * m[1] + m[2];
    const double v = 0.5 * m[3] + (y + 0.5) * m[4] + m[5];
    int from = 0;
    int to = dst_w;
    inside(u, m[0], src.width, &from, &to);
    inside(v, m[3], src.height, &from, &to);
    const size_t left = static_cast<size_t>(from) * 3;
    const size_t right = static_cast<size_t>(to) * 3;
    std::memset(dst, pad, left);
    std::memset(dst + right, pad, line_bytes - right);
    if (from == to) continue;
    for (size_t k = 0; k < components; ++k) {
      const Source& s = sources[k];
      WarpRun run;
      run.from = s.component;
      run.u = fixed((u + from * double{m[0]}) * s.scale_x - s.origin_x);
      run.v = fixed((v + from * double{m[3]}) * s.scale_y - s.origin_y);
      run.du = fixed(m[0] * s.scale_x);
      run.dv = fixed(m[3] * s.scale_y);
      run.count = to - from;
      run.out = lines.data() + k * width;
      kernels.warp_run(run);
    }
    line.count = to - from;
    line.out = dst + left;
    kernels.warp_line(line);
  }
  if (reduced.size() > kept_bytes_max) std::vector<std::uint8_t>().swap(reduced);
}

}  // namespace sightline::pixels
