// service.node: what the daemon needs of the operating system that Node does not have. Types and meaning: src/service/native.ts.
#include <cstring>

#include "../service/notify.hpp"
#include "entry.hpp"

namespace sightline::addon {
namespace {

Napi::Value notify(const Napi::CallbackInfo& call) {
  if (!call[0].IsString() || !call[1].IsString()) throw Fault("NATIVE_ARGUMENT", "notify: expected an address and a message, both text");
  const std::string address = call[0].As<Napi::String>();
  const std::string message = call[1].As<Napi::String>();
  const int fault = service::notify(address, message);
  return Napi::String::New(call.Env(), fault == 0 ? "" : std::strerror(fault));
}

Napi::Object load_service(Napi::Env env, Napi::Object exports) {
  exports.Set("notify", Napi::Function::New<entry<notify>>(env, "notify"));
  return exports;
}

}  // namespace
}  // namespace sightline::addon

using sightline::addon::load_service;
NODE_API_MODULE(service, load_service)
