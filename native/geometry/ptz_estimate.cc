#include "ptz_estimate.hpp"

#include <algorithm>
#include <bitset>
#include <cmath>

#include "ptz_linear.hpp"
#include "ptz_ransac.hpp"
#include "ptz_solve.hpp"

namespace sightline::geometry::ptz {
namespace {

constexpr std::size_t cell_count = std::size_t{cells_across} * cells_down;

/// Counts inliers and the cells of the picture that hold one.
class Cover {
 public:
  Cover(double width, double height) : width_(width), height_(height) {}
  void add(const Match& match) {
    const auto cell = [](double at, double extent, int cells) { return static_cast<std::size_t>(std::clamp(static_cast<int>(at / extent * cells), 0, cells - 1)); };
    cells_.set(cell(match.query_y, height_, cells_down) * cells_across + cell(match.query_x, width_, cells_across));
    ++inliers;
  }
  int cells() const { return static_cast<int>(cells_.count()); }
  int inliers = 0;

 private:
  double width_, height_;
  std::bitset<cell_count> cells_;
};

/// A first offset of each query whose matches agree on one; the others keep why they don't.
void find_starts(const Problem& problem, const Settings& settings, const Kernels& kernels, Estimate* out, Unknowns* start, Selection* selection) {
  std::vector<std::vector<std::uint32_t>> of_query(problem.queries.size());
  for (std::uint32_t i = 0; i < problem.matches.size(); ++i) of_query[problem.matches[i].query].push_back(i);
  double zooms = 0;
  for (std::size_t query = 0; query < problem.queries.size(); ++query) {
    ViewEstimate& view = out->views[query];
    const std::vector<std::uint32_t>& matches = of_query[query];
    view.matches = static_cast<int>(matches.size());
    if (view.matches < settings.least_inliers) continue;
    const std::optional<Candidate> found = search(problem, matches, settings.search_limit_px, settings.seed + query * 7919, kernels);
    view.verdict = Verdict::inconsistent;
    if (!found || found->inliers < settings.least_inliers) continue;
    // The turn is in the frame of the expected camera: reality = turn * telemetry, offset = reality^T * telemetry.
    const Mat3& expected = problem.queries[query].rotation;
    const Mat3 offset = multiply(transpose(multiply(found->turn, expected)), expected);
    Cover cover(problem.width, problem.height);
    for (const std::uint32_t index : matches) {
      const Residual residual = residual_of(problem, problem.matches[index], offset, found->log_zoom, {});
      const bool near = residual.valid && std::hypot(residual.dx, residual.dy) < settings.search_limit_px;
      selection->inlier[index] = near ? 1 : 0;
      if (near) cover.add(problem.matches[index]);
    }
    if (cover.inliers < settings.least_inliers) continue;
    view.verdict = cover.cells() < settings.least_cells ? Verdict::poor_spread : Verdict::used;
    if (view.verdict != Verdict::used) continue;
    selection->slot_of_query[query] = static_cast<int>(start->offsets.size());
    start->offsets.push_back(offset);
    zooms += found->log_zoom;
  }
  if (!start->offsets.empty()) start->log_zoom = zooms / static_cast<double>(start->offsets.size());
}

/// Takes out queries whose matches fell apart, or lie too close together, in the joint solution. True when one was.
bool take_out(const Problem& problem, const Settings& settings, Estimate* out, Solution* solution, Selection* selection) {
  std::vector<Cover> covers(problem.queries.size(), Cover(problem.width, problem.height));
  for (std::size_t i = 0; i < problem.matches.size(); ++i) {
    const Match& match = problem.matches[i];
    if (selection->inlier[i] != 0 && selection->slot_of_query[match.query] >= 0) covers[match.query].add(match);
  }
  bool changed = false;
  Unknowns kept{.offsets = {}, .log_zoom = solution->unknowns.log_zoom, .lens = solution->unknowns.lens};
  for (std::size_t query = 0; query < problem.queries.size(); ++query) {
    const int slot = selection->slot_of_query[query];
    if (slot < 0) continue;
    ViewEstimate& view = out->views[query];
    view.inliers = covers[query].inliers;
    view.cells = covers[query].cells();
    view.offset = solution->unknowns.offsets[static_cast<std::size_t>(slot)];
    const Vec3 turn = vector_of(view.offset);
    if (view.inliers < settings.least_inliers) {
      view.verdict = Verdict::inconsistent;
    } else if (view.cells < settings.least_cells) {
      view.verdict = Verdict::poor_spread;
    } else if (std::sqrt(dot(turn, turn)) > settings.largest_offset_rad) {
      view.verdict = Verdict::too_large;
    } else {
      selection->slot_of_query[query] = static_cast<int>(kept.offsets.size());
      kept.offsets.push_back(view.offset);
      continue;
    }
    selection->slot_of_query[query] = -1;
    changed = true;
  }
  solution->unknowns = std::move(kept);
  return changed;
}

/// The three angles' derivatives by the rotation vector w of exp(w) offset.
Mat3 angles_by_turn(const Mat3& offset) {
  Mat3 out{};
  constexpr double h = 1e-6;
  for (std::size_t k = 0; k < 3; ++k) {
    Vec3 w{};
    w[k] = h;
    const Angles up = angles_of(multiply(rotation_of(w), offset));
    w[k] = -h;
    const Angles down = angles_of(multiply(rotation_of(w), offset));
    out[k] = (up.yaw - down.yaw) / (2 * h);
    out[3 + k] = (up.pitch - down.pitch) / (2 * h);
    out[6 + k] = (up.roll - down.roll) / (2 * h);
  }
  return out;
}

struct Combined {
  Mat3 offset = identity;
  Mat3 within{};   ///< covariance from the residuals
  Mat3 between{};  ///< from the scatter of the views
  double scatter = 0;
  double excess = 1;  ///< how much further apart the views are than their own covariances say, as a ratio of variances
};

/// Weighted mean of the views' offsets on SO(3), views as random draws around it (DerSimonian and Laird's variance between them).
Combined combine(const Solution& solution) {
  const std::vector<Mat3>& offsets = solution.unknowns.offsets;
  const std::size_t views = offsets.size(), size = views * 3;
  Combined out;
  out.offset = offsets[0];
  double between = 0;
  Matrix weights(size);
  // The mean moves at most a little in the tangent space of the last one; three rounds are plenty.
  for (int round = 0; round < 3; ++round) {
    Matrix spread(size);
    for (std::size_t i = 0; i < size; ++i) {
      for (std::size_t j = 0; j < size; ++j) spread.at(i, j) = solution.model_covariance.at(i, j);
      spread.at(i, i) += between;
    }
    if (!invert(spread, &weights)) break;
    Matrix total(3);
    std::vector<double> pull(3, 0.0), turns(size);
    for (std::size_t view = 0; view < views; ++view) {
      const Vec3 turn = vector_of(multiply(offsets[view], transpose(out.offset)));
      for (std::size_t k = 0; k < 3; ++k) turns[view * 3 + k] = turn[k];
    }
    for (std::size_t i = 0; i < size; ++i) {
      for (std::size_t j = 0; j < size; ++j) {
        total.at(i % 3, j % 3) += weights.at(i, j);
        pull[i % 3] += weights.at(i, j) * turns[j];
      }
    }
    Matrix inverse(3);
    if (!invert(total, &inverse)) break;
    const std::vector<double> mean = product(inverse, pull);
    out.offset = multiply(rotation_of({mean[0], mean[1], mean[2]}), out.offset);
    // mean = sum of A_j turn_j with A = inverse * (column sums of the weights).
    std::vector<Mat3> share(views, Mat3{});
    for (std::size_t i = 0; i < size; ++i) {
      for (std::size_t j = 0; j < size; ++j) {
        for (std::size_t k = 0; k < 3; ++k) share[j / 3][k * 3 + j % 3] += inverse.at(k, i % 3) * weights.at(i, j);
      }
    }
    out.within = out.between = Mat3{};
    for (std::size_t k = 0; k < 3; ++k) {
      for (std::size_t l = 0; l < 3; ++l) {
        for (std::size_t i = 0; i < size; ++i) {
          for (std::size_t j = 0; j < size; ++j) out.within[k * 3 + l] += share[i / 3][k * 3 + i % 3] * solution.covariance.at(i, j) * share[j / 3][l * 3 + j % 3];
          out.between[k * 3 + l] += between * share[i / 3][k * 3 + i % 3] * share[i / 3][l * 3 + i % 3];
        }
      }
    }
    if (views < 2 || round > 0) continue;
    // How far apart are the views, against what their covariances explain?
    double quarrel = 0, plain = 0, squared = 0;
    Matrix squares(3);
    for (std::size_t i = 0; i < size; ++i) {
      plain += weights.at(i, i);
      for (std::size_t j = 0; j < size; ++j) {
        quarrel += (turns[i] - mean[i % 3]) * weights.at(i, j) * (turns[j] - mean[j % 3]);
        double square = 0;
        for (std::size_t k = 0; k < size; ++k) square += weights.at(i, k) * weights.at(k, j);
        squares.at(i % 3, j % 3) += square;
      }
    }
    for (std::size_t k = 0; k < 3; ++k) {
      for (std::size_t l = 0; l < 3; ++l) squared += inverse.at(k, l) * squares.at(l, k);
    }
    const double freedom = 3.0 * static_cast<double>(views - 1);
    out.excess = quarrel / freedom;
    between = std::max(0.0, (quarrel - freedom) / (plain - squared));
    out.scatter = std::sqrt(between);
  }
  return out;
}

Mat3 sandwich(const Mat3& a, const Mat3& middle) { return multiply(multiply(a, middle), transpose(a)); }

void fill_result(const Problem& problem, const Solution& solution, const Selection& selection, Estimate* out) {
  const Combined combined = combine(solution);
  const auto views = solution.unknowns.offsets.size();
  const std::size_t shared = views * 3;
  out->verdict = Verdict::used;
  out->offset = combined.offset;
  out->angles = angles_of(combined.offset);
  out->scatter = combined.scatter;
  out->disagree = combined.excess > 25 && combined.scatter > 2e-3;
  const Mat3 turn_to_angles = angles_by_turn(combined.offset);
  const Mat3 within = sandwich(turn_to_angles, combined.within), between = sandwich(turn_to_angles, combined.between);
  const double own_freedom = std::max(3.0, static_cast<double>(solution.clusters) - static_cast<double>(shared + shared_unknowns));
  const double view_freedom = std::max(1.0, 3.0 * (static_cast<double>(views) - 1));
  for (std::size_t k = 0; k < 9; ++k) out->covariance[k] = within[k] + between[k];
  for (std::size_t k = 0; k < 3; ++k) {
    const double a = within[k * 4], b = between[k * 4];
    // Welch and Satterthwaite: the freedom of a sum of two variances.
    const double freedom = (a + b) * (a + b) / (a * a / own_freedom + b * b / view_freedom);
    out->half_interval[k] = student_975(freedom) * std::sqrt(a + b);
  }
  out->log_zoom = solution.unknowns.log_zoom;
  out->log_zoom_deviation = std::sqrt(solution.covariance.at(shared, shared));
  out->lens = solution.unknowns.lens;
  out->noise_px = solution.noise_px;
  Cover cover(problem.width, problem.height);
  for (std::size_t i = 0; i < problem.matches.size(); ++i) {
    const bool in = selection.inlier[i] != 0 && selection.slot_of_query[problem.matches[i].query] >= 0;
    out->inlier[i] = in ? 1 : 0;
    if (in) cover.add(problem.matches[i]);
  }
  out->inliers = cover.inliers;
  out->cells = cover.cells();
  for (std::size_t query = 0; query < problem.queries.size(); ++query) {
    const int slot = selection.slot_of_query[query];
    if (slot < 0) continue;
    ViewEstimate& view = out->views[query];
    view.offset = solution.unknowns.offsets[static_cast<std::size_t>(slot)];
    const std::size_t first = static_cast<std::size_t>(slot) * 3;
    Mat3 own{};
    for (std::size_t i = 0; i < 9; ++i) own[i] = solution.covariance.at(first + i / 3, first + i % 3);
    view.covariance = sandwich(angles_by_turn(view.offset), own);
  }
}

}  // namespace

Estimate estimate(const Problem& problem, const Settings& settings, const Kernels& kernels) {
  Estimate out;
  out.views.resize(problem.queries.size());
  out.inlier.assign(problem.matches.size(), 0);
  Unknowns start;
  Selection selection{std::vector<int>(problem.queries.size(), -1), std::vector<std::uint8_t>(problem.matches.size(), 0)};
  find_starts(problem, settings, kernels, &out, &start, &selection);
  while (!start.offsets.empty()) {
    std::optional<Solution> solution = solve(problem, settings, start, &selection);
    if (!solution) {
      for (std::size_t query = 0; query < problem.queries.size(); ++query) {
        if (selection.slot_of_query[query] >= 0) out.views[query].verdict = Verdict::inconsistent;
      }
      break;
    }
    Solution whole = *solution;
    if (!take_out(problem, settings, &out, &*solution, &selection)) {
      fill_result(problem, whole, selection, &out);
      return out;
    }
    start = solution->unknowns;
  }
  // Nothing could be used: the worst that was said of the views that came furthest.
  for (const ViewEstimate& view : out.views) {
    if (view.verdict != Verdict::used && static_cast<int>(view.verdict) > static_cast<int>(out.verdict)) out.verdict = view.verdict;
  }
  return out;
}

}  // namespace sightline::geometry::ptz
