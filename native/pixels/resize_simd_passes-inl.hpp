// The passes of resize_simd.cc over one line. Included once per instruction set.
//
// Lines hold signed 16-bit samples with 7 fraction bits and may be read 128 samples past their end; planes are never read
// past the samples they have.
#if defined(SIGHTLINE_RESIZE_PASSES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef SIGHTLINE_RESIZE_PASSES_INL
#undef SIGHTLINE_RESIZE_PASSES_INL
#else
#define SIGHTLINE_RESIZE_PASSES_INL
#endif

#include <cstring>

#include "hwy/highway.h"
#include "kernels.hpp"

#if HWY_TARGET == HWY_SSE4 || HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
HWY_BEFORE_NAMESPACE();
namespace sightline::pixels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D8 = hn::ScalableTag<std::uint8_t>;
using DU16 = hn::ScalableTag<std::uint16_t>;
using DI16 = hn::ScalableTag<std::int16_t>;
using V8 = hn::Vec<D8>;
using VU16 = hn::Vec<DU16>;
using VI16 = hn::Vec<DI16>;

// ---- vertical pass

/// Stores 16-bit samples that InterleaveLower/Upper left in 128-bit block order.
HWY_INLINE void StoreWidened(VU16 low, VU16 high, std::int16_t* out) {
  const DU16 d;
  std::uint16_t* to = reinterpret_cast<std::uint16_t*>(out);
#if HWY_TARGET == HWY_AVX3
  const __m512i first = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0);
  const __m512i second = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
  _mm512_storeu_si512(to, _mm512_permutex2var_epi64(low.raw, first, high.raw));
  _mm512_storeu_si512(to + 32, _mm512_permutex2var_epi64(low.raw, second, high.raw));
#elif HWY_TARGET == HWY_AVX2
  hn::StoreU(hn::ConcatLowerLower(d, high, low), d, to);
  hn::StoreU(hn::ConcatUpperUpper(d, high, low), d, to + hn::Lanes(d));
#else
  hn::StoreU(low, d, to);
  hn::StoreU(high, d, to + hn::Lanes(d));
#endif
}

/// `vectors` byte vectors at `from` (a column of `taps` lines) to 16 bits. Lines are short for the hardware prefetcher, so the
/// `ahead` lines that only the next output line needs are asked for now.
template <int vectors>
HWY_INLINE void BlendBlock(const std::uint8_t* HWY_RESTRICT from, std::ptrdiff_t stride, const std::uint16_t* HWY_RESTRICT weight,
                           int taps, int ahead, std::int16_t* HWY_RESTRICT out) {
  const D8 d8;
  const DU16 d16;
  const V8 zero = hn::Zero(d8);
  // (sample << 8) * weight >> 16 truncates; half a unit per tap makes up for it on average.
  const VU16 bias = hn::Set(d16, static_cast<std::uint16_t>(taps / 2));
  VU16 low0 = bias, high0 = bias, low1 = bias, high1 = bias;
  for (int t = 0; t < taps; ++t, from += stride) {
    const VU16 w = hn::Set(d16, weight[t]);
    const V8 a = hn::LoadU(d8, from);
    low0 = hn::Add(low0, hn::MulHigh(hn::BitCast(d16, hn::InterleaveLower(d8, zero, a)), w));
    high0 = hn::Add(high0, hn::MulHigh(hn::BitCast(d16, hn::InterleaveUpper(d8, zero, a)), w));
    if (vectors == 2) {
      const V8 b = hn::LoadU(d8, from + hn::Lanes(d8));
      low1 = hn::Add(low1, hn::MulHigh(hn::BitCast(d16, hn::InterleaveLower(d8, zero, b)), w));
      high1 = hn::Add(high1, hn::MulHigh(hn::BitCast(d16, hn::InterleaveUpper(d8, zero, b)), w));
    }
  }
  StoreWidened(low0, high0, out);
  if (vectors == 2) StoreWidened(low1, high1, out + hn::Lanes(d8));
  for (int t = 0; t < ahead; ++t, from += stride) {
    for (std::size_t x = 0; x < vectors * hn::Lanes(d8); x += 64) __builtin_prefetch(from + x, 0, 2);
  }
}

