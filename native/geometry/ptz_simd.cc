// The loops of ptz_scalar.cc with Google Highway, compiled once per instruction set. Same bits: see ptz_kernels.hpp.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ptz_simd.cc"
#include "hwy/foreach_target.h"  // must come before highway.h
#include "hwy/highway.h"

#include <bit>
#include <cstring>

#include "ptz_kernels.hpp"

#if HWY_TARGET == HWY_SSE4 || HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
HWY_BEFORE_NAMESPACE();
namespace sightline::geometry::ptz::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void Euclidean(const std::uint8_t* one, const std::uint8_t* others, std::size_t count, std::size_t bytes, std::uint32_t* out) {
  const hn::ScalableTag<std::int16_t> d16;
  const hn::RepartitionToWide<decltype(d16)> d32;
  const hn::Rebind<std::uint8_t, decltype(d16)> d8;
  const std::size_t lanes = hn::Lanes(d16);
  for (std::size_t i = 0; i < count; ++i, others += bytes) {
    auto sum0 = hn::Zero(d32), sum1 = hn::Zero(d32);
    std::size_t k = 0;
    for (; k + lanes <= bytes; k += lanes) {
      const auto difference = hn::Sub(hn::PromoteTo(d16, hn::LoadU(d8, one + k)), hn::PromoteTo(d16, hn::LoadU(d8, others + k)));
      sum0 = hn::ReorderWidenMulAccumulate(d32, difference, difference, sum0, sum1);
    }
    auto sum = static_cast<std::uint32_t>(hn::GetLane(hn::SumOfLanes(d32, hn::Add(sum0, sum1))));
    for (; k < bytes; ++k) {
      const int difference = int{one[k]} - int{others[k]};
      sum += static_cast<std::uint32_t>(difference * difference);
    }
    out[i] = sum;
  }
}

/// Bits of 64-bit words: every target here counts them in one instruction, or Highway does it by table.
void Hamming(const std::uint8_t* one, const std::uint8_t* others, std::size_t count, std::size_t bytes, std::uint32_t* out) {
  const hn::CappedTag<std::uint64_t, 4> d;
  const hn::Repartition<std::uint8_t, decltype(d)> d8;
  const std::size_t lanes = hn::Lanes(d8);
  for (std::size_t i = 0; i < count; ++i, others += bytes) {
    auto sum = hn::Zero(d);
    std::size_t k = 0;
    for (; k + lanes <= bytes; k += lanes) {
      const auto differing = hn::BitCast(d, hn::Xor(hn::LoadU(d8, one + k), hn::LoadU(d8, others + k)));
      sum = hn::Add(sum, hn::PopulationCount(differing));
    }
    auto bits = static_cast<std::uint32_t>(hn::GetLane(hn::SumOfLanes(d, sum)));
    for (; k + 8 <= bytes; k += 8) {
      std::uint64_t x = 0, y = 0;
      std::memcpy(&x, one + k, 8);
      std::memcpy(&y, others + k, 8);
      bits += static_cast<std::uint32_t>(std::popcount(x ^ y));
    }
    for (; k < bytes; ++k) bits += static_cast<std::uint32_t>(std::popcount(static_cast<unsigned>(one[k] ^ others[k])));
    out[i] = bits;
  }
}

Score ScoreAll(const ScoreRun& run) {
  const hn::ScalableTag<float> d;
  const hn::Rebind<std::int32_t, decltype(d)> di;
  const std::size_t lanes = hn::Lanes(d);
  const float* m = run.m;
  const auto full = hn::Set(di, full_cost);
  Score sum{0, 0};
  std::size_t i = 0;
  while (i + lanes <= run.count) {
    // 32 bits hold the costs of 2^19 vectors; the blocks are far shorter.
    auto costs = hn::Zero(di), inliers = hn::Zero(di);
    const std::size_t end = i + 4096 * lanes < run.count ? i + 4096 * lanes : run.count;
    for (; i + lanes <= end; i += lanes) {
      const auto x = hn::LoadU(d, run.x + i), y = hn::LoadU(d, run.y + i);
      const auto row = [&](const float* r) HWY_ATTR {
        return hn::Add(hn::Add(hn::Mul(hn::Set(d, r[0]), x), hn::Mul(hn::Set(d, r[1]), y)), hn::Set(d, r[2]));
      };
      const auto pz = row(m + 6);
      const auto du = hn::Sub(hn::Div(row(m), pz), hn::LoadU(d, run.u + i));
      const auto dv = hn::Sub(hn::Div(row(m + 3), pz), hn::LoadU(d, run.v + i));
      const auto part = hn::Mul(hn::Add(hn::Mul(du, du), hn::Mul(dv, dv)), hn::Set(d, run.inv_limit2));
      const auto inside = hn::And(hn::Gt(pz, hn::Zero(d)), hn::Lt(part, hn::Set(d, 1.0f)));
      const auto kept = hn::IfThenElseZero(inside, part);
      const auto cost = hn::ConvertTo(di, hn::Mul(kept, hn::Set(d, static_cast<float>(full_cost))));
      const auto mask = hn::RebindMask(di, inside);
      costs = hn::Add(costs, hn::IfThenElse(mask, cost, full));
      inliers = hn::Add(inliers, hn::IfThenElseZero(mask, hn::Set(di, 1)));
    }
    sum.cost += hn::GetLane(hn::SumOfLanes(di, costs));
    sum.inliers += hn::GetLane(hn::SumOfLanes(di, inliers));
  }
  if (i < run.count) {
    Kernels scalar;
    fill_scalar(&scalar);
    ScoreRun rest = run;
    rest.x += i, rest.y += i, rest.u += i, rest.v += i, rest.count -= i;
    const Score end = scalar.score(rest);
    sum.cost += end.cost;
    sum.inliers += end.inliers;
  }
  return sum;
}

}  // namespace sightline::geometry::ptz::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#if HWY_ONCE
namespace sightline::geometry::ptz {

void fill_simd([[maybe_unused]] std::string_view name, [[maybe_unused]] Kernels* to) {
#if HWY_TARGETS & HWY_AVX3
  if (name == "avx512") to->euclidean = &N_AVX3::Euclidean, to->hamming = &N_AVX3::Hamming, to->score = &N_AVX3::ScoreAll;
#endif
#if HWY_TARGETS & HWY_AVX2
  if (name == "avx2") to->euclidean = &N_AVX2::Euclidean, to->hamming = &N_AVX2::Hamming, to->score = &N_AVX2::ScoreAll;
#endif
#if HWY_TARGETS & HWY_SSE4
  if (name == "sse4") to->euclidean = &N_SSE4::Euclidean, to->hamming = &N_SSE4::Hamming, to->score = &N_SSE4::ScoreAll;
#endif
#if HWY_TARGETS & HWY_NEON
  if (name == "neon") to->euclidean = &N_NEON::Euclidean, to->hamming = &N_NEON::Hamming, to->score = &N_NEON::ScoreAll;
#endif
}

}  // namespace sightline::geometry::ptz
#endif
