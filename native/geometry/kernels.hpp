// Kernels: the sums that every estimator here is made of, once for each target. All targets add in the same order (eight running sums,
// blocks of 128, pairs of blocks: numpy's pairwise summation) and never fuse, so that all give the same bits as the scalar reference.
// Private to native/geometry.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sightline::geometry {

/// Longest run that one kernel call takes; longer arrays are halved by the functions in sums.hpp.
inline constexpr std::size_t block = 128;

/// `n` is 1..block for the sums, any for the others; pointers need no alignment.
struct Kernels {
  std::string_view name;
  /// Sum of x, NaN counted as 0.
  double (*sum)(const double* x, std::size_t n) = nullptr;
  /// Sum of (centre - x)^2, NaN counted as 0.
  double (*square_deviation)(const double* x, std::size_t n, double centre) = nullptr;
  /// Sum of a * b.
  double (*product)(const double* a, const double* b, std::size_t n) = nullptr;
  /// y[i] -= factor * x[i].
  void (*take_off)(double factor, const double* x, std::size_t n, double* y) = nullptr;
  /// inside[i] = |a[i] - mean_a| < limit_a and |b[i] - mean_b| < limit_b; false where a or b is NaN.
  void (*within)(const double* a, double mean_a, double limit_a, const double* b, double mean_b, double limit_b, std::size_t n,
                 std::uint8_t* inside) = nullptr;
  /// out[i] = a[i] / b[i].
  void (*quotient)(const double* a, const double* b, std::size_t n, double* out) = nullptr;
};

/// The reference.
Kernels scalar_kernels();
/// The compiled functions of a target; `name` stays empty when this build has none. Says nothing about the CPU.
Kernels simd_kernels(std::string_view name);

/// The selected table; one atomic load. Throws std::runtime_error when SIGHTLINE_SIMD names an unusable target.
const Kernels& active_kernels();

}  // namespace sightline::geometry
