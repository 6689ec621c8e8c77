// Gaze fits for JavaScript.
#include <cmath>
#include <vector>

#include "../geometry/gaze.hpp"
#include "arguments.hpp"
#include "wraps.hpp"

namespace sightline::geometry_addon {
namespace {

using std::size_t;

/// As many as a day of recording has; keeps row numbers in 32 bits.
constexpr size_t rows_max = 4'000'000;

const char* fault_name(geometry::GazeFault fault) {
  switch (fault) {
    case geometry::GazeFault::no_rows: return "no_rows";
    case geometry::GazeFault::index: return "index";
    case geometry::GazeFault::target_empty: return "target_empty";
    case geometry::GazeFault::not_finite: return "not_finite";
    case geometry::GazeFault::undetermined: return "undetermined";
    case geometry::GazeFault::none: break;
  }
  return "none";
}

Napi::Array counts(Napi::Env env, const std::vector<size_t>& values) {
  Napi::Array array = Napi::Array::New(env, values.size());
  for (size_t i = 0; i < values.size(); ++i) array.Set(static_cast<std::uint32_t>(i), static_cast<double>(values[i]));
  return array;
}

Napi::Array target_errors(Napi::Env env, const std::vector<geometry::TargetError>& errors) {
  Napi::Array array = Napi::Array::New(env, errors.size());
  for (size_t i = 0; i < errors.size(); ++i) {
    Napi::Object one = Napi::Object::New(env);
    one.Set("rows", static_cast<double>(errors[i].rows));
    one.Set("determined", errors[i].determined);
    one.Set("offset_x_mm", errors[i].offset_x_mm);
    one.Set("offset_y_mm", errors[i].offset_y_mm);
    one.Set("precision_mm", errors[i].precision_mm);
    one.Set("median_mm", errors[i].median_mm);
    array.Set(static_cast<std::uint32_t>(i), one);
  }
  return array;
}

Napi::Object problem(Napi::Env env, const geometry::GazeProblem& from) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("fault", fault_name(from.fault));
  to.Set("target", from.target < 0 ? env.Null() : Napi::Number::New(env, from.target));
  to.Set("row", from.row < 0 ? env.Null() : Napi::Number::New(env, static_cast<double>(from.row)));
  to.Set("rows", static_cast<double>(from.rows));
  to.Set("what", std::string(from.what));
  return to;
}

Napi::Object robust(Napi::Env env, const geometry::RobustFit& from) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("determined", from.line.determined);
  to.Set("gain_x", from.line.gain_x);
  to.Set("gain_y", from.line.gain_y);
  to.Set("x_mm", from.line.x_mm);
  to.Set("y_mm", from.line.y_mm);
  to.Set("sigma_mm", from.sigma_mm);
  to.Set("iterations", from.iterations);
  to.Set("rows", static_cast<double>(from.rows));
  to.Set("rejected", static_cast<double>(from.rejected));
  to.Set("held_out", target_errors(env, from.held_out));
  return to;
}

std::array<double, 16> matrix(const Napi::Value& value, const std::string& where) {
  const std::span<const double> from = doubles(value, where, 16);
  if (from.size() != 16) throw wrong(where + ".length", "16", std::to_string(from.size()));
  std::array<double, 16> to{};
  for (size_t i = 0; i < 16; ++i) to[i] = from[i];
  return to;
}

}  // namespace

