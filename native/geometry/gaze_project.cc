// A gaze on the screen: the global transform, and beside it the target whose own transform lies nearest.
#include <cmath>
#include <limits>

#include "gaze_parts.hpp"

namespace sightline::geometry {
namespace {

using std::size_t;

/// Follows the gaze from the transform's translation for mu = -(R^T t)_z / g_z.
std::array<double, 3> meet(const std::array<double, 9>& rotation, const std::array<double, 3>& from, const double* gaze) {
  const double steps = -(rotation[2] * from[0] + rotation[5] * from[1] + rotation[8] * from[2]) / gaze[2];
  std::array<double, 3> at{};
  for (size_t a = 0; a < 3; ++a) {
    at[a] = from[a] + steps * (rotation[a * 3] * gaze[0] + rotation[a * 3 + 1] * gaze[1] + rotation[a * 3 + 2] * gaze[2]);
  }
  return at;
}

struct Frame {
  std::array<double, 9> rotation{};
  std::array<double, 3> shift{};  ///< added to each target's own translation
};

/// Plain: the rotation of STransG. SfM: STransW times the person's WTransG with its translation scaled.
Frame frame_of(const GazeModel& model, const double* wtransg) {
  Frame frame;
  for (size_t a = 0; a < 3; ++a) {
    for (size_t b = 0; b < 3; ++b) {
      if (!model.sfm) {
        frame.rotation[a * 3 + b] = model.STransG[a * 4 + b];
        continue;
      }
      for (size_t m = 0; m < 3; ++m) frame.rotation[a * 3 + b] += model.STransW[a * 4 + m] * wtransg[m * 4 + b];
      frame.shift[a] += model.STransW[a * 4 + b] * (model.scaleWtG * wtransg[b * 4 + 3]);
    }
  }
  return frame;
}

}  // namespace

GazePoint project_gaze(const GazeModel& model, const double* gaze, const double* wtransg) {
  const Frame frame = frame_of(model, wtransg);
  const auto point = [&](double x, double y, double z) { return meet(frame.rotation, {x + frame.shift[0], y + frame.shift[1], z + frame.shift[2]}, gaze); };
  const std::array<double, 16>& whole = model.sfm ? model.STransW : model.STransG;
  GazePoint answer;
  answer.Sgaze = point(whole[3], whole[7], whole[11]);
  const std::span<const double> each = model.sfm ? model.StW : model.StG;
  double least = std::numeric_limits<double>::infinity();
  for (size_t t = 0; t * 3 + 2 < each.size(); ++t) {
    const std::array<double, 3> at = point(each[t * 3], each[t * 3 + 1], each[t * 3 + 2]);
    const double distance = std::hypot(answer.Sgaze[0] - at[0], answer.Sgaze[1] - at[1], answer.Sgaze[2] - at[2]);
    if (distance < least) {
      least = distance;
      answer.Sgaze2 = at;
      answer.nearest_target = static_cast<int>(t);
    }
  }
  for (size_t a = 0; a < 3; ++a) answer.FSgaze[a] = (answer.Sgaze[a] + answer.Sgaze2[a]) / 2;
  return answer;
}

}  // namespace sightline::geometry
