// From matches of features to the offset of a camera, with its interval. docs/PTZ_ALGORITHM.md has the formulas.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "ptz_kernels.hpp"
#include "ptz_model.hpp"

namespace sightline::geometry::ptz {

/// A picture: where telemetry says that it looks (world to camera), and its focal length as a multiple of the camera's.
struct View {
  Mat3 rotation = identity;
  double zoom = 1;
};

/// A feature of a reference and of a query that are taken for the same point of the world; pixels.
struct Match {
  std::uint32_t reference = 0;
  std::uint32_t query = 0;
  double reference_x = 0;
  double reference_y = 0;
  double query_x = 0;
  double query_y = 0;
  /// Diameter of the larger of the two features, in query pixels: a large blob lies less exactly.
  double size = 1;
};

struct Problem {
  Camera camera;
  double width = 0;
  double height = 0;
  std::span<const View> references;
  std::span<const View> queries;
  std::span<const Match> matches;
};

struct Settings {
  std::uint64_t seed = 1;
  /// Of the search for a first rotation; generous, since nothing is refined yet and the lens is not known.
  double search_limit_px = 6;
  int least_inliers = 12;
  /// Fewer cells of the picture with an inlier tell too little.
  int least_cells = 5;
  double largest_offset_rad = 0.35;
};

enum class Verdict : std::uint8_t { used, few_matches, inconsistent, poor_spread, too_large };

/// What the matches of one query say alone, lens and zoom taken from the joint estimate.
struct ViewEstimate {
  Verdict verdict = Verdict::few_matches;
  Mat3 offset = identity;
  /// Of the rotation vector of the offset in the world frame, radians^2.
  Mat3 covariance{};
  int matches = 0;
  int inliers = 0;
  int cells = 0;
};

struct Estimate {
  Verdict verdict = Verdict::few_matches;
  /// Telemetry minus truth as a rotation of the world: reality^T * telemetry.
  Mat3 offset = identity;
  Angles angles;
  /// Covariance of (yaw, pitch, roll), radians^2, scatter between views included.
  Mat3 covariance{};
  /// Half the 95 % interval of yaw, pitch, roll; radians.
  Vec3 half_interval{};
  double log_zoom = 0;
  double log_zoom_deviation = 0;
  Lens lens;
  /// Of a residual coordinate of a small feature, pixels.
  double noise_px = 0;
  /// Standard deviation between views beyond their own, radians; 0 for a single view.
  double scatter = 0;
  /// Do views contradict each other beyond all proportion?
  bool disagree = false;
  std::vector<ViewEstimate> views;
  /// Of each match.
  std::vector<std::uint8_t> inlier;
  int inliers = 0;
  int cells = 0;
};

inline constexpr int cells_across = 12;
inline constexpr int cells_down = 7;

/// Same input, same seed: same bits, whatever kernels run.
Estimate estimate(const Problem& problem, const Settings& settings, const Kernels& kernels);

}  // namespace sightline::geometry::ptz
