// Gaze fits: what they recover, what they refuse, and that no table breaks them.
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "check.hpp"
#include "geometry/gaze.hpp"
#include "geometry/targets.hpp"

using namespace sightline::geometry;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double corners[4][2] = {{50, 28}, {458, 28}, {50, 257}, {458, 257}};

struct Table {
  std::vector<double> values;
  void add(int target, double gx, double gy, double gz) {
    std::vector<double> row(gaze_columns, 0);
    row[gaze_column::idx] = target;
    row[gaze_column::gaze] = gx;
    row[gaze_column::gaze + 1] = gy;
    row[gaze_column::gaze + 2] = gz;
    row[gaze_column::set] = corners[target % 4][0];
    row[gaze_column::set + 1] = corners[target % 4][1];
    values.insert(values.end(), row.begin(), row.end());
  }
  double* row(std::size_t i) { return values.data() + i * gaze_columns; }
  GazeTable view() const { return {values.data(), values.size() / gaze_columns}; }
};

/// A person whose eye is at (x, y) and `depth` in front of the screen, looking at each corner with this noise.
Table recording(double x, double y, double depth, double noise, int rows_each, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> jitter(0, noise > 0 ? noise : 1);
  Table table;
  for (int t = 0; t < 4; ++t) {
    for (int i = 0; i < rows_each; ++i) {
      double g[3] = {-(corners[t][0] - x), corners[t][1] - y, depth};
      // SRotG is diag(-1, -1, 1): what points right on the screen has a negative x here, what points down a negative y.
      g[1] = -g[1];
      const double length = std::hypot(g[0], g[1], g[2]) * (1 + 0.01 * i);
      for (int a = 0; a < 3; ++a) g[a] = g[a] / length + (noise > 0 && a < 2 ? jitter(random) : 0);
      table.add(t, g[0], g[1], g[2]);
    }
  }
  return table;
}

GazeFault fault_of(const Table& table, bool sfm = false) { return fit_gaze(table.view(), sfm).problem.fault; }

}  // namespace

SL_TEST("geometry: a fit finds where the eye was") {
  const Table table = recording(250, 120, 620, 0, 9, 1);
  const GazeFit fit = fit_gaze(table.view(), false);
  REQUIRE(fit.problem.fault == GazeFault::none);
  CHECK_NEAR(fit.x[0], 250, 1e-9);
  CHECK_NEAR(fit.x[1], 120, 1e-9);
  CHECK_NEAR(fit.x[2], -620, 1e-9);
  CHECK_EQ(fit.targets, 4);
  for (std::size_t t = 0; t < 4; ++t) {
    CHECK_NEAR(fit.StG[t * 3 + 2], -620, 1e-9);
    CHECK_NEAR(fit.held_out[t].offset_x_mm, 0, 1e-8);
    CHECK(fit.held_out[t].determined);
  }
  CHECK(fit.robust.line.determined);
  CHECK_NEAR(fit.robust.line.gain_y, -620, 1e-6);
  const double gaze[3] = {0, 0, 1};
  const GazeModel model{false, fit.STransG, fit.StG, {}, 0, {}};
  const GazePoint point = project_gaze(model, gaze, nullptr);
  CHECK_NEAR(point.Sgaze[0], 250, 1e-9);
  CHECK_NEAR(point.FSgaze[1], 120, 1e-9);
}

SL_TEST("geometry: a robust fit is not moved by strays that move the plain one") {
  Table table = recording(250, 120, 620, 0.003, 40, 2);
  for (std::size_t i = 0; i < 160; i += 40) {
    // A third of each target's rows looks elsewhere.
    for (std::size_t k = 0; k < 13; ++k) table.row(i + k)[gaze_column::gaze + 1] += 0.2;
  }
  const GazeFit fit = fit_gaze(table.view(), false);
  REQUIRE(fit.problem.fault == GazeFault::none);
  CHECK_NEAR(fit.robust.line.x_mm, 250, 3);
  CHECK_NEAR(fit.robust.line.y_mm, 120, 3);
  CHECK(fit.robust.rejected >= 40);
}

SL_TEST("geometry: all targets give the bits of the scalar fit") {
  const std::string_view before = target();
  const Table table = recording(250, 120, 620, 0.01, 150, 3);
  REQUIRE(set_target("scalar"));
  const GazeFit reference = fit_gaze(table.view(), false);
  for (const std::string_view name : supported_targets()) {
    REQUIRE(set_target(name));
    const GazeFit fit = fit_gaze(table.view(), false);
    CHECK(fit.kept_rows == reference.kept_rows);
    for (std::size_t i = 0; i < 3; ++i) CHECK_EQ(std::bit_cast<std::uint64_t>(fit.x[i]), std::bit_cast<std::uint64_t>(reference.x[i]));
    CHECK_EQ(std::bit_cast<std::uint64_t>(fit.robust.line.gain_y), std::bit_cast<std::uint64_t>(reference.robust.line.gain_y));
  }
  CHECK(set_target(before));
}

