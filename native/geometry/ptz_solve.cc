#include "ptz_solve.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace sightline::geometry::ptz {
namespace {

/// What is known beforehand of log zoom, k1 and k2 (beyond the camera's), and of the principal point in pixels: deviations around 0. Wide for what the
/// pictures show; a principal point that is half a pixel off hardly shows, but matters to a roll.
constexpr double prior[shared_unknowns] = {0.2, 0.15, 0.15, 0.3, 0.3};
constexpr double huber = 1.5;
/// Beyond so many deviations a match is none.
constexpr double gate = 4.5;
constexpr double least_noise_px = 0.02;
/// Median distance of a two-dimensional normal distribution of deviation 1.
constexpr double median_radius = 1.17741;

struct Weighted {
  Residual residual;
  std::size_t match = 0;
  std::size_t slot = 0;
  double deviation = 1;
};

std::vector<Weighted> residuals_of(const Problem& problem, const Unknowns& unknowns, const Selection& selection, bool inliers_only) {
  std::vector<Weighted> out;
  for (std::size_t i = 0; i < problem.matches.size(); ++i) {
    const Match& match = problem.matches[i];
    const int slot = selection.slot_of_query[match.query];
    if (slot < 0 || (inliers_only && selection.inlier[i] == 0)) continue;
    const auto at = static_cast<std::size_t>(slot);
    Weighted one{residual_of(problem, match, unknowns.offsets[at], unknowns.log_zoom, unknowns.lens), i, at, spread_of_size(match.size)};
    if (one.residual.valid) out.push_back(one);
  }
  return out;
}

/// Column of the j-th derivative of a match of `slot`, with `shared` the first column of what all views share.
std::size_t column_of(std::size_t slot, std::size_t shared, std::size_t j) { return j < 3 ? slot * 3 + j : shared + j - 3; }

struct Normal {
  Matrix curvature;  ///< with the prior
  std::vector<double> slope;
};

/// `efficient`: the curvature of Huber's loss itself, as a covariance needs it; else the weights of the next step.
Normal normal_of(const std::vector<Weighted>& residuals, const Unknowns& unknowns, double noise, bool efficient) {
  const std::size_t shared = unknowns.offsets.size() * 3, size = shared + shared_unknowns;
  Normal normal{Matrix(size), std::vector<double>(size, 0.0)};
  for (const Weighted& one : residuals) {
    const Residual& r = one.residual;
    const double scale = noise * one.deviation;
    const double length = std::hypot(r.dx, r.dy) / scale;
    const double weight = (length <= huber ? 1 : huber / length) / (scale * scale);
    // Across the residual the loss bends as the weight says; along it, beyond the bend, not at all.
    double along[2] = {0, 0};
    if (efficient && length > huber) along[0] = r.dx / (length * scale), along[1] = r.dy / (length * scale);
    for (std::size_t i = 0; i < match_unknowns; ++i) {
      const std::size_t row = column_of(one.slot, shared, i);
      const double xi = r.jacobian[0][i], yi = r.jacobian[1][i];
      normal.slope[row] += weight * (xi * r.dx + yi * r.dy);
      const double ai = xi * along[0] + yi * along[1];
      for (std::size_t j = 0; j <= i; ++j) {
        const double aj = r.jacobian[0][j] * along[0] + r.jacobian[1][j] * along[1];
        normal.curvature.at(row, column_of(one.slot, shared, j)) += weight * (xi * r.jacobian[0][j] + yi * r.jacobian[1][j] - ai * aj);
      }
    }
  }
  const double value[shared_unknowns] = {unknowns.log_zoom, unknowns.lens.k1, unknowns.lens.k2, unknowns.lens.cx, unknowns.lens.cy};
  for (std::size_t i = 0; i < shared_unknowns; ++i) {
    normal.curvature.at(shared + i, shared + i) += 1 / (prior[i] * prior[i]);
    normal.slope[shared + i] += value[i] / (prior[i] * prior[i]);
  }
  for (std::size_t i = 0; i < size; ++i) {
    for (std::size_t j = i + 1; j < size; ++j) normal.curvature.at(i, j) = normal.curvature.at(j, i);
  }
  return normal;
}

/// One step; false when the system is singular. `moved` gets its length in radians (and zoom, lens).
bool step(const std::vector<Weighted>& residuals, double noise, Unknowns* unknowns, double* moved) {
  const Normal normal = normal_of(residuals, *unknowns, noise, false);
  Matrix inverse(normal.curvature.size());
  if (!invert(normal.curvature, &inverse)) return false;
  const std::vector<double> change = product(inverse, normal.slope);
  *moved = 0;
  // The principal point is in pixels, all else in radians and the like.
  for (std::size_t i = 0; i < change.size(); ++i) *moved = std::max(*moved, std::abs(change[i]) * (i + 2 < change.size() ? 1 : 1e-3));
  if (!std::isfinite(*moved)) return false;
  // A step that leaves the neighbourhood in which the model is nearly straight is shortened.
  const double share = std::min(1.0, 0.1 / std::max(*moved, 1e-30));
  const std::size_t shared = unknowns->offsets.size() * 3;
  for (std::size_t slot = 0; slot * 3 < shared; ++slot) {
    const Vec3 turn{-share * change[slot * 3], -share * change[slot * 3 + 1], -share * change[slot * 3 + 2]};
    unknowns->offsets[slot] = multiply(rotation_of(turn), unknowns->offsets[slot]);
  }
  unknowns->log_zoom -= share * change[shared];
  unknowns->lens.k1 -= share * change[shared + 1];
  unknowns->lens.k2 -= share * change[shared + 2];
  unknowns->lens.cx -= share * change[shared + 3];
  unknowns->lens.cy -= share * change[shared + 4];
  return true;
}

double noise_of(const std::vector<Weighted>& residuals, double limit_px) {
  std::vector<double> lengths;
  for (const Weighted& one : residuals) {
    const double length = std::hypot(one.residual.dx, one.residual.dy);
    if (length < limit_px * one.deviation) lengths.push_back(length / one.deviation);
  }
  if (lengths.empty()) return 0;
  const auto middle = lengths.begin() + static_cast<std::ptrdiff_t>(lengths.size() / 2);
  std::nth_element(lengths.begin(), middle, lengths.end());
  return std::max(least_noise_px, *middle / median_radius);
}

/// Residuals of one neighbourhood (a cell of a query) share causes, so their pulls are added before they are squared.
void add_covariance(const Problem& problem, const std::vector<Weighted>& residuals, Solution* solution) {
  const Normal normal = normal_of(residuals, solution->unknowns, solution->noise_px, true);
  const std::size_t size = normal.curvature.size(), shared = size - shared_unknowns;
  Matrix inverse(size);
  if (!invert(normal.curvature, &inverse)) {
    // Too many matches beyond the bend: the weights bound the curvature from above.
    if (!invert(normal_of(residuals, solution->unknowns, solution->noise_px, false).curvature, &inverse)) return;
  }
  std::map<std::size_t, std::array<double, match_unknowns>> pulls;
  for (const Weighted& one : residuals) {
    const Match& match = problem.matches[one.match];
    const auto cell = [](double at, double extent, int cells) { return static_cast<std::size_t>(std::clamp(static_cast<int>(at / extent * cells), 0, cells - 1)); };
    const std::size_t key = (one.slot * cells_down + cell(match.query_y, problem.height, cells_down)) * cells_across + cell(match.query_x, problem.width, cells_across);
    const Residual& r = one.residual;
    const double scale = solution->noise_px * one.deviation;
    const double length = std::hypot(r.dx, r.dy) / scale;
    const double weight = (length <= huber ? 1 : huber / length) / (scale * scale);
    std::array<double, match_unknowns>& pull = pulls[key];
    for (std::size_t i = 0; i < match_unknowns; ++i) pull[i] += weight * (r.jacobian[0][i] * r.dx + r.jacobian[1][i] * r.dy);
  }
  Matrix meat(size);
  for (const auto& [key, pull] : pulls) {
    const std::size_t slot = key / (cells_across * cells_down);
    for (std::size_t i = 0; i < match_unknowns; ++i) {
      for (std::size_t j = 0; j < match_unknowns; ++j) meat.at(column_of(slot, shared, i), column_of(slot, shared, j)) += pull[i] * pull[j];
    }
  }
  const auto clusters = static_cast<double>(pulls.size());
  const auto unknowns = static_cast<double>(size);
  // The residuals have been fitted: with few neighbourhoods they pull less than their causes do.
  const double correction = clusters / std::max(1.0, clusters - unknowns);
  for (std::size_t i = 0; i < size; ++i) {
    for (std::size_t j = 0; j < size; ++j) meat.at(i, j) *= correction;
  }
  for (std::size_t i = 0; i < shared_unknowns; ++i) meat.at(shared + i, shared + i) += 1 / (prior[i] * prior[i]);
  solution->clusters = static_cast<int>(pulls.size());
  solution->covariance = product(product(inverse, meat), inverse);
  solution->model_covariance = std::move(inverse);
}

}  // namespace

