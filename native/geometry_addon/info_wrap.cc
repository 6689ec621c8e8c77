// What the addon knows of itself.
#include "../geometry/targets.hpp"
#include "arguments.hpp"
#include "wraps.hpp"

namespace sightline::geometry_addon {

Napi::Value info(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  Napi::Object answer = Napi::Object::New(env);
  answer.Set("simd", std::string(geometry::target()));
  Napi::Array supported = Napi::Array::New(env);
  std::uint32_t count = 0;
  for (const std::string_view target : geometry::supported_targets()) supported.Set(count++, std::string(target));
  answer.Set("simd_supported", supported);
  return answer;
}

Napi::Value set_simd_target(const Napi::CallbackInfo& call) {
  return Napi::Boolean::New(call.Env(), geometry::set_target(text(call[0], "setSimdTarget: name", 32)));
}

}  // namespace sightline::geometry_addon
