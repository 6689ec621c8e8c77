// The second opinion: iteratively reweighted least squares with Tukey's biweight over all usable rows, not only those that the
// reference's one-deviation test keeps (which throws away half of good data), and a gain for each axis, since a gaze model may be too
// short in one of them. Starts at the reference's own choice of rows.
#include <algorithm>
#include <cmath>

#include "gaze_parts.hpp"

namespace sightline::geometry {
namespace {

using std::size_t;

constexpr int iterations_max = 40;
constexpr double settled_mm = 1e-7;
constexpr double tukey = 4.685;            ///< 95 % efficiency on normal residuals
constexpr double rayleigh_median = 1.1774; ///< median length of a two-dimensional residual of unit deviation
constexpr double sigma_floor_mm = 1e-6;

/// The usable rows of all targets but `left_out` (-1: of all).
GazeColumns usable_rows(const GazeColumns& all, int left_out) {
  GazeColumns rows;
  rows.targets = all.targets;
  const auto finite = [&](size_t i) {
    for (size_t a = 0; a < 2; ++a) {
      const bool turned = all.to_x[a].empty() || (std::isfinite(all.to_x[a][i]) && std::isfinite(all.to_y[a][i]));
      if (!turned || !std::isfinite(all.c[a][i]) || !std::isfinite(all.set[a][i])) return false;
    }
    return has_pose(all, i);
  };
  for (int target = 0; target < all.targets; ++target) {
    const auto t = static_cast<size_t>(target);
    rows.begin.push_back(rows.size());
    for (size_t i = all.begin[t]; i < all.begin[t + 1] && target != left_out; ++i) {
      if (finite(i)) copy_row(all, i, rows);
    }
  }
  rows.begin.push_back(rows.size());
  return rows;
}

/// Weights of the rows under the line of `fit`, whose spread it sets.
void weigh(const GazeColumns& rows, RobustFit& fit, std::vector<double>& weight) {
  std::vector<double> length(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    const double dx = rows.set[0][i] - point_on(rows, fit.line, 0, i);
    const double dy = rows.set[1][i] - point_on(rows, fit.line, 1, i);
    length[i] = std::sqrt(dx * dx + dy * dy);  // not hypot, which takes most of a fit's time; what overflows is rejected either way
  }
  std::vector<double> sorted = length;
  fit.sigma_mm = median(sorted) / rayleigh_median;
  const double limit = tukey * std::max(fit.sigma_mm, sigma_floor_mm);
  fit.rejected = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const double part = length[i] / limit;
    weight[i] = part < 1 ? (1 - part * part) * (1 - part * part) : 0;
    fit.rejected += part < 1 ? 0 : 1;
  }
}

double moved_mm(const ScreenLine& a, const ScreenLine& b) {
  return std::max({std::abs(a.gain_x - b.gain_x), std::abs(a.gain_y - b.gain_y), std::abs(a.x_mm - b.x_mm), std::abs(a.y_mm - b.y_mm)});
}

RobustFit reweighted(const Kernels& k, const GazeColumns& rows, const ScreenLine& start) {
  RobustFit fit;
  fit.rows = rows.size();
  fit.line = start;
  if (!start.determined || rows.size() == 0) return fit;
  std::vector<double> weight(rows.size(), 1);
  for (fit.iterations = 1; fit.iterations <= iterations_max; ++fit.iterations) {
    weigh(rows, fit, weight);
    const ScreenLine next = fit_line(k, rows, weight.data(), Gains::by_axis);
    if (!next.determined) return fit;  // too few rows agree for an axis of its own: the last line stands
    const double step = moved_mm(next, fit.line);
    fit.line = next;
    if (step < settled_mm) break;
  }
  fit.iterations = std::min(fit.iterations, iterations_max);
  return fit;
}

}  // namespace

RobustFit fit_robust(const Kernels& k, const GazeColumns& all, const GazeColumns& kept, const GazeFit& fit) {
  std::vector<double> weight(kept.size(), 1);
  RobustFit robust = reweighted(k, usable_rows(all, -1), fit_line(k, kept, nullptr, Gains::by_axis));
  for (int target = 0; target < all.targets; ++target) {
    const auto t = static_cast<size_t>(target);
    for (size_t i = kept.begin[t]; i < kept.begin[t + 1]; ++i) weight[i] = 0;
    const RobustFit rest = reweighted(k, usable_rows(all, target), fit_line(k, kept, weight.data(), Gains::by_axis));
    for (size_t i = kept.begin[t]; i < kept.begin[t + 1]; ++i) weight[i] = 1;
    robust.held_out.push_back(target_error(all, target, rest.line, &fit.SetValues[t * 3]));
  }
  return robust;
}

}  // namespace sightline::geometry