double spread_of_size(double size) { return std::sqrt(1 + 0.02 * size * size); }

Residual residual_of(const Problem& problem, const Match& match, const Mat3& offset, double log_zoom, const Lens& lens) {
  Residual out;
  const View& reference = problem.references[match.reference];
  const View& query = problem.queries[match.query];
  const Camera camera = with(problem.camera, lens);
  const Undistorted from = undistort(camera, reference.zoom, match.reference_x, match.reference_y);
  if (!from.valid) return out;
  const Vec3 world = apply(transpose(reference.rotation), {from.x, from.y, 1});
  // Reality = telemetry * offset^T.
  const Mat3 real = multiply(query.rotation, transpose(offset));
  const Seen seen = see(camera, query.zoom * std::exp(log_zoom), apply(real, world));
  if (!seen.valid) return out;
  const Mat3 relative = multiply(real, transpose(reference.rotation));
  for (std::size_t i = 0; i < 2; ++i) {
    const double* by = seen.by_direction[i];
    // offset -> exp(w) offset turns the world by -w first: d(direction) = real * (world x w).
    const Vec3 row{by[0] * real[0] + by[1] * real[3] + by[2] * real[6], by[0] * real[1] + by[1] * real[4] + by[2] * real[7],
                   by[0] * real[2] + by[1] * real[5] + by[2] * real[8]};
    const Vec3 by_turn = cross(row, world);
    for (std::size_t k = 0; k < 3; ++k) out.jacobian[i][k] = by_turn[k];
    out.jacobian[i][3] = seen.by_log_zoom[i];
    // Both pictures shift.
    const double by_x = by[0] * relative[0] + by[1] * relative[3] + by[2] * relative[6];
    const double by_y = by[0] * relative[1] + by[1] * relative[4] + by[2] * relative[7];
    for (std::size_t k = 0; k < 2; ++k) out.jacobian[i][6 + k] = (i == k ? 1 : 0) + by_x * from.by_centre[0][k] + by_y * from.by_centre[1][k];
    out.jacobian[i][4] = seen.by_k1[i] + (by_x * from.x + by_y * from.y) * from.by_k1;
    out.jacobian[i][5] = seen.by_k2[i] + (by_x * from.x + by_y * from.y) * from.by_k2;
  }
  out.dx = seen.x - match.query_x;
  out.dy = seen.y - match.query_y;
  out.valid = true;
  return out;
}

