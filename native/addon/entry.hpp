// The edge of the addon: every function that JavaScript calls goes through entry<> or promise_entry<>, which let no C++
// exception out. node-addon-api is used with C++ exceptions on (NODE_ADDON_API_CPP_EXCEPTIONS): without them each of its calls
// would need its own check for a pending exception, and std::bad_alloc and friends would still have to be caught here.
#pragma once
#include <napi.h>

#include <exception>
#include <new>

#include "fault.hpp"

namespace sightline::addon {

/// A JavaScript Error with the code and message of the fault.
inline Napi::Error to_error(Napi::Env env, const Fault& fault) {
  Napi::Error error = Napi::Error::New(env, fault.what());
  error.Set("code", Napi::String::New(env, fault.code()));
  return error;
}

/// Runs `act`; whatever it throws comes out as a Fault, except JavaScript's own errors.
template <class Act>
auto faults_only(Act&& act) {
  try {
    return act();
  } catch (const Napi::Error&) {
    throw;
  } catch (const Fault&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw Fault("NATIVE_MEMORY", "out of memory");
  } catch (const std::exception& error) {
    throw Fault("NATIVE_FAILED", error.what());
  } catch (...) {
    throw Fault("NATIVE_FAILED", "an unknown C++ exception");
  }
}

using Function = Napi::Value (*)(const Napi::CallbackInfo&);

/// A function that throws.
template <Function function>
Napi::Value entry(const Napi::CallbackInfo& info) {
  try {
    return faults_only([&] { return function(info); });
  } catch (const Fault& fault) {
    throw to_error(info.Env(), fault);
  }
}

/// A function that answers a promise, also when its arguments are wrong.
template <Function function>
Napi::Value promise_entry(const Napi::CallbackInfo& info) {
  const auto rejected = [&](const Napi::Value& reason) {
    const auto deferred = Napi::Promise::Deferred::New(info.Env());
    deferred.Reject(reason);
    return deferred.Promise();
  };
  try {
    return faults_only([&] { return function(info); });
  } catch (const Fault& fault) {
    return rejected(to_error(info.Env(), fault).Value());
  } catch (const Napi::Error& error) {
    return rejected(error.Value());
  }
}

}  // namespace sightline::addon
