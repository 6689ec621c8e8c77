// The functions of geometry.node, by file. What each does is said once, in src/geometry/types.ts.
#pragma once
#include <napi.h>

namespace sightline::geometry_addon {

// info_wrap.cc
Napi::Value info(const Napi::CallbackInfo&);
Napi::Value set_simd_target(const Napi::CallbackInfo&);

// gaze_wrap.cc
Napi::Value fit_gaze(const Napi::CallbackInfo&);
Napi::Value project_gaze(const Napi::CallbackInfo&);

// ptz_wrap.cc
Napi::Value match_features(const Napi::CallbackInfo&);
Napi::Value estimate_offset(const Napi::CallbackInfo&);

}  // namespace sightline::geometry_addon
