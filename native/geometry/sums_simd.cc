// The kernels with Google Highway, compiled once per instruction set; held against sums_scalar.cc, bit for bit. The eight running sums
// are 8 / Lanes() vectors; the last, incomplete group of eight is added in order, as in the reference.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "sums_simd.cc"
#include "hwy/foreach_target.h"  // must come before highway.h
#include "hwy/highway.h"

#include <cmath>

#include "kernels.hpp"

#if HWY_TARGET == HWY_SSE4 || HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
HWY_BEFORE_NAMESPACE();
namespace sightline::geometry::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<double, 8>;
using V = hn::Vec<D>;
inline constexpr std::size_t lanes = hn::MaxLanes(D());
inline constexpr std::size_t vectors = 8 / lanes;

/// `many(i)` is the vector of terms i, i+1, ...; `one(i)` a single term.
template <class Many, class One>
HWY_INLINE double AddBlock(std::size_t n, const Many& many, const One& one) {
  const D d;
  std::size_t i = 0;
  double total = 0;
  if (n >= 8) {
    V r[vectors];
    for (std::size_t k = 0; k < vectors; ++k) r[k] = many(k * lanes);
    for (i = 8; i + 8 <= n; i += 8) {
      for (std::size_t k = 0; k < vectors; ++k) r[k] = hn::Add(r[k], many(i + k * lanes));
    }
    HWY_ALIGN double s[8];
    for (std::size_t k = 0; k < vectors; ++k) hn::Store(r[k], d, s + k * lanes);
    total = ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
  }
  for (; i < n; ++i) total += one(i);
  return total;
}

double Sum(const double* x, std::size_t n) {
  const D d;
  return AddBlock(
      n,
      [=](std::size_t i) HWY_ATTR {
        const V value = hn::LoadU(d, x + i);
        return hn::IfThenElse(hn::IsNaN(value), hn::Zero(d), value);
      },
      [=](std::size_t i) HWY_ATTR { return std::isnan(x[i]) ? 0.0 : x[i]; });
}

double SquareDeviation(const double* x, std::size_t n, double centre) {
  const D d;
  const V middle = hn::Set(d, centre);
  return AddBlock(
      n,
      [=](std::size_t i) HWY_ATTR {
        const V value = hn::LoadU(d, x + i);
        const V off = hn::Sub(middle, value);
        return hn::IfThenElse(hn::IsNaN(value), hn::Zero(d), hn::Mul(off, off));
      },
      [=](std::size_t i) HWY_ATTR {
        const double off = centre - x[i];
        return std::isnan(x[i]) ? 0.0 : off * off;
      });
}

double Product(const double* a, const double* b, std::size_t n) {
  const D d;
  return AddBlock(
      n, [=](std::size_t i) HWY_ATTR { return hn::Mul(hn::LoadU(d, a + i), hn::LoadU(d, b + i)); },
      [=](std::size_t i) HWY_ATTR { return a[i] * b[i]; });
}

void TakeOff(double factor, const double* x, std::size_t n, double* y) {
  const D d;
  const V f = hn::Set(d, factor);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(hn::Sub(hn::LoadU(d, y + i), hn::Mul(f, hn::LoadU(d, x + i))), d, y + i);
  for (; i < n; ++i) y[i] -= factor * x[i];
}

void Within(const double* a, double mean_a, double limit_a, const double* b, double mean_b, double limit_b, std::size_t n,
            std::uint8_t* inside) {
  const D d;
  const V ma = hn::Set(d, mean_a), la = hn::Set(d, limit_a), mb = hn::Set(d, mean_b), lb = hn::Set(d, limit_b);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto near_a = hn::Lt(hn::Abs(hn::Sub(hn::LoadU(d, a + i), ma)), la);
    const auto near_b = hn::Lt(hn::Abs(hn::Sub(hn::LoadU(d, b + i), mb)), lb);
    HWY_ALIGN double one[lanes];
    hn::Store(hn::IfThenElseZero(hn::And(near_a, near_b), hn::Set(d, 1.0)), d, one);
    for (std::size_t k = 0; k < lanes; ++k) inside[i + k] = one[k] != 0.0 ? 1 : 0;
  }
  for (; i < n; ++i) inside[i] = std::abs(a[i] - mean_a) < limit_a && std::abs(b[i] - mean_b) < limit_b ? 1 : 0;
}

void Quotient(const double* a, const double* b, std::size_t n, double* out) {
  const D d;
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(hn::Div(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, out + i);
  for (; i < n; ++i) out[i] = a[i] / b[i];
}

Kernels Table(std::string_view name) {
  return {name, &Sum, &SquareDeviation, &Product, &TakeOff, &Within, &Quotient};
}

}  // namespace sightline::geometry::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#if HWY_ONCE
namespace sightline::geometry {

Kernels simd_kernels([[maybe_unused]] std::string_view name) {
#if HWY_TARGETS & HWY_AVX3
  if (name == "avx512") return N_AVX3::Table("avx512");
#endif
#if HWY_TARGETS & HWY_AVX2
  if (name == "avx2") return N_AVX2::Table("avx2");
#endif
#if HWY_TARGETS & HWY_SSE4
  if (name == "sse4") return N_SSE4::Table("sse4");
#endif
#if HWY_TARGETS & HWY_NEON
  if (name == "neon") return N_NEON::Table("neon");
#endif
  return {};
}

}  // namespace sightline::geometry
#endif