/// Output line `y` of the vertical pass over `bytes` columns.
void BlendRows(const std::uint8_t* plane, std::ptrdiff_t stride, int bytes, const Axis& rows, int y,
                        std::int16_t* HWY_RESTRICT out) {
  const std::size_t i = static_cast<std::size_t>(y);
  const std::uint8_t* from = plane + stride * rows.first[i];
  const std::uint16_t* weight = rows.row_weight.data() + i * static_cast<std::size_t>(rows.taps);
  const int taps = rows.count[i];
  const int end = rows.first[i] + taps;
  const int ahead = y + 1 < rows.key.out ? rows.first[i + 1] + rows.count[i + 1] - end : 0;
  const int lanes = static_cast<int>(hn::Lanes(D8()));
  int x = 0;
  for (; x + 2 * lanes <= bytes; x += 2 * lanes) BlendBlock<2>(from + x, stride, weight, taps, ahead, out + x);
  for (; x + lanes <= bytes; x += lanes) BlendBlock<1>(from + x, stride, weight, taps, ahead, out + x);
  if (x == bytes) return;
  if (bytes >= lanes) {
    // The last block overlaps the one before it: same results again, and nothing past the line is read.
    BlendBlock<1>(from + bytes - lanes, stride, weight, taps, 0, out + bytes - lanes);
    return;
  }
  for (; x < bytes; ++x) {
    std::uint32_t sum = static_cast<std::uint32_t>(taps / 2);
    for (int t = 0; t < taps; ++t) sum += (std::uint32_t{from[t * stride + x]} * weight[t]) >> 8;
    out[x] = static_cast<std::int16_t>(sum);
  }
}

// ---- split of interleaved components; `count` samples each, what follows in the lines is scratch

void Split2(const std::int16_t* from, int count, std::int16_t* a, std::int16_t* b) {
  const DI16 d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  for (int x = 0; x < count; x += lanes) {
    VI16 va, vb;
    hn::LoadInterleaved2(d, from + 2 * x, va, vb);
    hn::StoreU(va, d, a + x);
    hn::StoreU(vb, d, b + x);
  }
}

void Split3(const std::int16_t* from, int count, std::int16_t* a, std::int16_t* b, std::int16_t* c) {
  const DI16 d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  for (int x = 0; x < count; x += lanes) {
    VI16 va, vb, vc;
    hn::LoadInterleaved3(d, from + 3 * x, va, vb, vc);
    hn::StoreU(va, d, a + x);
    hn::StoreU(vb, d, b + x);
    hn::StoreU(vc, d, c + x);
  }
}

// ---- horizontal pass

using B16 = hn::CappedTag<std::int16_t, 8>;
using B32 = hn::CappedTag<std::int32_t, 4>;
using VB16 = hn::Vec<B16>;
using VB32 = hn::Vec<B32>;

/// Lane i = a[2i] * b[2i] + a[2i + 1] * b[2i + 1].
HWY_INLINE VB32 PairSums(VB16 a, VB16 b) {
#if HWY_TARGET == HWY_NEON
  const int32x4_t low = vmull_s16(vget_low_s16(a.raw), vget_low_s16(b.raw));
  const int32x4_t high = vmull_high_s16(a.raw, b.raw);
  return VB32(vpaddq_s32(low, high));
#else
  return VB32{_mm_madd_epi16(a.raw, b.raw)};
#endif
}

