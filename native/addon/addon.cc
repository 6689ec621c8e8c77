// capture.node: the table of contents. Types and meaning of each function: src/capture/types.ts.
#include <memory>

#include "entry.hpp"
#include "env_data.hpp"
#include "wraps.hpp"

namespace sightline::addon {

template <Function function>
static void add(Napi::Object& exports, const char* name) {
  exports.Set(name, Napi::Function::New<entry<function>>(exports.Env(), name));
}

template <Function function>
static void add_promise(Napi::Object& exports, const char* name) {
  exports.Set(name, Napi::Function::New<promise_entry<function>>(exports.Env(), name));
}

static Napi::Object load(Napi::Env env, Napi::Object exports) {
  try {
    env.SetInstanceData(faults_only([&] { return std::make_unique<EnvData>(env); }).release());
  } catch (const Fault& fault) {
    throw to_error(env, fault);
  }
  add<info>(exports, "info");
  add<set_simd_target>(exports, "setSimdTarget");
  add<monotonic>(exports, "monotonicUs");
  add<placement>(exports, "placement");

  add<open_pool>(exports, "openPool");
  add_promise<close>(exports, "close");
  add<pool_stats>(exports, "poolStats");
  add<on_ready>(exports, "onReady");
  add<arm_ready>(exports, "armReady");
  add<set_target_rows>(exports, "setTargetRows");
  add<take_batch>(exports, "takeBatch");
  add<release_batch>(exports, "releaseBatch");
  add<batch_tensor>(exports, "batchTensor");

  add<add_camera>(exports, "addCamera");
  add_promise<remove_camera>(exports, "removeCamera");
  add<analysis_rate>(exports, "setAnalysisRate");
  add<camera_stats>(exports, "cameraStats");
  add<on_state>(exports, "onState");
  add_promise<probe>(exports, "probe");

  add_promise<snapshot>(exports, "snapshot");
  add_promise<row_jpeg>(exports, "rowJpeg");
  add_promise<clip>(exports, "clip");
  add<crop_rows>(exports, "cropRows");

  add<decode_still>(exports, "decodeStill");
  add<release_still>(exports, "releaseStill");
  add<still_tensor>(exports, "stillTensor");
  add<crop_still>(exports, "cropStill");
  return exports;
}

}  // namespace sightline::addon

using sightline::addon::load;
NODE_API_MODULE(capture, load)
