// The inner loops of the PTZ estimate: a scalar reference and Highway versions that give the same bits. Sums are of integers, and nothing is
// contracted to fused operations, so neither the width of a vector nor the order of a sum shows.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sightline::geometry::ptz {

/// Squared distances, or numbers of differing bits, of one descriptor to `count` others of `bytes` each.
using DistanceRow = void (*)(const std::uint8_t* one, const std::uint8_t* others, std::size_t count, std::size_t bytes, std::uint32_t* out);

/// A hypothesis against all matches: how far is a reference ray, rotated, from where the query shows it?
struct ScoreRun {
  const float* x;  ///< rays of the reference, z = 1
  const float* y;
  const float* u;  ///< the query, on the plane z = 1 of its expected focal length
  const float* v;
  std::size_t count;
  float m[9];       ///< rotation reference -> query; the first two rows times the zoom ratio
  float inv_limit2; ///< 1 / (largest distance)^2
};

/// What a match costs at the limit and beyond.
inline constexpr std::int32_t full_cost = 4095;

struct Score {
  std::int64_t cost;  ///< sum of full_cost * min(1, distance^2 / limit^2)
  std::int64_t inliers;
};

using ScoreKernel = Score (*)(const ScoreRun& run);

struct Kernels {
  std::string_view name;
  DistanceRow euclidean = nullptr;
  DistanceRow hamming = nullptr;
  ScoreKernel score = nullptr;
};

/// By name: scalar, sse4, avx2, avx512, neon; nullptr where this build or this processor has none. Others are chosen as geometry::target() is.
const Kernels* find_kernels(std::string_view name);
const Kernels& active_kernels();

void fill_scalar(Kernels* to);
/// Fills nothing when this build has no such target.
void fill_simd(std::string_view name, Kernels* to);

}  // namespace sightline::geometry::ptz
