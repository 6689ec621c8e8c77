// Gaze: from recorded gazes at known targets to the transform between a person's gaze and the screen, with HomTransform's numerics.
//
// The point on the screen is linear in what is fitted (docs/CALIBRATION.md), so the minimiser is computed in closed form.
//
// Threads: every function may be called from any thread at the same time.
// Owns:    nothing beyond what it returns; arguments are borrowed for the duration of the call.
// Errors:  what the data cannot determine is a GazeProblem, never an exception or a NaN. Nothing throws, short of memory running out and
//          of an unusable SIGHTLINE_SIMD (std::runtime_error).
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace sightline::geometry {

/// Columns of a calibration row, in the order of the file without its row number and candidate.
inline constexpr std::size_t gaze_columns = 39;
namespace gaze_column {
inline constexpr std::size_t idx = 1, gaze = 2, set = 20, wtransg = 23;
}

/// Rows of 39 doubles.
struct GazeTable {
  const double* values = nullptr;
  std::size_t rows = 0;
};

enum class GazeFault : std::uint8_t {
  none,
  no_rows,       ///< nothing was recorded
  index,         ///< `row`: idx is not a whole number 0..gaze_targets_max-1
  target_empty,  ///< `target`: none of its `rows` rows is left after the outlier test
  not_finite,    ///< `row` of `target` was kept, but `what` is zero, infinite or not a number
  undetermined,  ///< all kept rays are parallel (with SfM: no row says anything about the scale)
};
inline constexpr int gaze_targets_max = 1024;

struct GazeProblem {
  GazeFault fault = GazeFault::none;
  int target = -1;
  std::int64_t row = -1;
  std::size_t rows = 0;
  std::string_view what;  ///< a column
};

/// How well the points of one target are met; millimetres on the screen.
struct TargetError {
  std::size_t rows = 0;         ///< with a finite point
  double offset_x_mm = 0;       ///< median point minus target
  double offset_y_mm = 0;
  double precision_mm = 0;      ///< root mean square distance of the points from their mean
  double median_mm = 0;         ///< median distance of the points from their median, which a few strays do not move
  bool determined = false;      ///< false: no rows, or the rest does not determine a fit
};

/// A row's point on the screen, linear in what is fitted: plain (gain_x * gx / gz + x_mm, gain_y * gy / gz + y_mm), see gaze_lines.cc.
struct ScreenLine {
  double gain_x = 0, gain_y = 0, x_mm = 0, y_mm = 0;
  bool determined = false;
};

/// A second opinion: Tukey's biweight over all rows, a gain for each axis.
struct RobustFit {
  ScreenLine line;
  int iterations = 0;
  double sigma_mm = 0;          ///< robust spread of one axis
  std::size_t rows = 0;         ///< finite rows that entered
  std::size_t rejected = 0;     ///< of these, with weight 0
  std::vector<TargetError> held_out;
};

struct GazeFit {
  GazeProblem problem;
  int targets = 0;
  std::vector<std::size_t> rows_of_target;   ///< recorded
  std::vector<std::size_t> kept_of_target;   ///< after the outlier test
  std::size_t ignored_rows = 0;              ///< of targets past the last one that appeared for the first time
  std::vector<std::uint32_t> kept_rows;      ///< row numbers, grouped by target
  /// Plain: StG x, y, z. SfM: scaleWtG, StW x, y.
  std::array<double, 3> x{};
  double cost = 0;                           ///< half the sum of squared residuals, mm^2
  std::array<double, 16> STransG{};
  std::vector<double> StG;                   ///< targets x 3
  std::vector<double> SetValues;             ///< targets x 3
  bool sfm = false;
  std::array<double, 16> STransW{};          ///< SfM only, as the two below
  double scaleWtG = 0;
  std::vector<double> StW;                   ///< targets x 3
  std::vector<TargetError> in_sample;        ///< each target under the fit itself
  std::vector<TargetError> held_out;         ///< each target under a fit on the rest
  RobustFit robust;
};

enum class Report : std::uint8_t { none, full };
/// Fits. Up to a problem's discovery the counts are filled. Without a report in_sample, held_out and robust stay empty.
GazeFit fit_gaze(GazeTable table, bool sfm, Report report = Report::full);

/// What a fit leaves for projecting a gaze.
struct GazeModel {
  bool sfm = false;
  std::array<double, 16> STransG{};
  std::span<const double> StG;   ///< targets x 3
  std::array<double, 16> STransW{};
  double scaleWtG = 0;
  std::span<const double> StW;   ///< SfM: targets x 3
};

struct GazePoint {
  std::array<double, 3> Sgaze{}, Sgaze2{}, FSgaze{};  ///< mm
  int nearest_target = 0;
};

/// One gaze on the screen; `wtransg` (16 numbers, unscaled translation) is read with SfM only. gaze[2] must not be 0.
GazePoint project_gaze(const GazeModel& model, const double* gaze, const double* wtransg);

}  // namespace sightline::geometry