/// Lanes: the sum of each argument's lanes.
HWY_INLINE VB32 SumOfEach(VB32 a, VB32 b, VB32 c, VB32 e) {
  const B32 d;
  const hn::Repartition<std::int64_t, B32> d64;
  const VB32 ab = hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));
  const VB32 ce = hn::Add(hn::InterleaveLower(d, c, e), hn::InterleaveUpper(d, c, e));
  const VB32 low = hn::BitCast(d, hn::InterleaveLower(d64, hn::BitCast(d64, ab), hn::BitCast(d64, ce)));
  const VB32 high = hn::BitCast(d, hn::InterleaveUpper(d64, hn::BitCast(d64, ab), hn::BitCast(d64, ce)));
  return hn::Add(low, high);
}

/// Four outputs of at most `block` taps, a multiple of 8.
HWY_INLINE VB32 Wide4(const std::int16_t* in, const std::int32_t* first, const std::int16_t* weight, int block) {
  const B16 d;
  const B32 d32;
  VB32 sum[4] = {hn::Zero(d32), hn::Zero(d32), hn::Zero(d32), hn::Zero(d32)};
  for (int k = 0; k < 4; ++k) {
    for (int t = 0; t < block; t += 8) {
      sum[k] = hn::Add(sum[k], PairSums(hn::LoadU(d, in + first[k] + t), hn::LoadU(d, weight + k * block + t)));
    }
  }
  return SumOfEach(sum[0], sum[1], sum[2], sum[3]);
}

/// Any axis, eight outputs at a time.
void ColumnsLoaded(const Axis& axis, const std::int16_t* HWY_RESTRICT in, std::int16_t* HWY_RESTRICT out) {
  const B16 d;
  const B32 d32;
  const VB32 half = hn::Set(d32, 1 << (column_weight_bits - 1));
  const std::int32_t* first = axis.first.data();
  const std::int16_t* weight = axis.column_weight.data();
  const int block = axis.block;
  for (int i = 0; i < axis.key.out; i += 8, first += 8, weight += 8 * block) {
    const VB32 a = hn::ShiftRight<column_weight_bits>(hn::Add(Wide4(in, first, weight, block), half));
    const VB32 b = hn::ShiftRight<column_weight_bits>(hn::Add(Wide4(in, first + 4, weight + 4 * block, block), half));
    hn::StoreU(hn::Combine(d, hn::DemoteTo(hn::Half<B16>(), b), hn::DemoteTo(hn::Half<B16>(), a)), d, out + i);
  }
}

// Shuffles work on one half of a group (128 bits) or on both at once (256 bits).
using S16 = hn::CappedTag<std::int16_t, 16>;
using S32 = hn::Repartition<std::int32_t, S16>;
using S8 = hn::Repartition<std::uint8_t, S16>;
using VS16 = hn::Vec<S16>;
using VS32 = hn::Vec<S32>;

/// Eight samples at `in + base[0]` and, with 256 bits, eight more at `in + base[1]`.
HWY_INLINE VS16 LoadWindows(const std::int16_t* in, const std::int32_t* base) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  const hn::Half<S16> half;
  return hn::Combine(S16(), hn::LoadU(half, in + base[1]), hn::LoadU(half, in + base[0]));
#else
  return hn::LoadU(S16(), in + base[0]);
#endif
}

HWY_INLINE VS32 ShuffledPairSums(VS16 a, VS16 b) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  return VS32{_mm256_madd_epi16(a.raw, b.raw)};
#else
  return PairSums(a, b);
#endif
}

