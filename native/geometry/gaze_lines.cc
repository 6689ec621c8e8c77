// The closed form. A row's point on the screen is gain * c + (x, y), where c follows from the row alone:
//
//   plain: the gaze starts at StG = (x, y, gain) and meets z = 0 at  x + gain * gx / gz,  y + gain * gy / gz      c = (gx / gz, gy / gz)
//   SfM:   p = SRotW t, R = SRotW WRotG; it starts at gain * p + (x, y, 0) and is followed for mu = -gain * pz / gz    c = p - (pz / gz) R g
//
// With SfM the third component of c need not vanish (mu is taken from the gaze frame's z, as in the reference), and is a residual too.
#include <algorithm>
#include <cmath>

#include "gaze_parts.hpp"
#include "sums.hpp"

namespace sightline::geometry {
namespace {

using std::size_t;

/// Squared spread of c below which (against its size) rays count as parallel: a millionth of a millionth of a degree.
constexpr double parallel_relative = 1e-20;
constexpr double parallel_absolute = 1e-24;

struct Axis {
  double mean_c = 0, mean_s = 0, spread = 0, along = 0;
};

Axis axis(const Kernels& k, const GazeColumns& rows, const double* w, double weight, size_t which) {
  const double* c = rows.c[which].data();
  const double* s = rows.set[which].data();
  const size_t n = rows.size();
  Axis a;
  a.mean_c = weighted_sum(k, w, c, n) / weight;
  a.mean_s = weighted_sum(k, w, s, n) / weight;
  a.spread = product(k, w, c, a.mean_c, c, a.mean_c, n);
  a.along = product(k, w, c, a.mean_c, s, a.mean_s, n);
  return a;
}

double total_weight(const Kernels& k, const GazeColumns& rows, const double* w) {
  return w == nullptr ? static_cast<double>(rows.size()) : sum(k, w, rows.size());
}

bool determines(double spread, double size, double weight) {
  return std::isfinite(spread) && spread > parallel_relative * size && spread > parallel_absolute * weight;
}

}  // namespace

void fill_lines(const Kernels& k, bool sfm, GazeColumns& columns) {
  const size_t n = columns.size();
  const std::array<std::vector<double>, 3>& g = columns.gaze;
  if (!sfm) {
    for (size_t a = 0; a < 2; ++a) {
      columns.c[a].resize(n);
      k.quotient(g[a].data(), g[2].data(), n, columns.c[a].data());
    }
    return;
  }
  const auto& m = columns.wtransg;
  std::vector<double> steps(n);
  k.quotient(m[11].data(), g[2].data(), n, steps.data());
  for (size_t a = 0; a < 3; ++a) {
    columns.c[a].resize(n);
    for (size_t i = 0; i < n; ++i) {
      const double turned = m[a * 4][i] * g[0][i] + m[a * 4 + 1][i] * g[1][i] + m[a * 4 + 2][i] * g[2][i];
      // steps is tz / gz: pz = -tz, so p - (pz / gz) R g = SRotW (t + (tz / gz) WRotG g).
      columns.c[a][i] = SRotW[a] * (m[a * 4 + 3][i] - SRotW[2] * steps[i] * turned);
    }
  }
}

ScreenLine fit_line(const Kernels& k, const GazeColumns& rows, const double* w) {
  const double weight = total_weight(k, rows, w);
  ScreenLine line;
  if (!(weight > 0)) return line;
  const Axis x = axis(k, rows, w, weight, 0);
  const Axis y = axis(k, rows, w, weight, 1);
  double spread = x.spread + y.spread;
  double along = x.along + y.along;
  double size = (x.mean_c * x.mean_c + y.mean_c * y.mean_c) * weight + spread;
  if (!rows.c[2].empty()) {
    const double* c = rows.c[2].data();
    const double depth = product(k, w, c, 0, c, 0, rows.size());
    spread += depth;
    size += depth;
    along += product(k, w, c, 0, rows.set[2].data(), 0, rows.size());
  }
  if (!determines(spread, size, weight)) return line;
  line.gain_x = line.gain_y = along / spread;
  line.x_mm = x.mean_s - line.gain_x * x.mean_c;
  line.y_mm = y.mean_s - line.gain_y * y.mean_c;
  line.determined = std::isfinite(line.x_mm) && std::isfinite(line.y_mm) && std::isfinite(line.gain_x);
  return line;
}

ScreenLine fit_line_by_axis(const Kernels& k, const GazeColumns& rows, const double* w) {
  const double weight = total_weight(k, rows, w);
  ScreenLine line;
  if (!(weight > 0)) return line;
  const Axis x = axis(k, rows, w, weight, 0);
  const Axis y = axis(k, rows, w, weight, 1);
  const double size = (x.mean_c * x.mean_c + y.mean_c * y.mean_c) * weight + x.spread + y.spread;
  if (!determines(x.spread, size, weight) || !determines(y.spread, size, weight)) return line;
  line.gain_x = x.along / x.spread;
  line.gain_y = y.along / y.spread;
  line.x_mm = x.mean_s - line.gain_x * x.mean_c;
  line.y_mm = y.mean_s - line.gain_y * y.mean_c;
  line.determined = std::isfinite(line.x_mm) && std::isfinite(line.y_mm) && std::isfinite(line.gain_x) && std::isfinite(line.gain_y);
  return line;
}

}  // namespace sightline::geometry
