// Grouping the rows by target and the reference's outlier test.
#include <algorithm>
#include <cmath>

#include "gaze_parts.hpp"
#include "sums.hpp"

namespace sightline::geometry {
namespace {

using std::size_t;

void append(GazeColumns& to, const double* row, std::uint32_t number, bool sfm) {
  to.row.push_back(number);
  for (size_t k = 0; k < 3; ++k) {
    to.gaze[k].push_back(row[gaze_column::gaze + k]);
    to.set[k].push_back(row[gaze_column::set + k]);
  }
  for (size_t k = 0; sfm && k < 16; ++k) to.wtransg[k].push_back(row[gaze_column::wtransg + k]);
}

/// Mean and population deviation as pandas has them: NaN cells are skipped in both.
struct Spread {
  double mean = 0, deviation = 0;
};

Spread spread(const Kernels& k, const double* x, size_t n) {
  const auto there = static_cast<double>(n - static_cast<size_t>(std::count_if(x, x + n, [](double v) { return std::isnan(v); })));
  const double mean = sum(k, x, n) / there;
  return {mean, std::sqrt(square_deviation(k, x, n, mean) / there)};
}

/// The first column of row `i` that cannot enter a fit; "" when all can.
std::string_view unusable(const GazeColumns& columns, size_t i) {
  static constexpr std::array<std::string_view, 3> set_names = {"set_x", "set_y", "set_z"};
  const double z = columns.gaze[2][i];
  if (z == 0 || !std::isfinite(z)) return "gaze_z";
  for (size_t k = 0; k < 3; ++k) {
    if (!std::isfinite(columns.set[k][i])) return set_names[k];
  }
  for (const std::vector<double>& cell : columns.wtransg) {
    if (!cell.empty() && !std::isfinite(cell[i])) return "WTransG";
  }
  for (const auto* part : {&columns.c, &columns.to_x, &columns.to_y}) {
    for (const std::vector<double>& cell : *part) {
      if (!cell.empty() && !std::isfinite(cell[i])) return "gaze_z";
    }
  }
  return "";
}

}  // namespace

void copy_row(const GazeColumns& from, size_t i, GazeColumns& to) {
  const auto copy = [i](const auto& source, auto& target) {
    for (size_t m = 0; m < source.size(); ++m) {
      if (!source[m].empty()) target[m].push_back(source[m][i]);
    }
  };
  to.row.push_back(from.row[i]);
  copy(from.gaze, to.gaze);
  copy(from.set, to.set);
  copy(from.wtransg, to.wtransg);
  copy(from.c, to.c);
  copy(from.to_x, to.to_x);
  copy(from.to_y, to.to_y);
}

GazeColumns group_rows(GazeTable table, bool sfm, GazeFit& fit) {
  GazeColumns columns;
  if (table.rows == 0) {
    fit.problem.fault = GazeFault::no_rows;
    return columns;
  }
  std::vector<size_t> count(gaze_targets_max, 0);
  int newest = 0;  // the target that appeared for the first time last; the reference's number of targets is one more
  for (size_t i = 0; i < table.rows; ++i) {
    const double idx = table.values[i * gaze_columns + gaze_column::idx];
    if (!(idx >= 0 && idx < gaze_targets_max) || std::trunc(idx) != idx) {
      fit.problem = {GazeFault::index, -1, static_cast<std::int64_t>(i), 0, "idx"};
      return columns;
    }
    if (count[static_cast<size_t>(idx)]++ == 0) newest = static_cast<int>(idx);
  }
  const auto n = static_cast<size_t>(newest) + 1;
  fit.targets = columns.targets = static_cast<int>(n);
  fit.rows_of_target.assign(count.begin(), count.begin() + static_cast<std::ptrdiff_t>(n));
  std::vector<std::vector<std::uint32_t>> rows(n);
  for (size_t t = 0; t < n; ++t) rows[t].reserve(count[t]);
  for (size_t i = 0; i < table.rows; ++i) {
    const auto t = static_cast<size_t>(table.values[i * gaze_columns + gaze_column::idx]);
    if (t < n) rows[t].push_back(static_cast<std::uint32_t>(i));
    else ++fit.ignored_rows;
  }
  for (const std::vector<std::uint32_t>& of_target : rows) {
    columns.begin.push_back(columns.size());
    for (const std::uint32_t i : of_target) append(columns, table.values + i * gaze_columns, i, sfm);
  }
  columns.begin.push_back(columns.size());
  return columns;
}

GazeColumns keep_inliers(const Kernels& k, const GazeColumns& all, bool sfm, GazeFit& fit) {
  GazeColumns kept;
  kept.targets = all.targets;
  fit.sfm = sfm;
  std::vector<std::uint8_t> inside(all.size());
  for (int target = 0; target < all.targets; ++target) {
    const auto t = static_cast<size_t>(target);
    const size_t from = all.begin[t];
    const size_t n = all.begin[t + 1] - from;
    kept.begin.push_back(kept.size());
    const double* x = all.gaze[0].data() + from;
    const double* y = all.gaze[1].data() + from;
    const Spread across = spread(k, x, n);
    const Spread down = spread(k, y, n);
    k.within(x, across.mean, across.deviation, y, down.mean, down.deviation, n, inside.data() + from);
    for (size_t i = from; i < from + n; ++i) {
      if (inside[i] != 0) copy_row(all, i, kept);
    }
    fit.kept_of_target.push_back(kept.size() - kept.begin[t]);
    if (fit.kept_of_target[t] == 0) {
      fit.problem = {GazeFault::target_empty, target, -1, n, ""};
      return kept;
    }
  }
  kept.begin.push_back(kept.size());
  fit.kept_rows = kept.row;
  for (int target = 0; target < kept.targets; ++target) {
    const auto t = static_cast<size_t>(target);
    for (size_t i = kept.begin[t]; i < kept.begin[t + 1]; ++i) {
      if (const std::string_view what = unusable(kept, i); !what.empty()) {
        fit.problem = {GazeFault::not_finite, target, kept.row[i], kept.begin[t + 1] - kept.begin[t], what};
        return kept;
      }
    }
  }
  return kept;
}

double median(std::vector<double>& values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*std::max_element(values.begin(), middle) + *middle) / 2;
}

}  // namespace sightline::geometry
