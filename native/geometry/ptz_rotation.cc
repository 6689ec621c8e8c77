#include "ptz_rotation.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace sightline::geometry::ptz {

Mat3 multiply(const Mat3& a, const Mat3& b) {
  Mat3 out{};
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t column = 0; column < 3; ++column) {
      out[row * 3 + column] = a[row * 3] * b[column] + a[row * 3 + 1] * b[3 + column] + a[row * 3 + 2] * b[6 + column];
    }
  }
  return out;
}

Mat3 transpose(const Mat3& a) { return {a[0], a[3], a[6], a[1], a[4], a[7], a[2], a[5], a[8]}; }

Vec3 apply(const Mat3& a, const Vec3& v) {
  return {a[0] * v[0] + a[1] * v[1] + a[2] * v[2], a[3] * v[0] + a[4] * v[1] + a[5] * v[2], a[6] * v[0] + a[7] * v[1] + a[8] * v[2]};
}

double dot(const Vec3& a, const Vec3& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

Vec3 cross(const Vec3& a, const Vec3& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}

Vec3 normalized(const Vec3& v) {
  const double length = std::sqrt(dot(v, v));
  return {v[0] / length, v[1] / length, v[2] / length};
}

Mat3 rotation_of(const Vec3& w) {
  const double angle2 = dot(w, w);
  const double angle = std::sqrt(angle2);
  // Series near 0: sin(x)/x and (1 - cos(x))/x^2.
  const double a = angle < 1e-5 ? 1 - angle2 / 6 : std::sin(angle) / angle;
  const double b = angle < 1e-5 ? 0.5 - angle2 / 24 : (1 - std::cos(angle)) / angle2;
  const auto [x, y, z] = w;
  return {1 - b * (y * y + z * z), b * x * y - a * z,         b * x * z + a * y,
          b * x * y + a * z,       1 - b * (x * x + z * z),   b * y * z - a * x,
          b * x * z - a * y,       b * y * z + a * x,         1 - b * (x * x + y * y)};
}

Vec3 vector_of(const Mat3& r) {
  const Vec3 axis{r[7] - r[5], r[2] - r[6], r[3] - r[1]};
  const double sine = std::sqrt(dot(axis, axis)) / 2;
  const double cosine = (r[0] + r[4] + r[8] - 1) / 2;
  const double angle = std::atan2(sine, cosine);
  if (sine > 1e-9) {
    const double scale = angle / (2 * sine);
    return {axis[0] * scale, axis[1] * scale, axis[2] * scale};
  }
  if (cosine > 0) return {axis[0] / 2, axis[1] / 2, axis[2] / 2};
  // Half a turn: the axis is the column of (R + I) with the largest diagonal.
  std::size_t largest = 0;
  for (std::size_t i = 1; i < 3; ++i) {
    if (r[i * 4] > r[largest * 4]) largest = i;
  }
  Vec3 half{r[largest], r[3 + largest], r[6 + largest]};
  half[largest] += 1;
  const Vec3 unit = normalized(half);
  return {unit[0] * std::numbers::pi, unit[1] * std::numbers::pi, unit[2] * std::numbers::pi};
}

Mat3 camera_at(const Angles& angles) {
  const double ca = std::cos(-angles.pitch), sa = std::sin(-angles.pitch);
  const double cb = std::cos(-angles.yaw), sb = std::sin(-angles.yaw);
  const double cr = std::cos(angles.roll), sr = std::sin(angles.roll);
  const Mat3 roll{cr, -sr, 0, sr, cr, 0, 0, 0, 1};
  const Mat3 pitch_yaw{cb, 0, sb, sa * sb, ca, -sa * cb, -ca * sb, sa, ca * cb};
  return multiply(roll, pitch_yaw);
}

Angles angles_of(const Mat3& r) {
  return {.yaw = -std::atan2(-r[6], r[8]), .pitch = -std::asin(std::clamp(r[7], -1.0, 1.0)), .roll = std::atan2(-r[1], r[4])};
}

namespace {

/// Cyclic Jacobi on a symmetric 4x4 matrix; `vectors` gets the eigenvectors in its columns, the diagonal of `a` the eigenvalues.
void diagonalise(double (&a)[4][4], double (&vectors)[4][4]) {
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t j = 0; j < 4; ++j) vectors[i][j] = i == j ? 1 : 0;
  }
  for (int sweep = 0; sweep < 30; ++sweep) {
    double off = 0, on = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      on += a[i][i] * a[i][i];
      for (std::size_t j = i + 1; j < 4; ++j) off += a[i][j] * a[i][j];
    }
    if (off <= on * 1e-32) return;
    for (std::size_t p = 0; p < 3; ++p) {
      for (std::size_t q = p + 1; q < 4; ++q) {
        if (a[p][q] == 0) continue;
        const double theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
        const double t = (theta >= 0 ? 1 : -1) / (std::abs(theta) + std::sqrt(theta * theta + 1));
        const double c = 1 / std::sqrt(t * t + 1), s = t * c;
        for (std::size_t k = 0; k < 4; ++k) {
          const double kp = a[k][p], kq = a[k][q];
          a[k][p] = c * kp - s * kq;
          a[k][q] = s * kp + c * kq;
        }
        for (std::size_t k = 0; k < 4; ++k) {
          const double pk = a[p][k], qk = a[q][k];
          a[p][k] = c * pk - s * qk;
          a[q][k] = s * pk + c * qk;
        }
        for (std::size_t k = 0; k < 4; ++k) {
          const double kp = vectors[k][p], kq = vectors[k][q];
          vectors[k][p] = c * kp - s * kq;
          vectors[k][q] = s * kp + c * kq;
        }
      }
    }
  }
}

}  // namespace

Mat3 best_rotation(std::span<const RayPair> pairs) {
  // B = sum of weight * to * from^T; Davenport's matrix is built from it.
  Mat3 b{};
  for (const RayPair& pair : pairs) {
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::size_t j = 0; j < 3; ++j) b[i * 3 + j] += pair.weight * pair.to[i] * pair.from[j];
    }
  }
  const double trace = b[0] + b[4] + b[8];
  const Vec3 z{b[7] - b[5], b[2] - b[6], b[3] - b[1]};
  double k[4][4];
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) k[i][j] = b[i * 3 + j] + b[j * 3 + i] - (i == j ? trace : 0);
    k[i][3] = k[3][i] = z[i];
  }
  k[3][3] = trace;
  double vectors[4][4];
  diagonalise(k, vectors);
  std::size_t largest = 0;
  for (std::size_t i = 1; i < 4; ++i) {
    if (k[i][i] > k[largest][largest]) largest = i;
  }
  const double x = vectors[0][largest], y = vectors[1][largest], q = vectors[2][largest], w = vectors[3][largest];
  return {w * w + x * x - y * y - q * q, 2 * (x * y - w * q),           2 * (x * q + w * y),
          2 * (x * y + w * q),           w * w - x * x + y * y - q * q, 2 * (y * q - w * x),
          2 * (x * q - w * y),           2 * (y * q + w * x),           w * w - x * x - y * y + q * q};
}

}  // namespace sightline::geometry::ptz
