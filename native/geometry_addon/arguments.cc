#include "arguments.hpp"

#include <algorithm>

namespace sightline::geometry_addon {
namespace {

std::string describe(const Napi::Value& value) {
  if (value.IsUndefined()) return "undefined";
  if (value.IsNull()) return "null";
  if (value.IsBoolean()) return "a boolean";
  if (value.IsNumber()) return "a number";
  if (value.IsString()) return "a string";
  if (value.IsTypedArray()) return "another kind of array";
  if (value.IsArray()) return "an array";
  return "something else";
}

}  // namespace

addon::Fault wrong(const std::string& where, const std::string& expected, const std::string& received) {
  return {"NATIVE_ARGUMENT", where + ": expected " + expected + ", received " + received};
}

bool boolean(const Napi::Value& value, const std::string& where) {
  if (!value.IsBoolean()) throw wrong(where, "a boolean", describe(value));
  return value.As<Napi::Boolean>().Value();
}

std::string text(const Napi::Value& value, const std::string& where, std::size_t bytes_max) {
  const std::string expected = "a string of 1.." + std::to_string(bytes_max) + " bytes";
  if (!value.IsString()) throw wrong(where, expected, describe(value));
  std::string received = value.As<Napi::String>().Utf8Value();
  if (received.empty() || received.size() > bytes_max) throw wrong(where, expected, std::to_string(received.size()) + " bytes");
  return received;
}

Napi::Object object(const Napi::Value& value, const std::string& where) {
  if (!value.IsObject() || value.IsFunction() || value.IsArray()) throw wrong(where, "an object", describe(value));
  return value.As<Napi::Object>();
}

std::span<const double> doubles(const Napi::Value& value, const std::string& where, std::size_t each) {
  const std::string expected = "a Float64Array over an ArrayBuffer";
  if (!value.IsTypedArray()) throw wrong(where, expected, describe(value));
  const auto typed = value.As<Napi::TypedArray>();
  if (typed.TypedArrayType() != napi_float64_array) throw wrong(where, expected, "another kind of array");
  if (!typed.Get("buffer").IsArrayBuffer()) throw wrong(where, expected, "one over a SharedArrayBuffer");
  const auto array = value.As<Napi::Float64Array>();
  if (array.ElementLength() % each != 0) {
    throw wrong(where + ".length", "a multiple of " + std::to_string(each), std::to_string(array.ElementLength()));
  }
  return {array.Data(), array.ElementLength()};
}

Napi::Float64Array to_doubles(Napi::Env env, std::span<const double> values) {
  Napi::Float64Array array = Napi::Float64Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

}  // namespace sightline::geometry_addon
