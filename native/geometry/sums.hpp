// Sums over whole arrays: the kernels of the active target on blocks of at most 128, the blocks added in pairs. The halving is numpy's,
// so that sum(), mean and standard deviation have numpy's bits. Private to native/geometry.
#pragma once
#include <cstddef>

#include "kernels.hpp"

namespace sightline::geometry {

/// Adds what `part(from, count)` gives for the blocks of 0..n-1.
template <class Part>
double in_pairs(std::size_t from, std::size_t n, const Part& part) {
  if (n <= block) return n == 0 ? 0.0 : part(from, n);
  std::size_t half = n / 2;
  half -= half % 8;
  const double low = in_pairs(from, half, part);
  return low + in_pairs(from + half, n - half, part);
}

/// Sum of x[0..n), NaN counted as 0.
inline double sum(const Kernels& k, const double* x, std::size_t n) {
  return in_pairs(0, n, [&](std::size_t at, std::size_t count) { return k.sum(x + at, count); });
}

/// Sum of (centre - x)^2, NaN counted as 0.
inline double square_deviation(const Kernels& k, const double* x, std::size_t n, double centre) {
  return in_pairs(0, n, [&](std::size_t at, std::size_t count) { return k.square_deviation(x + at, count, centre); });
}

/// Sum of a * b.
inline double product(const Kernels& k, const double* a, const double* b, std::size_t n) {
  return in_pairs(0, n, [&](std::size_t at, std::size_t count) { return k.product(a + at, b + at, count); });
}

}  // namespace sightline::geometry