Napi::Value fit_gaze(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  const std::span<const double> rows = doubles(call[0], "fitGaze: rows", geometry::gaze_columns);
  const bool sfm = boolean(call[1], "fitGaze: sfm");
  const size_t count = rows.size() / geometry::gaze_columns;
  if (count > rows_max) throw wrong("fitGaze: rows", "at most " + std::to_string(rows_max), std::to_string(count));
  const bool bare = !call[2].IsUndefined() && !boolean(call[2], "fitGaze: report");
  const geometry::GazeFit fit = geometry::fit_gaze({rows.data(), count}, sfm, bare ? geometry::Report::none : geometry::Report::full);
  Napi::Object answer = Napi::Object::New(env);
  answer.Set("targets", fit.targets);
  answer.Set("rows_of_target", counts(env, fit.rows_of_target));
  answer.Set("kept_of_target", counts(env, fit.kept_of_target));
  answer.Set("ignored_rows", static_cast<double>(fit.ignored_rows));
  const bool failed = fit.problem.fault != geometry::GazeFault::none;
  answer.Set("problem", failed ? Napi::Value(problem(env, fit.problem)) : env.Null());
  if (failed) return answer;
  Napi::Uint32Array kept = Napi::Uint32Array::New(env, fit.kept_rows.size());
  for (size_t i = 0; i < fit.kept_rows.size(); ++i) kept[i] = fit.kept_rows[i];
  answer.Set("kept_rows", kept);
  answer.Set("x", to_doubles(env, fit.x));
  answer.Set("cost_mm2", fit.cost);
  answer.Set("sfm", fit.sfm);
  answer.Set("STransG", to_doubles(env, fit.STransG));
  answer.Set("StG", to_doubles(env, fit.StG));
  answer.Set("SetValues", to_doubles(env, fit.SetValues));
  answer.Set("STransW", fit.sfm ? Napi::Value(to_doubles(env, fit.STransW)) : env.Null());
  answer.Set("scaleWtG", fit.sfm ? Napi::Value(Napi::Number::New(env, fit.scaleWtG)) : env.Null());
  answer.Set("StW", fit.sfm ? Napi::Value(to_doubles(env, fit.StW)) : env.Null());
  answer.Set("in_sample", target_errors(env, fit.in_sample));
  answer.Set("held_out", target_errors(env, fit.held_out));
  answer.Set("robust", robust(env, fit.robust));
  return answer;
}

Napi::Value project_gaze(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  const Napi::Object from = object(call[0], "projectGaze: model");
  geometry::GazeModel model;
  model.sfm = boolean(from.Get("sfm"), "projectGaze: model.sfm");
  model.STransG = matrix(from.Get("STransG"), "projectGaze: model.STransG");
  model.StG = doubles(from.Get("StG"), "projectGaze: model.StG", 3);
  if (model.sfm) {
    model.STransW = matrix(from.Get("STransW"), "projectGaze: model.STransW");
    model.StW = doubles(from.Get("StW"), "projectGaze: model.StW", 3);
    if (!from.Get("scaleWtG").IsNumber()) throw wrong("projectGaze: model.scaleWtG", "a number", "something else");
    model.scaleWtG = from.Get("scaleWtG").As<Napi::Number>().DoubleValue();
  }
  const size_t targets = (model.sfm ? model.StW : model.StG).size() / 3;
  if (targets == 0) throw wrong("projectGaze: model.StG", "the translation of at least one target", "none");
  const std::span<const double> gazes = doubles(call[1], "projectGaze: gazes", 3);
  const size_t n = gazes.size() / 3;
  std::span<const double> worlds;
  if (model.sfm) {
    worlds = doubles(call[2], "projectGaze: wtransg", 16);
    if (worlds.size() / 16 != n) throw wrong("projectGaze: wtransg.length", std::to_string(n * 16), std::to_string(worlds.size()));
  }
  for (size_t i = 0; i < n; ++i) {
    const double z = gazes[i * 3 + 2];
    if (z == 0 || !std::isfinite(z)) throw wrong("projectGaze: gazes[" + std::to_string(i) + "]", "a finite z other than 0", "another");
  }
  Napi::Float64Array answer = Napi::Float64Array::New(env, n * 10);
  for (size_t i = 0; i < n; ++i) {
    const geometry::GazePoint point = geometry::project_gaze(model, &gazes[i * 3], model.sfm ? &worlds[i * 16] : nullptr);
    double* to = answer.Data() + i * 10;
    for (size_t a = 0; a < 3; ++a) to[a] = point.Sgaze[a], to[3 + a] = point.Sgaze2[a], to[6 + a] = point.FSgaze[a];
    to[9] = point.nearest_target;
  }
  return answer;
}

}  // namespace sightline::geometry_addon
