// The reference that ptz_simd.cc is held against.
#include <bit>
#include <cstring>

#include "ptz_kernels.hpp"

namespace sightline::geometry::ptz {
namespace {

void euclidean(const std::uint8_t* one, const std::uint8_t* others, std::size_t count, std::size_t bytes, std::uint32_t* out) {
  for (std::size_t i = 0; i < count; ++i, others += bytes) {
    std::uint32_t sum = 0;
    for (std::size_t k = 0; k < bytes; ++k) {
      const int difference = int{one[k]} - int{others[k]};
      sum += static_cast<std::uint32_t>(difference * difference);
    }
    out[i] = sum;
  }
}

void hamming(const std::uint8_t* one, const std::uint8_t* others, std::size_t count, std::size_t bytes, std::uint32_t* out) {
  for (std::size_t i = 0; i < count; ++i, others += bytes) {
    std::uint32_t sum = 0;
    std::size_t k = 0;
    for (; k + 8 <= bytes; k += 8) {
      std::uint64_t x = 0, y = 0;
      std::memcpy(&x, one + k, 8);
      std::memcpy(&y, others + k, 8);
      sum += static_cast<std::uint32_t>(std::popcount(x ^ y));
    }
    for (; k < bytes; ++k) sum += static_cast<std::uint32_t>(std::popcount(static_cast<unsigned>(one[k] ^ others[k])));
    out[i] = sum;
  }
}

Score score(const ScoreRun& run) {
  Score sum{0, 0};
  const float* m = run.m;
  for (std::size_t i = 0; i < run.count; ++i) {
    const float x = run.x[i], y = run.y[i];
    const float px = (m[0] * x + m[1] * y) + m[2];
    const float py = (m[3] * x + m[4] * y) + m[5];
    const float pz = (m[6] * x + m[7] * y) + m[8];
    const float du = px / pz - run.u[i], dv = py / pz - run.v[i];
    const float part = (du * du + dv * dv) * run.inv_limit2;
    // Also false for what is no number, and for what lies behind the camera.
    const bool inside = pz > 0.0f && part < 1.0f;
    sum.cost += inside ? static_cast<std::int32_t>(part * static_cast<float>(full_cost)) : full_cost;
    sum.inliers += inside ? 1 : 0;
  }
  return sum;
}

}  // namespace

void fill_scalar(Kernels* to) {
  to->euclidean = &euclidean;
  to->hamming = &hamming;
  to->score = &score;
}

}  // namespace sightline::geometry::ptz