/// One half or, with 256 bits, both halves of a group: 4 or 8 outputs.
template <int windows, int steps>
HWY_INLINE void ShuffleOutputs(const std::int16_t* HWY_RESTRICT in, const std::int32_t* HWY_RESTRICT base,
                               const std::uint8_t* HWY_RESTRICT index, const std::int16_t* HWY_RESTRICT weight,
                               std::int16_t* HWY_RESTRICT out) {
  const S16 d;
  const S8 d8;
  const auto low = hn::BitCast(d8, LoadWindows(in, base));
  const auto high = windows == 2 ? hn::BitCast(d8, LoadWindows(in + 8, base)) : low;
  VS32 sum = hn::Set(S32(), 1 << (column_weight_bits - 1));
  for (int step = 0; step < steps; ++step, index += windows * 32, weight += 16) {
    auto picked = hn::TableLookupBytesOr0(low, hn::LoadU(d8, index));
    if (windows == 2) picked = hn::Or(picked, hn::TableLookupBytesOr0(high, hn::LoadU(d8, index + 32)));
    sum = hn::Add(sum, ShuffledPairSums(hn::BitCast(d, picked), hn::LoadU(d, weight)));
  }
  const hn::Rebind<std::int16_t, S32> d16;
  hn::StoreU(hn::DemoteTo(d16, hn::ShiftRight<column_weight_bits>(sum)), d16, out);
}

template <int windows, int steps>
void ShuffleGroups(const Shuffles& s, int groups, const std::int16_t* HWY_RESTRICT in, std::int16_t* HWY_RESTRICT out) {
  const std::int32_t* base = s.base.data();
  const std::uint8_t* index = s.index.data();
  const std::int16_t* weight = s.weight.data();
  for (int g = 0; g < groups; ++g) {
    ShuffleOutputs<windows, steps>(in, base, index, weight, out);
    if (hn::MaxLanes(S16()) == 8) ShuffleOutputs<windows, steps>(in, base + 1, index + 16, weight + 8, out + 4);
    base += 2;
    index += steps * windows * 32;
    weight += steps * 16;
    out += 8;
  }
}

void ColumnsShuffled(const Axis& axis, const std::int16_t* in, std::int16_t* out) {
  const Shuffles& s = axis.shuffles;
  const int groups = (axis.key.out + 7) / 8;
  switch (s.steps * 2 + s.windows - 1) {
    case 2: return ShuffleGroups<1, 1>(s, groups, in, out);
    case 3: return ShuffleGroups<2, 1>(s, groups, in, out);
    case 4: return ShuffleGroups<1, 2>(s, groups, in, out);
    case 5: return ShuffleGroups<2, 2>(s, groups, in, out);
    case 6: return ShuffleGroups<1, 3>(s, groups, in, out);
    default: return ShuffleGroups<2, 3>(s, groups, in, out);
  }
}

void Columns(const Axis& axis, const std::int16_t* HWY_RESTRICT in, std::int16_t* HWY_RESTRICT out) {
  if (axis.shuffles.steps > 0) return ColumnsShuffled(axis, in, out);
  ColumnsLoaded(axis, in, out);
}

// ---- colour; 7 fraction bits in, RGB bytes out

/// Writes `pixels` RGB pixels (at most one byte vector) without touching what follows.
HWY_INLINE void StoreRgb(V8 r, V8 g, V8 b, int pixels, std::uint8_t* HWY_RESTRICT out) {
  const D8 d;
  if (pixels >= static_cast<int>(hn::Lanes(d))) {
    hn::StoreInterleaved3(r, g, b, d, out);
    return;
  }
  std::uint8_t whole[3 * hn::MaxLanes(d)];
  hn::StoreInterleaved3(r, g, b, d, whole);
  std::memcpy(out, whole, static_cast<std::size_t>(pixels) * 3);
}

/// Two vectors of 16-bit levels as bytes, saturated to 0..255, in order.
HWY_INLINE V8 Bytes(VI16 a, VI16 b) {
#if HWY_TARGET == HWY_AVX3
  return V8{_mm512_permutexvar_epi64(_mm512_set_epi64(7, 5, 3, 1, 6, 4, 2, 0), _mm512_packus_epi16(a.raw, b.raw))};
#elif HWY_TARGET == HWY_AVX2
  return V8{_mm256_permute4x64_epi64(_mm256_packus_epi16(a.raw, b.raw), 0xD8)};
#else
  const hn::Half<D8> half;
  return hn::Combine(D8(), hn::DemoteTo(half, b), hn::DemoteTo(half, a));
#endif
}

