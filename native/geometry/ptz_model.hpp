// What a camera makes of a direction, with derivatives: a pinhole with two radial terms.
#pragma once
#include "ptz_rotation.hpp"

namespace sightline::geometry::ptz {

/// In pixels; a ray at radius r (in focal lengths) is seen at r (1 + k1 r^2 + k2 r^4).
struct Camera {
  double fx = 0;
  double fy = 0;
  double cx = 0;
  double cy = 0;
  double k1 = 0;
  double k2 = 0;
};

/// What the estimate adds to the camera: radial terms, and where the optical axis meets the picture.
struct Lens {
  double k1 = 0;
  double k2 = 0;
  /// What the queries' first radial term is beyond the references': the lens was changed, or stands at another zoom or focus than it says.
  double k1_change = 0;
  double cx = 0;  ///< pixels
  double cy = 0;
};

/// The undistorted point on the plane z = 1 of a pixel, and how it moves with the two terms.
struct Undistorted {
  double x = 0;
  double y = 0;
  /// Multiples of (x, y).
  double by_k1 = 0;
  double by_k2 = 0;
  /// d(x, y) / d(principal point), row by row.
  double by_centre[2][2] = {};
  /// False where the model folds: no ray is seen there.
  bool valid = false;
};

/// The camera with what the estimate adds, as it took the references.
Camera with(const Camera& camera, const Lens& lens);
/// The same as it takes the queries.
Camera now_with(const Camera& camera, const Lens& lens);

Undistorted undistort(const Camera& camera, double zoom, double px, double py);

/// Where a direction (z > 0) is seen.
struct Seen {
  double x = 0;  ///< pixels
  double y = 0;
  /// d(x, y) / d(direction), row by row.
  double by_direction[2][3] = {};
  double by_k1[2] = {};
  double by_k2[2] = {};
  double by_log_zoom[2] = {};
  bool valid = false;
};

Seen see(const Camera& camera, double zoom, const Vec3& direction);

}  // namespace sightline::geometry::ptz
