// The linear problem. With t the translation and R the rotation of a row's own transform, a gaze g is followed to
//
//   t + mu R g,   mu = -(R^T t)_z / g_z          i.e. A t with A = 1 - (R g) r^T / g_z, r the third column of R
//
//   plain: t = (x, y, gain), R = diag(-1, -1, 1): the point is (x + gain * gx / gz, y + gain * gy / gz, 0)
//   SfM:   t = gain * p + (x, y, 0), p = SRotW t_WG, R = SRotW R_WG: the point is gain * A p + x * A_1 + y * A_2, all three of which count
//
// Plain, the fit itself is the quotient of centred sums. Everything else is least squares by modified Gram-Schmidt, twice, so that what is
// fitted keeps all its digits.
#include <algorithm>
#include <cmath>

#include "gaze_parts.hpp"
#include "sums.hpp"

namespace sightline::geometry {
namespace {

using std::size_t;

/// What is left of a column after the earlier ones are taken off, squared, against its size and against the number of rows: below this
/// the rays count as parallel.
constexpr double parallel_relative = 1e-20, parallel_absolute = 1e-24;

constexpr size_t unknowns_max = 4;

/// Columns of equal length; column `unknowns` is the right-hand side.
struct System {
  size_t length = 0, unknowns = 0;
  std::array<std::vector<double>, unknowns_max + 1> columns;
};

struct Solution {
  std::array<double, unknowns_max> x{};
  bool determined = false;
};

/// Writes `source` (or `constant` where it is empty) times the square roots of the weights to column[0..n).
void stack(double* column, const std::vector<double>& source, double constant, const std::vector<double>& root, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    const double value = source.empty() ? constant : source[i];
    column[i] = root.empty() ? value : root[i] * value;
  }
}

System system_of(const GazeColumns& rows, const double* w, Gains gains) {
  const size_t n = rows.size();
  const size_t components = gains == Gains::common && !rows.c[2].empty() ? 3 : 2;
  std::vector<double> root(w == nullptr ? 0 : n);
  for (size_t i = 0; i < root.size(); ++i) root[i] = std::sqrt(w[i]);
  System s;
  s.length = components * n;
  s.unknowns = gains == Gains::common ? 3 : 4;
  for (std::vector<double>& column : s.columns) column.assign(s.length, 0);
  const std::vector<double> none;
  for (size_t a = 0; a < components; ++a) {
    const auto part = [&](size_t column) { return s.columns[column].data() + a * n; };
    stack(part(0), rows.to_x[a], a == 0 ? 1 : 0, root, n);
    stack(part(1), rows.to_y[a], a == 1 ? 1 : 0, root, n);
    if (gains == Gains::common) {
      stack(part(2), rows.c[a], 0, root, n);
    } else {
      stack(part(2), a == 0 ? rows.c[a] : none, 0, root, n);
      stack(part(3), a == 1 ? rows.c[a] : none, 0, root, n);
    }
    stack(part(s.unknowns), rows.set[a], 0, root, n);
  }
  return s;
}

/// Solves in place; not determined when a column depends on the earlier ones.
Solution solve(const Kernels& k, System& s, size_t rows) {
  const size_t unknowns = s.unknowns;
  std::array<std::array<double, unknowns_max + 1>, unknowns_max> r{};
  Solution solution;
  const double least = parallel_absolute * static_cast<double>(rows);
  for (size_t j = 0; j <= unknowns; ++j) {
    double* column = s.columns[j].data();
    const double size = product(k, column, column, s.length);
    for (int pass = 0; pass < 2; ++pass) {
      for (size_t i = 0; i < j; ++i) {
        const double part = product(k, s.columns[i].data(), column, s.length);
        r[i][j] += part;
        k.take_off(part, s.columns[i].data(), s.length, column);
      }
    }
    if (j == unknowns) break;
    const double left = product(k, column, column, s.length);
    if (!std::isfinite(left) || !(left > parallel_relative * size) || !(left > least)) return solution;
    r[j][j] = std::sqrt(left);
    for (size_t i = 0; i < s.length; ++i) column[i] /= r[j][j];
  }
  std::array<double, unknowns_max>& x = solution.x;
  for (size_t j = unknowns; j-- > 0;) {
    double rest = r[j][unknowns];
    for (size_t m = j + 1; m < unknowns; ++m) rest -= r[j][m] * x[m];
    x[j] = rest / r[j][j];
  }
  solution.determined = std::all_of(x.begin(), x.end(), [](double value) { return std::isfinite(value); });
  return solution;
}

/// Deviations from the mean, which goes to `mean`.
std::vector<double> centred(const Kernels& k, const std::vector<double>& values, double& mean) {
  mean = sum(k, values.data(), values.size()) / static_cast<double>(values.size());
  std::vector<double> off(values.size());
  for (size_t i = 0; i < values.size(); ++i) off[i] = values[i] - mean;
  return off;
}

/// The plain fit with one gain.
ScreenLine centred_line(const Kernels& k, const GazeColumns& rows) {
  const size_t n = rows.size();
  std::array<double, 2> mean_c{}, mean_set{};
  double spread = 0, along = 0, size = 0;
  for (size_t a = 0; a < 2; ++a) {
    const std::vector<double> c = centred(k, rows.c[a], mean_c[a]);
    const std::vector<double> set = centred(k, rows.set[a], mean_set[a]);
    spread += product(k, c.data(), c.data(), n);
    along += product(k, c.data(), set.data(), n);
    size += product(k, rows.c[a].data(), rows.c[a].data(), n);
  }
  ScreenLine line;
  if (!std::isfinite(spread) || !(spread > parallel_relative * size) || !(spread > parallel_absolute * static_cast<double>(n))) return line;
  line.gain_x = line.gain_y = along / spread;
  line.x_mm = mean_set[0] - line.gain_x * mean_c[0];
  line.y_mm = mean_set[1] - line.gain_x * mean_c[1];
  line.determined = std::isfinite(line.gain_x) && std::isfinite(line.x_mm) && std::isfinite(line.y_mm);
  return line;
}

}  // namespace

