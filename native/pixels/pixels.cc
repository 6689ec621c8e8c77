// The public entry points: check the arguments, write the padding, look up the axes, hand over to the active kernels.
#include "pixels.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels.hpp"

namespace sightline::pixels {
namespace {

using std::size_t;

constexpr size_t line_slack = 128;  ///< samples a kernel may read or write past a scratch line

[[noreturn]] void refuse(const std::string& what) { throw std::invalid_argument("pixels: " + what); }

std::string size_text(int width, int height) { return std::to_string(width) + "x" + std::to_string(height); }

int plane_count(Layout layout) {
  switch (layout) {
    case Layout::i420:
    case Layout::i422:
    case Layout::i444: return 3;
    case Layout::nv12: return 2;
    default: return 1;
  }
}

void check(const ImageView& src, std::span<const std::uint8_t> dst, int dst_w, int dst_h) {
  if (src.width < 1 || src.height < 1 || src.width > source_max || src.height > source_max) {
    refuse("expected a source of 1x1 to 8192x8192, received " + size_text(src.width, src.height));
  }
  if (dst_w < 1 || dst_h < 1 || dst_w > destination_max || dst_h > destination_max) {
    refuse("expected a destination of 1x1 to 8192x8192, received " + size_text(dst_w, dst_h));
  }
  const size_t bytes = static_cast<size_t>(dst_w) * static_cast<size_t>(dst_h) * 3;
  if (dst.size() != bytes) {
    refuse("expected " + std::to_string(bytes) + " destination bytes for " + size_text(dst_w, dst_h) + ", received " +
           std::to_string(dst.size()));
  }
  for (size_t i = 0; i < static_cast<size_t>(plane_count(src.layout)); ++i) {
    if (src.plane[i] == nullptr) refuse("plane " + std::to_string(i) + " of the source is missing");
  }
}

/// Fills everything outside the used region.
void write_padding(std::uint8_t* dst, int dst_w, int dst_h, const Placement& at, std::uint8_t pad) {
  const size_t line = static_cast<size_t>(dst_w) * 3;
  const auto fill = [pad](std::uint8_t* from, size_t bytes) {
    if (bytes > 0) std::memset(from, pad, bytes);
  };
  if (at.width == 0 || at.height == 0) return fill(dst, line * static_cast<size_t>(dst_h));
  fill(dst, line * static_cast<size_t>(at.y));
  const size_t left = static_cast<size_t>(at.x) * 3;
  const size_t right = static_cast<size_t>(dst_w - at.x - at.width) * 3;
  for (int y = at.y; y < at.y + at.height && left + right > 0; ++y) {
    std::uint8_t* row = dst + line * static_cast<size_t>(y);
    fill(row, left);
    fill(row + line - right, right);
  }
  const int below = dst_h - at.y - at.height;
  fill(dst + line * static_cast<size_t>(dst_h - below), line * static_cast<size_t>(below));
}

/// This thread's scratch lines; grows to the largest picture seen, at most about 0.2 MB (8192 wide, interleaved).
Scratch scratch_lines(int src_w, int dst_w) {
  thread_local std::vector<std::int16_t> memory;
  const size_t wide = static_cast<size_t>(src_w + 1) * 3 + line_slack;
  const size_t half = static_cast<size_t>(src_w + 1) + line_slack;
  const size_t out = static_cast<size_t>(dst_w) + line_slack;
  const size_t need = wide + 2 * half + 3 * half + 3 * out;
  if (memory.size() < need) memory.assign(need, 0);
  Scratch s;
  std::int16_t* next = memory.data();
  const auto take = [&next](size_t samples) {
    std::int16_t* line = next;
    next += samples;
    return line;
  };
  s.wide = {take(wide), take(half), take(half)};
  for (std::int16_t*& line : s.split) line = take(half);
  for (std::int16_t*& line : s.line) line = take(out);
  return s;
}

int subsample_x(Layout layout) {
  return layout == Layout::i420 || layout == Layout::i422 || layout == Layout::nv12 || layout == Layout::yuyv422 ? 2 : 1;
}
int subsample_y(Layout layout) { return layout == Layout::i420 || layout == Layout::nv12 ? 2 : 1; }

}  // namespace

int component_count(Layout layout) { return layout == Layout::gray8 ? 1 : 3; }

Component component_of(const ImageView& src, int index) {
  Component c;
  c.subsample_x = index == 0 ? 1 : subsample_x(src.layout);
  c.subsample_y = index == 0 ? 1 : subsample_y(src.layout);
  c.width = (src.width + c.subsample_x - 1) / c.subsample_x;
  c.height = (src.height + c.subsample_y - 1) / c.subsample_y;
  size_t plane = 0;
  int offset = 0;
  switch (src.layout) {
    case Layout::rgb24: c.step = 3; offset = index; break;
    case Layout::bgr24: c.step = 3; offset = 2 - index; break;
    case Layout::yuyv422: c.step = index == 0 ? 2 : 4; offset = index == 0 ? 0 : index * 2 - 1; break;
    case Layout::nv12:
      if (index > 0) plane = 1, c.step = 2, offset = index - 1;
      break;
    default: plane = static_cast<size_t>(index);
  }
  c.first = src.plane[plane] + offset;
  c.stride = src.stride[plane];
  return c;
}

Placement place(int src_w, int src_h, int dst_w, int dst_h, Fit fit) {
  if (src_w < 1 || src_h < 1 || dst_w < 1 || dst_h < 1) {
    refuse("place() expected sizes of at least 1x1, received " + size_text(src_w, src_h) + " into " + size_text(dst_w, dst_h));
  }
  Placement at;
  at.width = dst_w;
  at.height = dst_h;
  if (fit == Fit::letterbox) {
    const std::int64_t across = std::int64_t{dst_w} * src_h;  // dst_w / src_w against dst_h / src_h, multiplied out
    const std::int64_t down = std::int64_t{dst_h} * src_w;
    if (across < down) {
      at.height = static_cast<int>(std::max<std::int64_t>(1, (across * 2 + src_w) / (std::int64_t{2} * src_w)));
    } else {
      at.width = static_cast<int>(std::max<std::int64_t>(1, (down * 2 + src_h) / (std::int64_t{2} * src_h)));
    }
  }
  at.x = (dst_w - at.width) / 2;
  at.y = (dst_h - at.height) / 2;
  at.scale_x = static_cast<float>(at.width) / static_cast<float>(src_w);
  at.scale_y = static_cast<float>(at.height) / static_cast<float>(src_h);
  return at;
}

void to_rgb(const ImageView& src, std::span<std::uint8_t> dst, int dst_w, int dst_h, const Placement& at, std::uint8_t pad) {
  check(src, dst, dst_w, dst_h);
  if (at.x < 0 || at.y < 0 || at.width < 0 || at.height < 0 || at.width > dst_w - at.x || at.height > dst_h - at.y) {
    refuse("expected a placement inside " + size_text(dst_w, dst_h) + ", received " + size_text(at.width, at.height) + " at " +
           std::to_string(at.x) + "," + std::to_string(at.y));
  }
  const Kernels& kernels = active_kernels();
  write_padding(dst.data(), dst_w, dst_h, at, pad);
  if (at.width == 0 || at.height == 0) return;
  ResizeJob job;
  job.src = &src;
  job.stride = static_cast<std::ptrdiff_t>(dst_w) * 3;
  job.first = dst.data() + job.stride * at.y + static_cast<std::ptrdiff_t>(at.x) * 3;
  job.width = at.width;
  job.height = at.height;
  job.colour = colour_of(src);
  const int sx = subsample_x(src.layout);
  const int sy = subsample_y(src.layout);
  job.columns = &cached_axis({src.width, 1, at.width, AxisUse::columns});
  job.rows = &cached_axis({src.height, 1, at.height, AxisUse::rows});
  job.chroma_columns = sx == 1 ? job.columns : &cached_axis({src.width, sx, at.width, AxisUse::columns});
  job.chroma_rows = sy == 1 ? job.rows : &cached_axis({src.height, sy, at.height, AxisUse::rows});
  // A chroma axis never has more taps than its luma axis, so these two decide.
  if (!job.columns->fixed() || !job.rows->fixed()) return resize_scalar(job);
  if (kernels.resize != &resize_scalar) job.scratch = scratch_lines(src.width, at.width);
  kernels.resize(job);
}

void warp_rgb(const ImageView& src, std::span<std::uint8_t> dst, int dst_w, int dst_h, const std::array<float, 6>& m,
              std::uint8_t pad) {
  check(src, dst, dst_w, dst_h);
  for (size_t i = 0; i < m.size(); ++i) {
    const float limit = i % 3 == 2 ? 1e7f : 16384.0f;
    if (!(std::abs(m[i]) <= limit)) {
      refuse("expected m[" + std::to_string(i) + "] within +-" + std::to_string(limit) + ", received " + std::to_string(m[i]));
    }
  }
  warp_image(active_kernels(), src, dst.data(), dst_w, dst_h, m, pad);
}

}  // namespace sightline::pixels
