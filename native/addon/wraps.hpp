// The functions of capture.node, by file. What each does is said once, in src/capture/types.ts.
#pragma once
#include <napi.h>

namespace sightline::addon {

// info_wrap.cc
Napi::Value info(const Napi::CallbackInfo&);
Napi::Value set_simd_target(const Napi::CallbackInfo&);
Napi::Value monotonic(const Napi::CallbackInfo&);
Napi::Value placement(const Napi::CallbackInfo&);

// pool_wrap.cc
Napi::Value open_pool(const Napi::CallbackInfo&);
Napi::Value close(const Napi::CallbackInfo&);
Napi::Value pool_stats(const Napi::CallbackInfo&);
Napi::Value on_ready(const Napi::CallbackInfo&);
Napi::Value arm_ready(const Napi::CallbackInfo&);
Napi::Value set_target_rows(const Napi::CallbackInfo&);
Napi::Value take_batch(const Napi::CallbackInfo&);
Napi::Value release_batch(const Napi::CallbackInfo&);
Napi::Value batch_tensor(const Napi::CallbackInfo&);

// camera_wrap.cc
Napi::Value add_camera(const Napi::CallbackInfo&);
Napi::Value remove_camera(const Napi::CallbackInfo&);
Napi::Value analysis_rate(const Napi::CallbackInfo&);
Napi::Value camera_stats(const Napi::CallbackInfo&);
Napi::Value on_state(const Napi::CallbackInfo&);
Napi::Value probe(const Napi::CallbackInfo&);

// frame_wrap.cc
Napi::Value snapshot(const Napi::CallbackInfo&);
Napi::Value row_jpeg(const Napi::CallbackInfo&);
Napi::Value clip(const Napi::CallbackInfo&);
Napi::Value crop_rows(const Napi::CallbackInfo&);

// still_wrap.cc
Napi::Value decode_still(const Napi::CallbackInfo&);
Napi::Value release_still(const Napi::CallbackInfo&);
Napi::Value still_tensor(const Napi::CallbackInfo&);
Napi::Value crop_still(const Napi::CallbackInfo&);

}  // namespace sightline::addon
