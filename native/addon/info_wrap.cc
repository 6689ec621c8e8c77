// What the addon knows of itself, and functions of arguments alone.
#include "../capture/camera.hpp"
#include "../common/clock.hpp"
#include "../pixels/pixels.hpp"
#include "arguments.hpp"
#include "wraps.hpp"

namespace sightline::addon {
namespace {

constexpr int picture_side_max = 65535;

Napi::Value layout(Napi::Env env) {
  Napi::Object sizes = Napi::Object::New(env);
  sizes.Set("max_inputs", slots::max_inputs);
  sizes.Set("max_rows", slots::max_rows);
  sizes.Set("max_batches", slots::max_batches);
  Napi::Array reasons = Napi::Array::New(env);
  for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(capture::Drop::count); ++i) {
    reasons.Set(i, capture::name(static_cast<capture::Drop>(i)));
  }
  sizes.Set("drop_reasons", reasons);
  Napi::Array states = Napi::Array::New(env);
  for (std::uint32_t i = 0; i <= static_cast<std::uint32_t>(capture::State::failed); ++i) {
    states.Set(i, capture::name(static_cast<capture::State>(i)));
  }
  sizes.Set("states", states);
  return sizes;
}

}  // namespace

Napi::Value info(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  Napi::Object answer = Napi::Object::New(env);
  answer.Set("libav", capture::libav_versions());
  answer.Set("simd", std::string(pixels::target()));
  Napi::Array supported = Napi::Array::New(env);
  std::uint32_t count = 0;
  for (const std::string_view target : pixels::supported_targets()) supported.Set(count++, std::string(target));
  answer.Set("simd_supported", supported);
  answer.Set("layout", layout(env));
  return answer;
}

Napi::Value set_simd_target(const Napi::CallbackInfo& call) {
  return Napi::Boolean::New(call.Env(), pixels::set_target(text(call[0], "setSimdTarget: name", 1, 32)));
}

Napi::Value monotonic(const Napi::CallbackInfo& call) {
  return Napi::Number::New(call.Env(), static_cast<double>(monotonic_us()));
}

Napi::Value placement(const Napi::CallbackInfo& call) {
  const int width = small_integer(call[0], "placement: srcWidth", 1, picture_side_max);
  const int height = small_integer(call[1], "placement: srcHeight", 1, picture_side_max);
  const slots::InputSpec input = pool_input(call[2], "placement: input");
  const pixels::Placement at = pixels::place(width, height, input.width, input.height, input.fit);
  Napi::Object answer = Napi::Object::New(call.Env());
  answer.Set("scale_x", at.scale_x);
  answer.Set("scale_y", at.scale_y);
  answer.Set("x", at.x);
  answer.Set("y", at.y);
  return answer;
}

}  // namespace sightline::addon
