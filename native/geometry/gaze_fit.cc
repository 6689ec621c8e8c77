// The fit from beginning to end, and what the reference derives from its minimiser.
#include <cmath>

#include "gaze_parts.hpp"
#include "sums.hpp"

namespace sightline::geometry {
namespace {

using std::size_t;

double median_of(const std::vector<double>& column, size_t from, size_t to) {
  std::vector<double> values(column.begin() + static_cast<std::ptrdiff_t>(from), column.begin() + static_cast<std::ptrdiff_t>(to));
  return median(values);
}

/// 4x4 with this diagonal rotation and this translation.
std::array<double, 16> transform(const std::array<double, 3>& rotation, double x, double y, double z) {
  return {rotation[0], 0, 0, x, 0, rotation[1], 0, y, 0, 0, rotation[2], z, 0, 0, 0, 1};
}

/// STransW times the element-wise median of the kept WTransG, whose translations are scaled. Quirk of the reference: such a median need
/// not be a rotation, and rows that are all zero take part.
void set_sfm_transforms(const GazeColumns& kept, GazeFit& fit) {
  fit.scaleWtG = fit.x[0];
  fit.STransW = transform(SRotW, fit.x[1], fit.x[2], 0);
  std::array<double, 16> middle{};
  for (size_t cell = 0; cell < 16; ++cell) {
    std::vector<double> values = kept.wtransg[cell];
    if (cell % 4 == 3 && cell < 12) {
      for (double& value : values) value *= fit.scaleWtG;
    }
    middle[cell] = median(values);
  }
  for (size_t i = 0; i < 4; ++i) {
    for (size_t j = 0; j < 4; ++j) {
      double entry = 0;
      for (size_t m = 0; m < 4; ++m) entry += fit.STransW[i * 4 + m] * middle[m * 4 + j];
      fit.STransG[i * 4 + j] = entry;
    }
  }
}

/// A translation for each target, which puts the median of its kept gazes exactly on it.
void set_target_transforms(const GazeColumns& kept, GazeFit& fit) {
  std::array<double, 3> world{};  // SfM: SRotW times the scaled median translation
  for (size_t a = 0; fit.sfm && a < 3; ++a) world[a] = SRotW[a] * (fit.scaleWtG * median_of(kept.wtransg[a * 4 + 3], 0, kept.size()));
  for (int target = 0; target < kept.targets; ++target) {
    const auto t = static_cast<size_t>(target);
    const size_t from = kept.begin[t];
    std::array<double, 3> gaze{};
    for (size_t a = 0; a < 3; ++a) gaze[a] = median_of(kept.gaze[a], from, kept.begin[t + 1]);
    const double scale = -fit.STransG[11] / gaze[2];
    for (size_t a = 0; a < 3; ++a) {
      const double set = kept.set[a][from];
      const double StG = set - SRotG[a] * (scale * gaze[a]);
      fit.SetValues.push_back(set);
      fit.StG.push_back(StG);
      if (fit.sfm) fit.StW.push_back(StG - world[a]);
    }
  }
}

double half_squares(const Kernels& k, const GazeColumns& kept, const ScreenLine& line) {
  const size_t n = kept.size();
  std::vector<double> residual(n);
  double total = 0;
  for (size_t a = 0; a < 3; ++a) {
    if (kept.c[a].empty()) continue;
    for (size_t i = 0; i < n; ++i) residual[i] = kept.set[a][i] - point_on(kept, line, a, i);
    total += product(k, residual.data(), residual.data(), n);
  }
  return total / 2;
}

}  // namespace

GazeFit fit_gaze(GazeTable table, bool sfm, Report report) {
  const Kernels& k = active_kernels();
  GazeFit fit;
  GazeColumns all = group_rows(table, sfm, fit);
  if (fit.problem.fault != GazeFault::none) return fit;
  fill_lines(k, sfm, all);
  const GazeColumns kept = keep_inliers(k, all, sfm, fit);
  if (fit.problem.fault != GazeFault::none) return fit;
  const ScreenLine line = fit_line(k, kept, nullptr, Gains::common);
  if (!line.determined) {
    fit.problem.fault = GazeFault::undetermined;
    return fit;
  }
  fit.cost = half_squares(k, kept, line);
  if (sfm) {
    fit.x = {line.gain_x, line.x_mm, line.y_mm};
    set_sfm_transforms(kept, fit);
  } else {
    fit.x = {line.x_mm, line.y_mm, line.gain_x};
    fit.STransG = transform(SRotG, line.x_mm, line.y_mm, line.gain_x);
  }
  set_target_transforms(kept, fit);
  if (report == Report::none) return fit;
  for (int t = 0; t < fit.targets; ++t) fit.in_sample.push_back(target_error(all, t, line, &fit.SetValues[static_cast<size_t>(t) * 3]));
  fit.held_out = held_out_errors(k, all, kept, fit);
  fit.robust = fit_robust(k, all, kept, fit);
  return fit;
}

}  // namespace sightline::geometry
