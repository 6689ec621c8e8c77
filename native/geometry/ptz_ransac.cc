#include "ptz_ransac.hpp"

#include <algorithm>
#include <cmath>

namespace sightline::geometry::ptz {
namespace {

constexpr int least_rounds = 200;
constexpr int most_rounds = 4000;
/// Chance to have missed a sample of two inliers.
constexpr double miss = 1e-6;
/// Zoom ratios are searched within exp(+-0.3).
constexpr double largest_log_zoom = 0.3;
/// Two rays nearer than this say little about the rotation.
constexpr double least_sine = 0.05;

/// SplitMix64: small, and the same everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::size_t below(std::size_t limit) {
    state_ += 0x9e3779b97f4a7c15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return static_cast<std::size_t>((z ^ (z >> 31)) % limit);
  }

 private:
  std::uint64_t state_;
};

struct Rays {
  std::vector<float> x, y, u, v;
};

/// Reference rays in the frame of the camera that telemetry expects, query points on the plane z = 1.
Rays rays_of(const Problem& problem, std::span<const std::uint32_t> matches) {
  Rays rays;
  for (const std::uint32_t index : matches) {
    const Match& match = problem.matches[index];
    const View& reference = problem.references[match.reference];
    const View& query = problem.queries[match.query];
    const Undistorted from = undistort(problem.camera, reference.zoom, match.reference_x, match.reference_y);
    const Undistorted to = undistort(problem.camera, query.zoom, match.query_x, match.query_y);
    const Vec3 world = apply(transpose(reference.rotation), {from.x, from.y, 1});
    const Vec3 ray = apply(query.rotation, world);
    if (!from.valid || !to.valid || !(ray[2] > 0.1)) continue;
    rays.x.push_back(static_cast<float>(ray[0] / ray[2]));
    rays.y.push_back(static_cast<float>(ray[1] / ray[2]));
    rays.u.push_back(static_cast<float>(to.x));
    rays.v.push_back(static_cast<float>(to.y));
  }
  return rays;
}

Vec3 ray_at(float x, float y, double shrink) { return normalized({double{x} * shrink, double{y} * shrink, 1}); }

/// The zoom at which two query points are as far apart as their reference rays; nothing outside of the range.
std::optional<double> zoom_between(const Rays& rays, std::size_t a, std::size_t b, double wanted_cosine) {
  const auto gap = [&](double log_zoom) {
    const double shrink = std::exp(-log_zoom);
    return dot(ray_at(rays.u[a], rays.v[a], shrink), ray_at(rays.u[b], rays.v[b], shrink)) - wanted_cosine;
  };
  // The cosine grows with the zoom: a longer focal length makes the same pixels a smaller angle.
  double low = -largest_log_zoom, high = largest_log_zoom;
  double at_low = gap(low), at_high = gap(high);
  if (!(at_low < 0 && at_high > 0)) return std::nullopt;
  for (int i = 0; i < 12; ++i) {
    const double middle = i % 2 == 0 ? low - at_low * (high - low) / (at_high - at_low) : (low + high) / 2;
    const double at_middle = gap(middle);
    if (at_middle < 0) {
      low = middle;
      at_low = at_middle;
    } else {
      high = middle;
      at_high = at_middle;
    }
    if (high - low < 1e-6) break;
  }
  return (low + high) / 2;
}

ScoreRun run_of(const Rays& rays, const Mat3& turn, double log_zoom, double limit) {
  ScoreRun run{rays.x.data(), rays.y.data(), rays.u.data(), rays.v.data(), rays.x.size(), {}, 0};
  const double zoom = std::exp(log_zoom);
  for (std::size_t i = 0; i < 9; ++i) run.m[i] = static_cast<float>(turn[i] * (i < 6 ? zoom : 1));
  run.inv_limit2 = static_cast<float>(1 / (limit * limit));
  return run;
}

int rounds_for(double share) {
  const double hit = share * share;
  if (hit < 1e-9) return most_rounds;
  if (hit > 1 - 1e-9) return least_rounds;
  return static_cast<int>(std::clamp(std::log(miss) / std::log1p(-hit), double{least_rounds}, double{most_rounds}));
}

}  // namespace

std::optional<Candidate> search(const Problem& problem, std::span<const std::uint32_t> matches, double limit_px, std::uint64_t seed,
                                const Kernels& kernels) {
  const Rays rays = rays_of(problem, matches);
  const std::size_t count = rays.x.size();
  if (count < 3) return std::nullopt;
  const double limit = limit_px / (problem.camera.fx * problem.queries[problem.matches[matches[0]].query].zoom);
  Random random(seed);
  std::optional<Candidate> best;
  int rounds = most_rounds;
  for (int round = 0; round < rounds; ++round) {
    const std::size_t a = random.below(count);
    const std::size_t b = random.below(count);
    if (a == b) continue;
    const Vec3 from_a = ray_at(rays.x[a], rays.y[a], 1), from_b = ray_at(rays.x[b], rays.y[b], 1);
    const double cosine = dot(from_a, from_b);
    if (1 - cosine * cosine < least_sine * least_sine) continue;
    const std::optional<double> log_zoom = zoom_between(rays, a, b, cosine);
    if (!log_zoom) continue;
    const double shrink = std::exp(-*log_zoom);
    const RayPair pairs[2] = {{from_a, ray_at(rays.u[a], rays.v[a], shrink), 1}, {from_b, ray_at(rays.u[b], rays.v[b], shrink), 1}};
    const Mat3 turn = best_rotation(pairs);
    const Score score = kernels.score(run_of(rays, turn, *log_zoom, limit));
    if (best && score.cost >= best->cost) continue;
    best = Candidate{turn, *log_zoom, score.inliers, score.cost};
    rounds = rounds_for(static_cast<double>(score.inliers) / static_cast<double>(count));
  }
  return best;
}

}  // namespace sightline::geometry::ptz
