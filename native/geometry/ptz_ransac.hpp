// The search for a first rotation of a query: two matches at a time, all others vote.
#pragma once
#include "ptz_estimate.hpp"

namespace sightline::geometry::ptz {

struct Candidate {
  /// Expected query camera -> real query camera.
  Mat3 turn = identity;
  double log_zoom = 0;
  std::int64_t inliers = 0;
  std::int64_t cost = 0;
};

/// `matches` are indexes of problem.matches, all of one query. Nothing when no pair of matches fits a rotation.
std::optional<Candidate> search(const Problem& problem, std::span<const std::uint32_t> matches, double limit_px, std::uint64_t seed,
                                const Kernels& kernels);

}  // namespace sightline::geometry::ptz
