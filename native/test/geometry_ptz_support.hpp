// A world of points seen by two cameras, for tests of the PTZ estimate.
#pragma once
#include <cmath>
#include <cstdint>
#include <numbers>
#include <optional>
#include <vector>

#include "../geometry/ptz_estimate.hpp"

namespace ptz_test {

namespace ptz = sightline::geometry::ptz;

inline constexpr double deg = std::numbers::pi / 180;

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t bits() {
    state_ += 0x9e3779b97f4a7c15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t limit) { return bits() % limit; }
  double between(double low, double high) { return low + (high - low) * static_cast<double>(bits() >> 11) * 0x1p-53; }
  double normal() { return std::sqrt(-2 * std::log(1 - between(0, 1))) * std::cos(2 * std::numbers::pi * between(0, 1)); }

 private:
  std::uint64_t state_;
};

/// Views at known telemetry, matches as they would be found: with noise, and some that are wrong.
struct Scene {
  ptz::Camera camera{1108.5, 1108.5, 639.5, 359.5, 0, 0};
  std::vector<ptz::View> references, queries;
  std::vector<ptz::Match> matches;

  /// One reference and one query at pan 30, tilt -10; `offset` is telemetry minus truth, `k1` what the lens really does, `k1_now`
  /// what it does in the query.
  Scene(Random& random, int count, const ptz::Angles& offset, double zoom, double k1, double noise = 0, double wrong = 0, std::optional<double> k1_now = {}) {
    add(random, count, {30 * deg, -10 * deg, 0}, offset, zoom, k1, noise, wrong, k1_now);
  }
  Scene() = default;

  void add(Random& random, int count, const ptz::Angles& telemetry, const ptz::Angles& offset, double zoom, double k1, double noise = 0, double wrong = 0,
           std::optional<double> k1_now = {}) {
    const auto index = static_cast<std::uint32_t>(references.size());
    references.push_back({ptz::camera_at(telemetry), 1});
    queries.push_back(references.back());
    const ptz::Mat3 real = ptz::multiply(queries.back().rotation, ptz::transpose(ptz::camera_at(offset)));
    ptz::Camera true_camera = camera;
    true_camera.k1 = k1;
    ptz::Camera camera_now = true_camera;
    camera_now.k1 = k1_now.value_or(k1);
    for (int made = 0; made < count;) {
      const double x = random.between(0, 1280), y = random.between(0, 720);
      const ptz::Undistorted ray = ptz::undistort(true_camera, 1, x, y);
      const ptz::Vec3 world = ptz::apply(ptz::transpose(references.back().rotation), {ray.x, ray.y, 1});
      const ptz::Seen seen = ptz::see(camera_now, zoom, ptz::apply(real, world));
      if (!ray.valid || !seen.valid || seen.x < 0 || seen.y < 0 || seen.x > 1280 || seen.y > 720) continue;
      ++made;
      ptz::Match match{index, index, x + noise * random.normal(), y + noise * random.normal(), seen.x + noise * random.normal(), seen.y + noise * random.normal(), 2};
      if (random.between(0, 1) < wrong) match.query_x = random.between(0, 1280), match.query_y = random.between(0, 720);
      matches.push_back(match);
    }
  }

  ptz::Problem problem() const { return {camera, 1280, 720, references, queries, matches}; }
};

}  // namespace ptz_test
