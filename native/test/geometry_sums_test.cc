// The kernels of every target against the scalar reference, bit for bit.
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "check.hpp"
#include "geometry/kernels.hpp"
#include "geometry/sums.hpp"
#include "geometry/targets.hpp"

using namespace sightline::geometry;

namespace {

bool same(double a, double b) { return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b) || (std::isnan(a) && std::isnan(b)); }

std::vector<double> numbers(std::size_t n, std::uint32_t seed, bool holes) {
  std::mt19937 random(seed);
  std::normal_distribution<double> value(0.1, 3);
  std::vector<double> x(n);
  for (double& v : x) v = holes && random() % 7 == 0 ? std::numeric_limits<double>::quiet_NaN() : value(random);
  return x;
}

/// numpy's pairwise summation, written down once more without kernels.
double reference_sum(const double* x, std::size_t n) {
  if (n < 8) {
    double total = 0;
    for (std::size_t i = 0; i < n; ++i) total += x[i];
    return total;
  }
  if (n <= 128) {
    double r[8];
    for (std::size_t k = 0; k < 8; ++k) r[k] = x[k];
    std::size_t i = 8;
    for (; i < n - n % 8; i += 8) {
      for (std::size_t k = 0; k < 8; ++k) r[k] += x[i + k];
    }
    double total = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    for (; i < n; ++i) total += x[i];
    return total;
  }
  std::size_t half = n / 2;
  half -= half % 8;
  return reference_sum(x, half) + reference_sum(x + half, n - half);
}

}  // namespace

SL_TEST("geometry: all targets give the bits of the scalar sums") {
  const Kernels scalar = scalar_kernels();
  for (const std::string_view name : supported_targets()) {
    const Kernels k = name == "scalar" ? scalar : simd_kernels(name);
    REQUIRE(k.name == name);
    for (std::size_t n = 1; n <= block; ++n) {
      for (const bool holes : {false, true}) {
        const std::vector<double> a = numbers(n, static_cast<std::uint32_t>(n * 2), holes);
        const std::vector<double> b = numbers(n, static_cast<std::uint32_t>(n * 2 + 1), false);
        CHECK(same(k.sum(a.data(), n), scalar.sum(a.data(), n)));
        CHECK(same(k.square_deviation(a.data(), n, 0.3), scalar.square_deviation(a.data(), n, 0.3)));
        CHECK(same(k.product(a.data(), b.data(), n), scalar.product(a.data(), b.data(), n)));
        std::vector<double> y = b, z = b;
        k.take_off(0.7, a.data(), n, y.data());
        scalar.take_off(0.7, a.data(), n, z.data());
        std::vector<double> p(n), q(n);
        k.quotient(a.data(), b.data(), n, p.data());
        scalar.quotient(a.data(), b.data(), n, q.data());
        std::vector<std::uint8_t> in(n, 9), out(n, 9);
        k.within(a.data(), 0.1, 2, b.data(), 0.2, 2.5, n, in.data());
        scalar.within(a.data(), 0.1, 2, b.data(), 0.2, 2.5, n, out.data());
        for (std::size_t i = 0; i < n; ++i) {
          CHECK(same(y[i], z[i]));
          CHECK(same(p[i], q[i]));
          CHECK_EQ(in[i], out[i]);
        }
      }
    }
  }
}

SL_TEST("geometry: sums of any length are numpy's") {
  const Kernels scalar = scalar_kernels();
  for (const std::size_t n : {0u, 1u, 7u, 8u, 9u, 127u, 128u, 129u, 255u, 256u, 257u, 1000u, 4099u}) {
    const std::vector<double> x = numbers(n, 77, false);
    CHECK(same(sum(scalar, x.data(), n), reference_sum(x.data(), n)));
  }
}

SL_TEST("geometry: a target that is not there is refused without a change") {
  const std::string_view before = target();
  CHECK(!set_target("mmx"));
  CHECK_EQ(target(), before);
  CHECK(set_target("scalar"));
  CHECK_EQ(target(), std::string_view("scalar"));
  CHECK(set_target(before));
}