/// Runs `convert(x, r, g, b)` for each block of 2 * Lanes(DI16) pixels; it sets 16-bit levels, which saturate to 8 bits here.
template <class Convert>
HWY_INLINE void ForPixels(int width, std::uint8_t* HWY_RESTRICT out, const Convert& convert) {
  const int lanes = static_cast<int>(hn::Lanes(DI16()));
  for (int x = 0; x < width; x += 2 * lanes) {
    VI16 r0, g0, b0, r1, g1, b1;
    convert(x, r0, g0, b0);
    convert(x + lanes, r1, g1, b1);
    StoreRgb(Bytes(r0, r1), Bytes(g0, g1), Bytes(b0, b1), width - x, out + 3 * x);
  }
}

void PackRgb(const std::int16_t* r, const std::int16_t* g, const std::int16_t* b, int width, std::uint8_t* out) {
  const DI16 d;
  const VI16 half = hn::Set(d, 64);
  const auto level = [=](const std::int16_t* from) HWY_ATTR {
    return hn::ShiftRight<7>(hn::Add(hn::LoadU(DI16(), from), half));
  };
  ForPixels(width, out, [=](int x, VI16& vr, VI16& vg, VI16& vb) HWY_ATTR {
    vr = level(r + x);
    vg = level(g + x);
    vb = level(b + x);
  });
}

/// A coefficient below 4 as a multiplier for MulFixedPoint15 that leaves 5 of 7 fraction bits.
HWY_INLINE VI16 Coefficient(float value) {
  return hn::Set(DI16(), static_cast<std::int16_t>(value * 8192.0f + (value < 0 ? -0.5f : 0.5f)));
}

void YuvToRgb(const std::int16_t* luma, const std::int16_t* chroma_u, const std::int16_t* chroma_v, int width,
                       const Colour& c, std::uint8_t* out) {
  const DI16 d;
  const VI16 offset = hn::Set(d, static_cast<std::int16_t>(c.offset * 128.0f));
  const VI16 centre = hn::Set(d, 128 * 128);
  const VI16 half = hn::Set(d, 16);
  const VI16 gain = Coefficient(c.gain), rv = Coefficient(c.rv), bu = Coefficient(c.bu);
  const VI16 gu = Coefficient(-c.gu), gv = Coefficient(-c.gv);
  ForPixels(width, out, [=](int x, VI16& r, VI16& g, VI16& b) HWY_ATTR {
    const DI16 t;
    const VI16 y = hn::Sub(hn::LoadU(t, luma + x), offset);
    const VI16 u = hn::Sub(hn::LoadU(t, chroma_u + x), centre);
    const VI16 v = hn::Sub(hn::LoadU(t, chroma_v + x), centre);
    const VI16 base = hn::Add(hn::MulFixedPoint15(y, gain), half);
    r = hn::ShiftRight<5>(hn::Add(base, hn::MulFixedPoint15(v, rv)));
    g = hn::ShiftRight<5>(hn::Add(base, hn::Add(hn::MulFixedPoint15(u, gu), hn::MulFixedPoint15(v, gv))));
    b = hn::ShiftRight<5>(hn::Add(base, hn::MulFixedPoint15(u, bu)));
  });
}

void GrayToRgb(const std::int16_t* luma, int width, const Colour& c, std::uint8_t* out) {
  const DI16 d;
  const VI16 offset = hn::Set(d, static_cast<std::int16_t>(c.offset * 128.0f));
  const VI16 half = hn::Set(d, 16);
  const VI16 gain = Coefficient(c.gain);
  ForPixels(width, out, [=](int x, VI16& r, VI16& g, VI16& b) HWY_ATTR {
    const VI16 y = hn::Sub(hn::LoadU(DI16(), luma + x), offset);
    r = g = b = hn::ShiftRight<5>(hn::Add(hn::MulFixedPoint15(y, gain), half));
  });
}

}  // namespace sightline::pixels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#endif  // per-target include guard
