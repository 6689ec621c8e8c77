#include "ptz_solve.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace sightline::geometry::ptz {
namespace {

/// What is known beforehand of log zoom, k1 and k2 (beyond the camera's), the change of k1, and of the principal point in pixels: deviations around 0. Wide for what the
/// pictures show; a principal point that is half a pixel off hardly shows, but matters to a roll.
constexpr double prior[shared_unknowns] = {0.2, 0.15, 0.15, 0.1, 0.3, 0.3};
constexpr double huber = 1.5;
/// Beyond so many deviations a match is none.
constexpr double gate = 4.5;
constexpr double least_noise_px = 0.02;
/// Cells over which residuals are taken to have causes in common, falling off linearly.
constexpr int region_cells = 4;
/// Pictures turned by more than this against each other see the same point through very different parts of the lens. What the lens model lacks then
/// turns the rotation in proportion to what is beyond, as photographs by hand show (docs/PTZ_ALGORITHM.md).
constexpr double lens_reach_rad = 15 * 0.017453292519943295;
constexpr double lens_doubt = 0.007;
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
  const double value[shared_unknowns] = {unknowns.log_zoom, unknowns.lens.k1, unknowns.lens.k2, unknowns.lens.k1_change, unknowns.lens.cx, unknowns.lens.cy};
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
  unknowns->lens.k1_change -= share * change[shared + 3];
  unknowns->lens.cx -= share * change[shared + 4];
  unknowns->lens.cy -= share * change[shared + 5];
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

using Pull = std::array<double, match_unknowns>;

/// The slope that the matches of each neighbourhood (slot of the query, row and column of its cell) contribute.
std::map<std::array<int, 3>, Pull> pulls_of(const Problem& problem, const std::vector<Weighted>& residuals, double noise) {
  std::map<std::array<int, 3>, Pull> pulls;
  const auto cell = [](double at, double extent, int cells) { return std::clamp(static_cast<int>(at / extent * cells), 0, cells - 1); };
  for (const Weighted& one : residuals) {
    const Match& match = problem.matches[one.match];
    const Residual& r = one.residual;
    const double scale = noise * one.deviation;
    const double length = std::hypot(r.dx, r.dy) / scale;
    const double weight = (length <= huber ? 1 : huber / length) / (scale * scale);
    Pull& pull = pulls[{static_cast<int>(one.slot), cell(match.query_y, problem.height, cells_down), cell(match.query_x, problem.width, cells_across)}];
    for (std::size_t i = 0; i < match_unknowns; ++i) pull[i] += weight * (r.jacobian[0][i] * r.dx + r.jacobian[1][i] * r.dy);
  }
  return pulls;
}

/// The scatter of the pulls as the sum of products of neighbourhoods up to `reach` - 1 cells apart, nearer ones counting more (Bartlett's kernel, which
/// keeps it a covariance). Reach 1: each neighbourhood by itself.
Matrix scatter_of(const std::map<std::array<int, 3>, Pull>& pulls, std::size_t size, int reach) {
  const std::size_t shared = size - shared_unknowns;
  Matrix scatter(size);
  for (const auto& [here, a] : pulls) {
    const auto slot = static_cast<std::size_t>(here[0]);
    for (int down = 1 - reach; down < reach; ++down) {
      for (int across = 1 - reach; across < reach; ++across) {
        const auto there = pulls.find({here[0], here[1] + down, here[2] + across});
        if (there == pulls.end()) continue;
        const double share = (1 - std::abs(down) / static_cast<double>(reach)) * (1 - std::abs(across) / static_cast<double>(reach));
        const Pull& b = there->second;
        for (std::size_t i = 0; i < match_unknowns; ++i) {
          for (std::size_t j = 0; j < match_unknowns; ++j) scatter.at(column_of(slot, shared, i), column_of(slot, shared, j)) += share * a[i] * b[j];
        }
      }
    }
  }
  return scatter;
}

/// Variance that the unknown of the lens adds to the turn of each query: by the nearest of its references, which ties it best.
std::vector<double> lens_variance_of(const Problem& problem, const std::vector<Weighted>& residuals, const Unknowns& unknowns) {
  std::map<std::array<std::size_t, 2>, double> turns;
  for (const Weighted& one : residuals) {
    const Match& match = problem.matches[one.match];
    const auto [place, added] = turns.try_emplace({one.slot, match.reference}, 0.0);
    if (!added) continue;
    const Mat3 real = multiply(problem.queries[match.query].rotation, transpose(unknowns.offsets[one.slot]));
    const Vec3 turn = vector_of(multiply(real, transpose(problem.references[match.reference].rotation)));
    place->second = std::sqrt(dot(turn, turn));
  }
  std::vector<double> nearest(unknowns.offsets.size(), 4.0);
  for (const auto& [pair, turn] : turns) nearest[pair[0]] = std::min(nearest[pair[0]], turn);
  for (double& turn : nearest) turn = std::pow(lens_doubt * std::max(0.0, turn - lens_reach_rad), 2);
  return nearest;
}

/// Residuals of one neighbourhood share causes, and where the model does not fit (parallax, a lens of another kind), so do those of whole regions.
void add_covariance(const Problem& problem, const std::vector<Weighted>& residuals, Solution* solution) {
  const Normal normal = normal_of(residuals, solution->unknowns, solution->noise_px, true);
  const std::size_t size = normal.curvature.size(), shared = size - shared_unknowns;
  Matrix inverse(size);
  if (!invert(normal.curvature, &inverse)) {
    // Too many matches beyond the bend: the weights bound the curvature from above.
    if (!invert(normal_of(residuals, solution->unknowns, solution->noise_px, false).curvature, &inverse)) return;
  }
  const auto pulls = pulls_of(problem, residuals, solution->noise_px);
  // The residuals have been fitted: with few neighbourhoods they pull less than their causes do.
  const auto clusters = static_cast<double>(pulls.size());
  const double correction = clusters / std::max(1.0, clusters - static_cast<double>(size));
  const auto covariance_with = [&](int reach) {
    Matrix middle = scatter_of(pulls, size, reach);
    for (std::size_t i = 0; i < size; ++i) {
      for (std::size_t j = 0; j < size; ++j) middle.at(i, j) *= correction;
    }
    for (std::size_t i = 0; i < shared_unknowns; ++i) middle.at(shared + i, shared + i) += 1 / (prior[i] * prior[i]);
    return product(product(inverse, middle), inverse);
  };
  solution->clusters = static_cast<int>(pulls.size());
  solution->covariance = covariance_with(1);
  // Wider neighbourhoods may only widen it. Scaling a row and its column alike keeps a covariance one.
  const Matrix wide = covariance_with(region_cells);
  std::vector<double> scale(size);
  for (std::size_t i = 0; i < size; ++i) scale[i] = std::sqrt(std::max(1.0, wide.at(i, i) / solution->covariance.at(i, i)));
  for (std::size_t i = 0; i < size; ++i) {
    for (std::size_t j = 0; j < size; ++j) solution->covariance.at(i, j) *= scale[i] * scale[j];
  }
  solution->model_covariance = std::move(inverse);
  const std::vector<double> lens = lens_variance_of(problem, residuals, solution->unknowns);
  for (std::size_t i = 0; i < shared; ++i) {
    solution->covariance.at(i, i) += lens[i / 3];
    solution->model_covariance.at(i, i) += lens[i / 3];
  }
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
  const Seen seen = see(now_with(problem.camera, lens), query.zoom * std::exp(log_zoom), apply(real, world));
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
    for (std::size_t k = 0; k < 2; ++k) out.jacobian[i][7 + k] = (i == k ? 1 : 0) + by_x * from.by_centre[0][k] + by_y * from.by_centre[1][k];
    out.jacobian[i][4] = seen.by_k1[i] + (by_x * from.x + by_y * from.y) * from.by_k1;
    out.jacobian[i][5] = seen.by_k2[i] + (by_x * from.x + by_y * from.y) * from.by_k2;
    // Only the query's picture bends.
    out.jacobian[i][6] = seen.by_k1[i];
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
