// The joint least squares of all views: a rotation for each query, one zoom and one lens for all.
#pragma once
#include "ptz_estimate.hpp"
#include "ptz_linear.hpp"

namespace sightline::geometry::ptz {

/// What all views share: log zoom, k1, k2, the change of k1, principal point.
inline constexpr std::size_t shared_unknowns = 6;
inline constexpr std::size_t match_unknowns = 3 + shared_unknowns;

/// What is being estimated.
struct Unknowns {
  /// Of each query that takes part: telemetry minus truth, as ViewEstimate::offset.
  std::vector<Mat3> offsets;
  double log_zoom = 0;
  Lens lens;
};

/// Which matches take part, and where they belong.
struct Selection {
  /// Position in Unknowns::offsets of each query, -1 for those that are out.
  std::vector<int> slot_of_query;
  /// Of each match.
  std::vector<std::uint8_t> inlier;
};

/// How far a match is off under the unknowns, and how that changes.
struct Residual {
  double dx = 0;  ///< predicted minus seen, pixels of the query
  double dy = 0;
  /// By the rotation vector of its query's offset, then what all share.
  double jacobian[2][match_unknowns] = {};
  bool valid = false;
};

Residual residual_of(const Problem& problem, const Match& match, const Mat3& offset, double log_zoom, const Lens& lens);

/// Deviation of a residual coordinate of a feature of this size, for a noise of 1 pixel of the smallest.
double spread_of_size(double size);

struct Solution {
  Unknowns unknowns;
  double noise_px = 0;
  /// Over all unknowns (3 for each offset, then what all share): of a perfect model, and as the residuals of neighbourhoods really scatter.
  Matrix model_covariance{0};
  Matrix covariance{0};
  /// Neighbourhoods that hold matches.
  int clusters = 0;
};

/// Huber-weighted Gauss-Newton from `start`, in turn with the noise and the choice of inliers, which `selection` brings back.
/// Nothing when the matches do not determine it.
std::optional<Solution> solve(const Problem& problem, const Settings& settings, const Unknowns& start, Selection* selection);

}  // namespace sightline::geometry::ptz
