// Arguments: JavaScript values -> plain C++ values, each checked for type and range. `where` names the argument in the error
// (`addCamera: options.url`). Throws Fault NATIVE_ARGUMENT. Strings are never quoted, they may hold credentials; only
// pick() quotes, which reads enumerations.
#pragma once
#include <napi.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "../capture/camera.hpp"
#include "../slots/pool.hpp"
#include "fault.hpp"

namespace sightline::addon {

Fault wrong(const std::string& where, const std::string& expected, const std::string& received);
/// What came, in a word: `undefined`, `a string`, `3.5`, ...
std::string describe(const Napi::Value&);

double number(const Napi::Value&, const std::string& where, double from, double to);
std::int64_t integer(const Napi::Value&, const std::string& where, std::int64_t from, std::int64_t to);
/// integer() for what fits an int.
int small_integer(const Napi::Value&, const std::string& where, int from, int to);
bool boolean(const Napi::Value&, const std::string& where);
std::string text(const Napi::Value&, const std::string& where, std::size_t bytes_min, std::size_t bytes_max);
Napi::Object object(const Napi::Value&, const std::string& where);
Napi::Function function(const Napi::Value&, const std::string& where);
/// A view of this element type over an ordinary ArrayBuffer: what another thread can change or detach is refused.
Napi::TypedArray array(const Napi::Value&, const std::string& where, napi_typedarray_type type, const char* type_name);

[[noreturn]] void wrong_pick(const Napi::Value&, const std::string& where, const std::string& names);
template <class Enum>
Enum pick(const Napi::Value& value, const std::string& where, std::initializer_list<std::pair<std::string_view, Enum>> choices) {
  std::string names;
  for (const auto& [name, choice] : choices) {
    if (value.IsString() && value.As<Napi::String>().Utf8Value() == name) return choice;
    names += (names.empty() ? "\"" : ", \"") + std::string(name) + "\"";
  }
  wrong_pick(value, where, names);
}

struct JpegOptions {
  int quality = 85, max_width = 0;
};

slots::InputSpec pool_input(const Napi::Value&, const std::string& where);
slots::PoolOptions pool_options(const Napi::Value&, const std::string& where);
capture::CameraOptions camera_options(const Napi::Value&, const std::string& where);
JpegOptions jpeg_options(const Napi::Value&, const std::string& where);

}  // namespace sightline::addon
