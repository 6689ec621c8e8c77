// geometry.node: the table of contents. Types and meaning of each function: src/geometry/types.ts. It keeps no state but the selected
// SIMD target, so any number of environments may load it.
#include "../addon/entry.hpp"
#include "../geometry/targets.hpp"
#include "wraps.hpp"

namespace sightline::geometry_addon {

template <addon::Function function>
static void add(Napi::Object& exports, const char* name) {
  exports.Set(name, Napi::Function::New<addon::entry<function>>(exports.Env(), name));
}

template <addon::Function function>
static void add_promise(Napi::Object& exports, const char* name) {
  exports.Set(name, Napi::Function::New<addon::promise_entry<function>>(exports.Env(), name));
}

static Napi::Object load(Napi::Env env, Napi::Object exports) {
  if (const std::string error = geometry::target_error(); !error.empty()) throw addon::to_error(env, addon::Fault("NATIVE_SIMD", error));
  add<info>(exports, "info");
  add<set_simd_target>(exports, "setSimdTarget");
  add<fit_gaze>(exports, "fitGaze");
  add<project_gaze>(exports, "projectGaze");
  add_promise<match_features>(exports, "matchFeatures");
  add_promise<estimate_offset>(exports, "estimateOffset");
  return exports;
}

}  // namespace sightline::geometry_addon

using sightline::geometry_addon::load;
NODE_API_MODULE(geometry, load)
