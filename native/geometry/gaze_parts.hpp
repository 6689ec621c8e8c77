// The parts of a gaze fit that its files share. Private to native/geometry.
#pragma once
#include <array>
#include <vector>

#include "gaze.hpp"
#include "kernels.hpp"

namespace sightline::geometry {

/// Columns of the rows that take part, grouped by target, in recording order within a target.
struct GazeColumns {
  int targets = 0;
  std::vector<std::size_t> begin;        ///< targets + 1
  std::vector<std::uint32_t> row;        ///< where a row was recorded
  std::array<std::vector<double>, 3> gaze, set;
  std::array<std::vector<double>, 16> wtransg;  ///< empty without SfM
  /// A row's point on the screen is gain * c + x_mm * to_x + y_mm * to_y, in each component. Without SfM c[2], to_x and to_y are empty:
  /// to_x is then (1, 0) and to_y (0, 1).
  std::array<std::vector<double>, 3> c, to_x, to_y;
  std::size_t size() const { return row.size(); }
};

/// Rotations that the reference fixes: gaze frame and world frame to screen frame, as diagonals.
inline constexpr std::array<double, 3> SRotG = {-1, -1, 1};
inline constexpr std::array<double, 3> SRotW = {-1, 1, -1};

/// Groups the table; problems no_rows and index. Counts go into `fit`.
GazeColumns group_rows(GazeTable table, bool sfm, GazeFit& fit);
/// Row i of `from` once more, at the end of `to`.
void copy_row(const GazeColumns& from, std::size_t i, GazeColumns& to);
/// Fills c, to_x and to_y.
void fill_lines(const Kernels& k, bool sfm, GazeColumns& columns);
/// The rows that the outlier test keeps; problems target_empty and not_finite.
GazeColumns keep_inliers(const Kernels& k, const GazeColumns& all, bool sfm, GazeFit& fit);

enum class Gains : std::uint8_t {
  common,    ///< one for all components, the reference's model
  by_axis,   ///< one each for x and y; a third component is left out
};
/// Least squares, closed form; `w` (a weight for each row) may be null.
ScreenLine fit_line(const Kernels& k, const GazeColumns& rows, const double* w, Gains gains);
/// Component 0 (x) or 1 (y) of row i's point, mm.
double point_on(const GazeColumns& rows, const ScreenLine& line, std::size_t component, std::size_t i);
/// False for a row of an SfM recording whose WTransG is all zero (the first one): its gaze says nothing about where the person looks.
bool has_pose(const GazeColumns& rows, std::size_t i);
/// How the points of target `t` of `rows` lie under `line`.
TargetError target_error(const GazeColumns& rows, int t, const ScreenLine& line, const double* set_value);
/// Each target under a fit on the kept rows of the others.
std::vector<TargetError> held_out_errors(const Kernels& k, const GazeColumns& all, const GazeColumns& kept, const GazeFit& fit);
RobustFit fit_robust(const Kernels& k, const GazeColumns& all, const GazeColumns& kept, const GazeFit& fit);

/// numpy.median of finite values: the mean of the two middle ones where there are two. Reorders `values`; 0 when empty.
double median(std::vector<double>& values);

}  // namespace sightline::geometry