SL_TEST("geometry: what the rows do not determine is refused") {
  CHECK(fault_of(Table{}) == GazeFault::no_rows);
  Table parallel;
  for (int t = 0; t < 4; ++t) {
    for (int i = 1; i < 9; ++i) parallel.add(t, 0.125 * (1 + 0.01 * i), -0.0625 * (1 + 0.01 * i), 1 + 0.01 * i);
  }
  CHECK(fault_of(parallel) == GazeFault::undetermined);
  CHECK(fault_of(recording(250, 120, 620, 0.01, 9, 4), true) == GazeFault::undetermined);  // no pose in any row
  Table alike = recording(250, 120, 620, 0.01, 9, 5);
  for (std::size_t i = 9; i < 18; ++i) alike.row(i)[gaze_column::gaze] = 0.1;
  const GazeFit fit = fit_gaze(alike.view(), false);
  CHECK(fit.problem.fault == GazeFault::target_empty);
  CHECK_EQ(fit.problem.target, 1);
  CHECK_EQ(fit.problem.rows, std::size_t{9});
  for (const double idx : {-1.0, 0.5, not_a_number, 1e300}) {
    Table wrong = recording(250, 120, 620, 0.01, 9, 6);
    wrong.row(5)[gaze_column::idx] = idx;
    CHECK(fault_of(wrong) == GazeFault::index);
    CHECK_EQ(fit_gaze(wrong.view(), false).problem.row, std::int64_t{5});
  }
  for (const double z : {0.0, not_a_number, std::numeric_limits<double>::infinity(), 1e-320}) {
    Table wrong = recording(250, 120, 620, 0.01, 30, 7);
    for (std::size_t i = 0; i < 120; ++i) wrong.row(i)[gaze_column::gaze + 2] = z;
    CHECK(fault_of(wrong) == GazeFault::not_finite);
  }
}

SL_TEST("geometry: the number of targets follows the order of first appearance") {
  Table table = recording(250, 120, 620, 0.01, 30, 8);
  Table shuffled;
  for (const std::size_t t : {0u, 1u, 3u, 2u}) {
    for (std::size_t i = 0; i < 30; ++i) shuffled.values.insert(shuffled.values.end(), table.row(t * 30 + i), table.row(t * 30 + i) + gaze_columns);
  }
  const GazeFit fit = fit_gaze(shuffled.view(), false);
  CHECK(fit.problem.fault == GazeFault::none);
  CHECK_EQ(fit.targets, 3);
  CHECK_EQ(fit.ignored_rows, std::size_t{30});
}

SL_TEST("geometry: no table makes a fit crash, hang or answer a number that is none") {
  std::mt19937 random(9);
  const double strange[] = {0, -0.0, not_a_number, std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(), 1e308, -1e308, 5e-324, 1, 0.3};
  int fitted = 0;
  for (int round = 0; round < 400; ++round) {
    std::uniform_real_distribution<double> place(0, 500);
    Table table = recording(place(random), place(random), 300 + place(random), 0.02, 2 + static_cast<int>(random() % 12), static_cast<std::uint32_t>(round));
    const std::size_t rows = table.values.size() / gaze_columns;
    for (auto n = random() % 12; n > 0; --n) table.row(random() % rows)[random() % gaze_columns] = strange[random() % std::size(strange)];
    const bool sfm = round % 2 == 1;
    for (std::size_t i = 0; sfm && i < rows; ++i) {
      for (std::size_t c = 0; c < 16; ++c) table.row(i)[gaze_column::wtransg + c] = random() % 40 == 0 ? strange[random() % std::size(strange)] : std::sin(static_cast<double>(random() % 1000));
    }
    const GazeFit fit = fit_gaze(table.view(), sfm);
    if (fit.problem.fault != GazeFault::none) continue;
    ++fitted;
    for (const double value : fit.x) CHECK(std::isfinite(value));
    CHECK_EQ(fit.StG.size(), static_cast<std::size_t>(fit.targets) * 3);
    for (const TargetError& error : fit.held_out) CHECK(std::isfinite(error.offset_x_mm));
  }
  CHECK(fitted > 20);
}