std::optional<Solution> solve(const Problem& problem, const Settings& settings, const Unknowns& start, Selection* selection) {
  Solution solution;
  solution.unknowns = start;
  solution.noise_px = settings.search_limit_px / 3;
  // Inliers and noise settle within a few rounds; more could only swing.
  for (int round = 0; round < 8; ++round) {
    double moved = 0;
    for (int i = 0; i < 12; ++i) {
      const std::vector<Weighted> residuals = residuals_of(problem, solution.unknowns, *selection, true);
      if (residuals.size() < 3 || !step(residuals, solution.noise_px, &solution.unknowns, &moved)) return std::nullopt;
      if (moved < 1e-10) break;
    }
    const std::vector<Weighted> all = residuals_of(problem, solution.unknowns, *selection, false);
    const double noise = noise_of(all, round < 3 ? settings.search_limit_px * 2 : settings.search_limit_px);
    if (noise == 0) return std::nullopt;
    // The noise may fall at once but rises slowly, so that a first bad round does not let everything in.
    solution.noise_px = std::min(noise, solution.noise_px * 1.5);
    std::size_t changed = 0;
    std::vector<std::uint8_t> inlier(problem.matches.size(), 0);
    for (const Weighted& one : all) {
      const double limit = gate * std::max(solution.noise_px, round < 2 ? 0.5 : 0.0) * one.deviation;
      inlier[one.match] = std::hypot(one.residual.dx, one.residual.dy) < limit ? 1 : 0;
    }
    for (std::size_t i = 0; i < inlier.size(); ++i) changed += inlier[i] != selection->inlier[i] ? 1U : 0U;
    selection->inlier = std::move(inlier);
    if (round >= 3 && changed == 0) break;
  }
  const std::vector<Weighted> residuals = residuals_of(problem, solution.unknowns, *selection, true);
  double moved = 0;
  if (residuals.size() < 3 || !step(residuals, solution.noise_px, &solution.unknowns, &moved)) return std::nullopt;
  add_covariance(problem, residuals_of(problem, solution.unknowns, *selection, true), &solution);
  if (solution.covariance.size() == 0) return std::nullopt;
  return solution;
}

}  // namespace sightline::geometry::ptz
