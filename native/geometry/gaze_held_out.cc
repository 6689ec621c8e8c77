// How well a fit meets targets that it has not seen.
#include <algorithm>
#include <cmath>

#include "gaze_parts.hpp"

namespace sightline::geometry {

using std::size_t;

bool has_pose(const GazeColumns& rows, size_t i) {
  if (rows.wtransg[0].empty()) return true;
  return std::any_of(rows.wtransg.begin(), rows.wtransg.end(), [i](const std::vector<double>& cell) { return cell[i] != 0; });
}

TargetError target_error(const GazeColumns& rows, int target, const ScreenLine& line, const double* set_value) {
  const auto t = static_cast<size_t>(target);
  std::vector<double> dx, dy;
  for (size_t i = rows.begin[t]; i < rows.begin[t + 1]; ++i) {
    const double x = point_on(rows, line, 0, i) - set_value[0];
    const double y = point_on(rows, line, 1, i) - set_value[1];
    if (std::isfinite(x) && std::isfinite(y) && has_pose(rows, i)) dx.push_back(x), dy.push_back(y);
  }
  TargetError error;
  error.rows = dx.size();
  if (!line.determined || dx.empty()) return error;
  double mean_x = 0, mean_y = 0;
  for (size_t i = 0; i < dx.size(); ++i) mean_x += dx[i], mean_y += dy[i];
  mean_x /= static_cast<double>(dx.size());
  mean_y /= static_cast<double>(dx.size());
  double squares = 0;
  for (size_t i = 0; i < dx.size(); ++i) squares += (dx[i] - mean_x) * (dx[i] - mean_x) + (dy[i] - mean_y) * (dy[i] - mean_y);
  error.precision_mm = std::sqrt(squares / static_cast<double>(dx.size()));
  std::vector<double> sorted_x = dx, sorted_y = dy, away(dx.size());
  error.offset_x_mm = median(sorted_x);
  error.offset_y_mm = median(sorted_y);
  for (size_t i = 0; i < dx.size(); ++i) away[i] = std::hypot(dx[i] - error.offset_x_mm, dy[i] - error.offset_y_mm);
  error.median_mm = median(away);
  error.determined = true;
  return error;
}

std::vector<TargetError> held_out_errors(const Kernels& k, const GazeColumns& all, const GazeColumns& kept, const GazeFit& fit) {
  std::vector<TargetError> errors;
  std::vector<double> weight(kept.size(), 1);
  for (int target = 0; target < kept.targets; ++target) {
    const auto t = static_cast<size_t>(target);
    for (size_t i = kept.begin[t]; i < kept.begin[t + 1]; ++i) weight[i] = 0;
    errors.push_back(target_error(all, target, fit_line(k, kept, weight.data(), Gains::common), &fit.SetValues[t * 3]));
    for (size_t i = kept.begin[t]; i < kept.begin[t + 1]; ++i) weight[i] = 1;
  }
  return errors;
}

}  // namespace sightline::geometry
