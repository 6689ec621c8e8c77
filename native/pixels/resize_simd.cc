// to_rgb() with Google Highway, compiled once per instruction set by foreach_target; held against resize_scalar.cc.
//
// Per output line: a vertical pass over whole plane lines (8-bit samples times 16-bit weights -> 7 fraction bits), a split of
// interleaved components, a horizontal pass with pair-wise multiply-add, then colour at output resolution.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "resize_simd.cc"
#include "hwy/foreach_target.h"  // must come before highway.h
#include "hwy/highway.h"

#include "kernels.hpp"
#include "resize_simd_passes-inl.hpp"

#if HWY_TARGET == HWY_SSE4 || HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
HWY_BEFORE_NAMESPACE();
namespace sightline::pixels::HWY_NAMESPACE {

/// Vertical pass and split for components 1 and 2 (or the shared plane that holds them); sets `c` to their lines.
void ChromaLines(const ResizeJob& job, int y, const std::int16_t* c[3]) {
  const ImageView& src = *job.src;
  const Scratch& s = job.scratch;
  const int width = job.chroma_columns->in;
  if (src.layout == Layout::nv12) {
    BlendRows(src.plane[1], src.stride[1], width * 2, *job.chroma_rows, y, s.wide[1]);
    Split2(s.wide[1], width, s.split[1], s.split[2]);
    c[1] = s.split[1];
    c[2] = s.split[2];
    return;
  }
  for (std::size_t k = 1; k < 3; ++k) {
    BlendRows(src.plane[k], src.stride[k], width, *job.chroma_rows, y, s.wide[k]);
    c[k] = s.wide[k];
  }
}

/// Vertical pass and split of all components for output line `y`.
void SourceLines(const ResizeJob& job, int y, const std::int16_t* c[3]) {
  const ImageView& src = *job.src;
  const Scratch& s = job.scratch;
  const int width = job.columns->in;
  switch (src.layout) {
    case Layout::rgb24:
    case Layout::bgr24: {
      BlendRows(src.plane[0], src.stride[0], width * 3, *job.rows, y, s.wide[0]);
      const bool swap = src.layout == Layout::bgr24;
      Split3(s.wide[0], width, s.split[swap ? 2 : 0], s.split[1], s.split[swap ? 0 : 2]);
      for (std::size_t k = 0; k < 3; ++k) c[k] = s.split[k];
      return;
    }
    case Layout::yuyv422: {
      const int groups = (width + 1) / 2;
      BlendRows(src.plane[0], src.stride[0], groups * 4, *job.rows, y, s.wide[0]);
      // Y U Y V -> Y Y and U V, then U V apart.
      Split2(s.wide[0], groups * 2, s.split[0], s.wide[1]);
      Split2(s.wide[1], groups, s.split[1], s.split[2]);
      for (std::size_t k = 0; k < 3; ++k) c[k] = s.split[k];
      return;
    }
    default:
      BlendRows(src.plane[0], src.stride[0], width, *job.rows, y, s.wide[0]);
      c[0] = s.wide[0];
      if (src.layout != Layout::gray8) ChromaLines(job, y, c);
  }
}

void Resize(const ResizeJob& job) {
  const Layout layout = job.src->layout;
  const bool gray = layout == Layout::gray8;
  const Scratch& s = job.scratch;
  for (int y = 0; y < job.height; ++y) {
    const std::int16_t* c[3] = {nullptr, nullptr, nullptr};
    SourceLines(job, y, c);
    if (!job.columns->copy) {
      Columns(*job.columns, c[0], s.line[0]);
      c[0] = s.line[0];
    }
    if (!gray && !job.chroma_columns->copy) {
      Columns(*job.chroma_columns, c[1], s.line[1]);
      Columns(*job.chroma_columns, c[2], s.line[2]);
      c[1] = s.line[1];
      c[2] = s.line[2];
    }
    std::uint8_t* out = job.first + job.stride * y;
    if (is_rgb(layout)) {
      PackRgb(c[0], c[1], c[2], job.width, out);
    } else if (gray) {
      GrayToRgb(c[0], job.width, job.colour, out);
    } else {
      YuvToRgb(c[0], c[1], c[2], job.width, job.colour, out);
    }
  }
}

}  // namespace sightline::pixels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#if HWY_ONCE
namespace sightline::pixels {

void find_simd_resize([[maybe_unused]] std::string_view name, [[maybe_unused]] Kernels* to) {
#if HWY_TARGETS & HWY_AVX3
  if (name == "avx512") to->resize = &N_AVX3::Resize;
#endif
#if HWY_TARGETS & HWY_AVX2
  if (name == "avx2") to->resize = &N_AVX2::Resize;
#endif
#if HWY_TARGETS & HWY_SSE4
  if (name == "sse4") to->resize = &N_SSE4::Resize;
#endif
#if HWY_TARGETS & HWY_NEON
  if (name == "neon") to->resize = &N_NEON::Resize;
#endif
}

}  // namespace sightline::pixels
#endif
