// The reference of the kernels: eight running sums, added as a tree, then what is left over in order. This is what numpy's pairwise
// summation does within a block, and what the SIMD kernels do with their lanes.
#include <cmath>

#include "kernels.hpp"

namespace sightline::geometry {
namespace {

template <class Term>
double add_block(std::size_t n, const Term& term) {
  std::size_t i = 0;
  double total = 0;
  if (n >= 8) {
    double r[8];
    for (std::size_t lane = 0; lane < 8; ++lane) r[lane] = term(lane);
    for (i = 8; i + 8 <= n; i += 8) {
      for (std::size_t lane = 0; lane < 8; ++lane) r[lane] += term(i + lane);
    }
    total = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
  }
  for (; i < n; ++i) total += term(i);
  return total;
}

double sum(const double* x, std::size_t n) {
  return add_block(n, [=](std::size_t i) { return std::isnan(x[i]) ? 0.0 : x[i]; });
}

double square_deviation(const double* x, std::size_t n, double centre) {
  return add_block(n, [=](std::size_t i) {
    const double d = centre - x[i];
    return std::isnan(x[i]) ? 0.0 : d * d;
  });
}

double product(const double* a, const double* b, std::size_t n) {
  return add_block(n, [=](std::size_t i) { return a[i] * b[i]; });
}

void take_off(double factor, const double* x, std::size_t n, double* y) {
  for (std::size_t i = 0; i < n; ++i) y[i] -= factor * x[i];
}

void within(const double* a, double mean_a, double limit_a, const double* b, double mean_b, double limit_b, std::size_t n,
            std::uint8_t* inside) {
  for (std::size_t i = 0; i < n; ++i) inside[i] = std::abs(a[i] - mean_a) < limit_a && std::abs(b[i] - mean_b) < limit_b ? 1 : 0;
}

void quotient(const double* a, const double* b, std::size_t n, double* out) {
  for (std::size_t i = 0; i < n; ++i) out[i] = a[i] / b[i];
}

}  // namespace

Kernels scalar_kernels() { return {"scalar", &sum, &square_deviation, &product, &take_off, &within, &quotient}; }

}  // namespace sightline::geometry
