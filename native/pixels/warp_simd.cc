// The sampling of warp_rgb() with Google Highway, compiled once per instruction set; held against warp_scalar.cc.
//
// Samples are fetched four bytes at a time, a sample and its neighbour at once, never outside the line they lie in. The chroma of
// yuyv422 (neighbours five bytes apart) and pictures too small for a four-byte fetch take the scalar way.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "warp_simd.cc"
#include "hwy/foreach_target.h"  // must come before highway.h
#include "hwy/highway.h"

#include <cstdlib>
#include <cstring>

#include "kernels.hpp"

#if HWY_TARGET == HWY_SSE4 || HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
HWY_BEFORE_NAMESPACE();
namespace sightline::pixels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DI32 = hn::ScalableTag<std::int32_t>;
using DF32 = hn::ScalableTag<float>;
using VI32 = hn::Vec<DI32>;
using VF32 = hn::Vec<DF32>;

/// Four bytes at each byte offset.
HWY_INLINE VI32 Fetch(const std::uint8_t* base, VI32 offset) {
  const DI32 d;
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  return hn::GatherOffset(d, reinterpret_cast<const std::int32_t*>(base), offset);
#else
  HWY_ALIGN std::int32_t at[hn::MaxLanes(d)];
  HWY_ALIGN std::int32_t value[hn::MaxLanes(d)];
  hn::Store(offset, d, at);
  for (std::size_t i = 0; i < hn::Lanes(d); ++i) std::memcpy(&value[i], base + at[i], 4);
  return hn::Load(d, value);
#endif
}

struct Taps {
  VI32 low;   ///< the lower of two neighbouring samples
  VF32 part;  ///< how far from it to the next, 0..1
};

/// `position` is 16.16. low is at most samples - 2, so that its neighbour exists; the last sample is then all `part`.
HWY_INLINE Taps TapsAt(VI32 position, int samples) {
  const DI32 d;
  const VI32 centred = hn::Sub(position, hn::Set(d, 32768));
  const VI32 clamped = hn::Min(hn::Max(centred, hn::Zero(d)), hn::Set(d, (samples - 1) * 65536));
  const VI32 low = hn::Min(hn::ShiftRight<16>(clamped), hn::Set(d, samples - 2));
  const VI32 rest = hn::Sub(clamped, hn::ShiftLeft<16>(low));
  return {low, hn::Mul(hn::ConvertTo(DF32(), rest), hn::Set(DF32(), 1.0f / 65536.0f))};
}

template <int byte>
HWY_INLINE VF32 Byte(VI32 word) {
  return hn::ConvertTo(DF32(), hn::And(hn::ShiftRight<byte * 8>(word), hn::Set(DI32(), 255)));
}

HWY_INLINE VF32 Between(VF32 a, VF32 b, VF32 part) { return hn::MulAdd(hn::Sub(b, a), part, a); }

/// A word holds a sample and, `step` bytes on, its neighbour.
template <int step>
void RunOf(const WarpRun& run) {
  const DI32 d;
  const Component& c = run.from;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const VI32 line = hn::Set(d, static_cast<std::int32_t>(c.stride));
  // Near the right edge the four bytes start further left, and the wanted ones are shifted down.
  const VI32 last_start = hn::Set(d, (c.width - 1) * step + 1 - 4);
  const VI32 step_u = hn::Set(d, run.du);
  const VI32 step_v = hn::Set(d, run.dv);
  VI32 u = hn::Add(hn::Set(d, run.u), hn::Mul(hn::Iota(d, 0), step_u));
  VI32 v = hn::Add(hn::Set(d, run.v), hn::Mul(hn::Iota(d, 0), step_v));
  // Lanes past the end of the run are clamped into the picture like all others; what they sample is not used.
  for (int i = 0; i < run.count; i += lanes) {
    const Taps x = TapsAt(u, c.width);
    const Taps y = TapsAt(v, c.height);
    const VI32 wanted = hn::Mul(x.low, hn::Set(d, step));
    const VI32 start = hn::Min(wanted, last_start);
    const VI32 shift = hn::ShiftLeft<3>(hn::Sub(wanted, start));
    const VI32 upper_line = hn::Add(hn::Mul(y.low, line), start);
    const VI32 upper = hn::Shr(Fetch(c.first, upper_line), shift);
    const VI32 lower = hn::Shr(Fetch(c.first, hn::Add(upper_line, line)), shift);
    const VF32 a = Between(Byte<0>(upper), Byte<step>(upper), x.part);
    const VF32 b = Between(Byte<0>(lower), Byte<step>(lower), x.part);
    hn::StoreU(Between(a, b, y.part), DF32(), run.out + i);
    u = hn::Add(u, hn::Mul(hn::Set(d, lanes), step_u));
    v = hn::Add(v, hn::Mul(hn::Set(d, lanes), step_v));
  }
}

