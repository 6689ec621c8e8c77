// Cameras: adding, removing, figures, connection tests.
#include <limits>

#include "arguments.hpp"
#include "env_data.hpp"
#include "wraps.hpp"

namespace sightline::addon {
namespace {

Napi::Object stats_object(Napi::Env env, std::uint32_t handle, std::uint32_t generation, const capture::CameraStats& stats) {
  const auto number = [env](auto value) { return Napi::Number::New(env, static_cast<double>(value)); };
  Napi::Object out = Napi::Object::New(env);
  out.Set("handle", number(handle));
  out.Set("generation", number(generation));
  out.Set("state", capture::name(stats.state));
  out.Set("reason", stats.reason);
  out.Set("detail", stats.detail);
  out.Set("decoder", stats.decoder);
  out.Set("codec", stats.codec);
  out.Set("width", number(stats.width));
  out.Set("height", number(stats.height));
  out.Set("fps", number(stats.fps));
  out.Set("source_fps", number(stats.source_fps));
  out.Set("newest_frame_us", number(stats.newest_frame_us));
  out.Set("newest_wall_ms", number(stats.newest_wall_ms));
  out.Set("packets", number(stats.packets));
  out.Set("bytes", number(stats.bytes));
  out.Set("frames", number(stats.frames));
  out.Set("analysed", number(stats.analysed));
  out.Set("corrupt", number(stats.corrupt));
  out.Set("reconnects", number(stats.reconnects));
  out.Set("hw_fallbacks", number(stats.hw_fallbacks));
  Napi::Object drops = Napi::Object::New(env);
  for (int i = 0; i < static_cast<int>(capture::Drop::count); ++i) {
    drops.Set(capture::name(static_cast<capture::Drop>(i)), number(stats.drops[i]));
  }
  out.Set("drops", drops);
  out.Set("retry_at_us", number(stats.retry_at_us));
  return out;
}

Napi::Value probe_object(Napi::Env env, const capture::ProbeResult& result) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("ok", result.ok);
  out.Set("reason", result.reason);
  out.Set("detail", result.detail);
  out.Set("codec", result.codec);
  out.Set("pixel_format", result.pixel_format);
  out.Set("transport", result.transport);
  out.Set("width", result.width);
  out.Set("height", result.height);
  out.Set("source_fps", result.source_fps);
  out.Set("open_ms", result.open_ms);
  out.Set("first_frame_ms", result.first_frame_ms);
  return out;
}

}  // namespace

Napi::Value add_camera(const Napi::CallbackInfo& call) {
  ProcessData& process = EnvData::of(call.Env()).process();
  const std::uint32_t handle = process.add(camera_options(call[0], "addCamera: options"));
  return Napi::Number::New(call.Env(), handle);
}

Napi::Value remove_camera(const Napi::CallbackInfo& call) {
  EnvData& data = EnvData::of(call.Env());
  const std::int64_t handle = integer(call[0], "removeCamera: handle", 1, std::numeric_limits<std::uint32_t>::max());
  return data.promise(call.Env(), data.process().stopping(),
                      [rest = data.process().begin_removal(static_cast<std::uint32_t>(handle))](const std::stop_token&) -> Answer {
                        rest();
                        return [](Napi::Env env) { return env.Undefined(); };
                      });
}

Napi::Value analysis_rate(const Napi::CallbackInfo& call) {
  const std::int64_t handle = integer(call[0], "setAnalysisRate: handle", 1, std::numeric_limits<std::uint32_t>::max());
  const double fps = number(call[1], "setAnalysisRate: fps", 0, 240);
  const double limit = number(call[2], "setAnalysisRate: limit", 0, 240);
  for (const RunningCamera& running : EnvData::of(call.Env()).process().cameras()) {
    if (running.handle != static_cast<std::uint32_t>(handle)) continue;
    running.camera->analysis_rate(fps, limit);
    return Napi::Boolean::New(call.Env(), true);
  }
  return Napi::Boolean::New(call.Env(), false);
}

Napi::Value camera_stats(const Napi::CallbackInfo& call) {
  Napi::Array out = Napi::Array::New(call.Env());
  std::uint32_t count = 0;
  for (const RunningCamera& running : EnvData::of(call.Env()).process().cameras()) {
    out.Set(count++, stats_object(call.Env(), running.handle, running.generation, running.camera->stats()));
  }
  return out;
}

Napi::Value on_state(const Napi::CallbackInfo& call) {
  EnvData::of(call.Env()).on_state(call.Env(), function(call[0], "onState: callback"));
  return call.Env().Undefined();
}

Napi::Value probe(const Napi::CallbackInfo& call) {
  EnvData& data = EnvData::of(call.Env());
  capture::CameraOptions options = camera_options(call[0], "probe: options");
  return data.promise(call.Env(), data.process().probing(), [options = std::move(options)](const std::stop_token& stop) -> Answer {
    return [result = capture::probe(options, stop)](Napi::Env env) { return probe_object(env, result); };
  });
}

}  // namespace sightline::addon
