// Rotations of three dimensions in double precision, and the angles of PTZ telemetry.
#pragma once
#include <array>
#include <span>

namespace sightline::geometry::ptz {

using Vec3 = std::array<double, 3>;
/// Row by row.
using Mat3 = std::array<double, 9>;

inline constexpr Mat3 identity{1, 0, 0, 0, 1, 0, 0, 0, 1};

Mat3 multiply(const Mat3& a, const Mat3& b);
Mat3 transpose(const Mat3& a);
Vec3 apply(const Mat3& a, const Vec3& v);
double dot(const Vec3& a, const Vec3& b);
Vec3 cross(const Vec3& a, const Vec3& b);
Vec3 normalized(const Vec3& v);

/// The rotation about `w` by its length in radians (Rodrigues).
Mat3 rotation_of(const Vec3& w);
/// The inverse of rotation_of, length 0..pi.
Vec3 vector_of(const Mat3& rotation);

/// Yaw right, pitch up, roll counter-clockwise from behind; radians.
struct Angles {
  double yaw = 0;
  double pitch = 0;
  double roll = 0;
};

/// World to camera at these angles: Rz(roll) Rx(-pitch) Ry(-yaw), axes x right, y down, z forward.
Mat3 camera_at(const Angles& angles);
/// The inverse of camera_at, pitch within +-90 degrees.
Angles angles_of(const Mat3& rotation);

/// A pair of directions of unit length that a rotation should carry from -> to.
struct RayPair {
  Vec3 from;
  Vec3 to;
  double weight = 1;
};

/// The rotation that minimises the weighted squared distances (Wahba's problem), from the largest eigenvector of Davenport's matrix.
/// Two pairs determine it unless they are parallel.
Mat3 best_rotation(std::span<const RayPair> pairs);

}  // namespace sightline::geometry::ptz