void fill_lines(const Kernels& k, bool sfm, GazeColumns& columns) {
  const size_t n = columns.size();
  const std::array<std::vector<double>, 3>& g = columns.gaze;
  if (!sfm) {
    for (size_t a = 0; a < 2; ++a) {
      columns.c[a].assign(n, 0);
      k.quotient(g[a].data(), g[2].data(), n, columns.c[a].data());
    }
    return;
  }
  const auto& m = columns.wtransg;
  for (size_t a = 0; a < 3; ++a) columns.c[a].assign(n, 0), columns.to_x[a].assign(n, 0), columns.to_y[a].assign(n, 0);
  for (size_t i = 0; i < n; ++i) {
    double along = 0;  // (R^T p)_z
    for (size_t b = 0; b < 3; ++b) along += m[b * 4 + 2][i] * m[b * 4 + 3][i];
    for (size_t a = 0; a < 3; ++a) {
      const double turned = SRotW[a] * (m[a * 4][i] * g[0][i] + m[a * 4 + 1][i] * g[1][i] + m[a * 4 + 2][i] * g[2][i]);
      const double step = turned / g[2][i];
      columns.c[a][i] = SRotW[a] * m[a * 4 + 3][i] - step * along;
      columns.to_x[a][i] = (a == 0 ? 1 : 0) - step * (SRotW[0] * m[2][i]);
      columns.to_y[a][i] = (a == 1 ? 1 : 0) - step * (SRotW[1] * m[6][i]);
    }
  }
}

ScreenLine fit_line(const Kernels& k, const GazeColumns& rows, const double* w, Gains gains) {
  ScreenLine line;
  if (rows.size() == 0) return line;
  if (w == nullptr && gains == Gains::common && rows.to_x[0].empty()) return centred_line(k, rows);
  System s = system_of(rows, w, gains);
  const Solution found = solve(k, s, rows.size());
  if (!found.determined) return line;
  line.x_mm = found.x[0];
  line.y_mm = found.x[1];
  line.gain_x = found.x[2];
  line.gain_y = found.x[s.unknowns - 1];
  line.determined = true;
  return line;
}

double point_on(const GazeColumns& rows, const ScreenLine& line, size_t component, size_t i) {
  const double gain = component == 0 ? line.gain_x : line.gain_y;
  if (rows.to_x[component].empty()) return gain * rows.c[component][i] + (component == 0 ? line.x_mm : line.y_mm);
  return gain * rows.c[component][i] + line.x_mm * rows.to_x[component][i] + line.y_mm * rows.to_y[component][i];
}

}  // namespace sightline::geometry