void Run(const WarpRun& run) {
  const Component& c = run.from;
  // Every line needs four bytes to fetch, every sample a neighbour, and byte offsets must fit 32 bits.
  const bool fetchable = (c.width - 1) * c.step + 1 >= 4 && c.width >= 2 && c.height >= 2 &&
                         std::llabs(c.stride) * c.height < (std::int64_t{1} << 31);
  if (!fetchable) return warp_run_scalar(run);
  switch (c.step) {
    case 1: return RunOf<1>(run);
    case 2: return RunOf<2>(run);
    case 3: return RunOf<3>(run);
    default: return warp_run_scalar(run);
  }
}

void Line(const WarpLine& line) {
  const DF32 d;
  const hn::Rebind<std::uint8_t, DF32> d8;
  const Colour& c = line.colour;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const auto level = [=](VF32 value) HWY_ATTR {
    const VF32 clamped = hn::Min(hn::Max(value, hn::Zero(d)), hn::Set(d, 255.0f));
    return hn::DemoteTo(d8, hn::ConvertTo(DI32(), hn::Add(clamped, hn::Set(d, 0.5f))));
  };
  for (int i = 0; i < line.count; i += lanes) {
    VF32 r = hn::LoadU(d, line.component[0] + i);
    VF32 g = hn::LoadU(d, line.component[1] + i);
    VF32 b = hn::LoadU(d, line.component[2] + i);
    if (!line.rgb) {
      const VF32 luma = hn::Mul(hn::Sub(r, hn::Set(d, c.offset)), hn::Set(d, c.gain));
      const VF32 u = hn::Sub(g, hn::Set(d, 128.0f));
      const VF32 v = hn::Sub(b, hn::Set(d, 128.0f));
      r = hn::MulAdd(v, hn::Set(d, c.rv), luma);
      g = hn::MulAdd(u, hn::Set(d, -c.gu), hn::MulAdd(v, hn::Set(d, -c.gv), luma));
      b = hn::MulAdd(u, hn::Set(d, c.bu), luma);
    }
    if (line.count - i >= lanes) {
      hn::StoreInterleaved3(level(r), level(g), level(b), d8, line.out + 3 * i);
    } else {
      std::uint8_t whole[3 * hn::MaxLanes(d)];
      hn::StoreInterleaved3(level(r), level(g), level(b), d8, whole);
      std::memcpy(line.out + 3 * i, whole, static_cast<std::size_t>(line.count - i) * 3);
    }
  }
}

}  // namespace sightline::pixels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#if HWY_ONCE
namespace sightline::pixels {

void find_simd_warp([[maybe_unused]] std::string_view name, [[maybe_unused]] Kernels* to) {
#if HWY_TARGETS & HWY_AVX3
  if (name == "avx512") to->warp_run = &N_AVX3::Run, to->warp_line = &N_AVX3::Line;
#endif
#if HWY_TARGETS & HWY_AVX2
  if (name == "avx2") to->warp_run = &N_AVX2::Run, to->warp_line = &N_AVX2::Line;
#endif
#if HWY_TARGETS & HWY_SSE4
  if (name == "sse4") to->warp_run = &N_SSE4::Run, to->warp_line = &N_SSE4::Line;
#endif
#if HWY_TARGETS & HWY_NEON
  if (name == "neon") to->warp_run = &N_NEON::Run, to->warp_line = &N_NEON::Line;
#endif
}

}  // namespace sightline::pixels
#endif
