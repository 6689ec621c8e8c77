// Descriptor matching: the nearest and the second nearest of each, both ways at once.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "ptz_kernels.hpp"

namespace sightline::geometry::ptz {

enum class Metric : std::uint8_t {
  euclidean,  ///< bytes as numbers
  hamming,    ///< bytes as bits
};

struct Descriptors {
  const std::uint8_t* data;
  std::size_t count;
  std::size_t bytes;  ///< of each
};

struct Pair {
  std::uint32_t a;
  std::uint32_t b;
};

/// Pairs that are each other's nearest, and nearer than `ratio` times the second nearest of `a` in `b`. Ties go to the lower index. Both sets
/// have descriptors of the same length.
std::vector<Pair> match(const Kernels& kernels, const Descriptors& a, const Descriptors& b, Metric metric, double ratio);

}  // namespace sightline::geometry::ptz
