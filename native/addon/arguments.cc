#include "arguments.hpp"

#include <cmath>
#include <limits>
#include <sstream>

namespace sightline::addon {
namespace {

constexpr int duration_max_ms = 24 * 60 * 60 * 1000;
constexpr std::size_t label_bytes_max = 64, url_bytes_max = 4096, name_bytes_max = 64, device_bytes_max = 32;
constexpr double analysis_fps_max = 240;

std::string show(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  std::ostringstream out;
  out.precision(15);
  out << value;
  return out.str();
}

std::string range(double from, double to) { return show(from) + ".." + show(to); }

int duration_ms(const Napi::Object& options, const char* name, const std::string& where) {
  return small_integer(options.Get(name), where + "." + name, 1, duration_max_ms);
}

}  // namespace

Fault wrong(const std::string& where, const std::string& expected, const std::string& received) {
  return {"NATIVE_ARGUMENT", where + ": expected " + expected + ", received " + received};
}

std::string describe(const Napi::Value& value) {
  if (value.IsUndefined()) return "undefined";
  if (value.IsNull()) return "null";
  if (value.IsBoolean()) return value.As<Napi::Boolean>().Value() ? "true" : "false";
  if (value.IsNumber()) return show(value.As<Napi::Number>().DoubleValue());
  if (value.IsString()) return "a string";
  if (value.IsFunction()) return "a function";
  if (value.IsArray()) return "an array";
  if (value.IsTypedArray()) return "another kind of array";
  if (value.IsObject()) return "an object";
  return "something else";
}

double number(const Napi::Value& value, const std::string& where, double from, double to) {
  if (value.IsNumber()) {
    const double received = value.As<Napi::Number>().DoubleValue();
    if (received >= from && received <= to) return received;  // false for NaN
  }
  throw wrong(where, "a number " + range(from, to), describe(value));
}

std::int64_t integer(const Napi::Value& value, const std::string& where, std::int64_t from, std::int64_t to) {
  if (value.IsNumber()) {
    const double received = value.As<Napi::Number>().DoubleValue();
    if (received >= static_cast<double>(from) && received <= static_cast<double>(to) && std::trunc(received) == received) {
      return static_cast<std::int64_t>(received);
    }
  }
  throw wrong(where, "an integer " + range(static_cast<double>(from), static_cast<double>(to)), describe(value));
}

int small_integer(const Napi::Value& value, const std::string& where, int from, int to) {
  return static_cast<int>(integer(value, where, from, to));
}

bool boolean(const Napi::Value& value, const std::string& where) {
  if (!value.IsBoolean()) throw wrong(where, "a boolean", describe(value));
  return value.As<Napi::Boolean>().Value();
}

std::string text(const Napi::Value& value, const std::string& where, std::size_t bytes_min, std::size_t bytes_max) {
  const std::string expected = "a string of " + std::to_string(bytes_min) + ".." + std::to_string(bytes_max) + " bytes";
  if (!value.IsString()) throw wrong(where, expected, describe(value));
  std::string received = value.As<Napi::String>().Utf8Value();
  if (received.size() < bytes_min || received.size() > bytes_max) throw wrong(where, expected, std::to_string(received.size()) + " bytes");
  // libav takes C strings: what comes after a zero would be silently lost.
  if (received.find('\0') != std::string::npos) throw wrong(where, "a string without zero bytes", "one with a zero byte");
  return received;
}

Napi::Object object(const Napi::Value& value, const std::string& where) {
  if (!value.IsObject() || value.IsFunction() || value.IsArray()) throw wrong(where, "an object", describe(value));
  return value.As<Napi::Object>();
}

Napi::Function function(const Napi::Value& value, const std::string& where) {
  if (!value.IsFunction()) throw wrong(where, "a function", describe(value));
  return value.As<Napi::Function>();
}

Napi::TypedArray array(const Napi::Value& value, const std::string& where, napi_typedarray_type type, const char* type_name) {
  const std::string expected = std::string(type_name) + " over an ArrayBuffer";
  if (!value.IsTypedArray()) throw wrong(where, expected, describe(value));
  const auto typed = value.As<Napi::TypedArray>();
  if (typed.TypedArrayType() != type) throw wrong(where, expected, "another kind of array");
  if (!typed.Get("buffer").IsArrayBuffer()) throw wrong(where, expected, "one over a SharedArrayBuffer");
  return typed;
}

void wrong_pick(const Napi::Value& value, const std::string& where, const std::string& names) {
  const std::string received =
      value.IsString() ? '"' + value.As<Napi::String>().Utf8Value().substr(0, 20) + '"' : describe(value);
  throw wrong(where, "one of " + names, received);
}

slots::InputSpec pool_input(const Napi::Value& value, const std::string& where) {
  const Napi::Object input = object(value, where);
  slots::InputSpec spec;
  spec.name = text(input.Get("name"), where + ".name", 1, name_bytes_max);
  spec.width = small_integer(input.Get("width"), where + ".width", 1, slots::max_input_side);
  spec.height = small_integer(input.Get("height"), where + ".height", 1, slots::max_input_side);
  spec.fit = pick<pixels::Fit>(input.Get("fit"), where + ".fit", {{"letterbox", pixels::Fit::letterbox}, {"stretch", pixels::Fit::stretch}});
  spec.pad = static_cast<std::uint8_t>(small_integer(input.Get("pad"), where + ".pad", 0, 255));
  return spec;
}

slots::PoolOptions pool_options(const Napi::Value& value, const std::string& where) {
  const Napi::Object from = object(value, where);
  slots::PoolOptions options;
  options.batches = small_integer(from.Get("batches"), where + ".batches", 2, slots::max_batches);
  options.rows = small_integer(from.Get("rows"), where + ".rows", 1, slots::max_rows);
  if (!from.Get("inputs").IsArray()) throw wrong(where + ".inputs", "an array", describe(from.Get("inputs")));
  const auto inputs = from.Get("inputs").As<Napi::Array>();
  // Before the loop: an array can claim to be four thousand million long.
  if (inputs.Length() < 1 || inputs.Length() > slots::max_inputs) {
    throw wrong(where + ".inputs.length", range(1, slots::max_inputs), std::to_string(inputs.Length()));
  }
  for (std::uint32_t i = 0; i < inputs.Length(); ++i) {
    options.inputs.push_back(pool_input(inputs.Get(i), where + ".inputs[" + std::to_string(i) + "]"));
  }
  if (const std::string problem = slots::problem(options); !problem.empty()) throw Fault("NATIVE_ARGUMENT", where + "." + problem);
  return options;
}

capture::CameraOptions camera_options(const Napi::Value& value, const std::string& where) {
  using capture::SourceKind;
  using capture::Transport;
  const Napi::Object from = object(value, where);
  capture::CameraOptions options;
  options.generation = static_cast<std::uint32_t>(
      integer(from.Get("generation"), where + ".generation", 0, std::numeric_limits<std::uint32_t>::max()));
  options.label = text(from.Get("label"), where + ".label", 1, label_bytes_max);
  options.kind = pick<SourceKind>(from.Get("kind"), where + ".kind",
                                  {{"rtsp", SourceKind::rtsp}, {"v4l2", SourceKind::v4l2}, {"file", SourceKind::file}, {"lavfi", SourceKind::lavfi}});
  options.url = text(from.Get("url"), where + ".url", 1, url_bytes_max);
  options.transport = pick<Transport>(from.Get("transport"), where + ".transport", {{"tcp", Transport::tcp}, {"udp", Transport::udp}});
  options.loop = boolean(from.Get("loop"), where + ".loop");
  options.realtime = boolean(from.Get("realtime"), where + ".realtime");
  if (!from.Get("analyse").IsUndefined()) options.analyse = boolean(from.Get("analyse"), where + ".analyse");
  options.analysis_fps = number(from.Get("analysis_fps"), where + ".analysis_fps", 0, analysis_fps_max);
  options.open_timeout_ms = duration_ms(from, "open_timeout_ms", where);
  options.read_timeout_ms = duration_ms(from, "read_timeout_ms", where);
  options.stall_limit_ms = duration_ms(from, "stall_limit_ms", where);
  options.backoff_min_ms = duration_ms(from, "backoff_min_ms", where);
  options.backoff_max_ms = duration_ms(from, "backoff_max_ms", where);
  options.backoff_auth_ms = duration_ms(from, "backoff_auth_ms", where);
  options.healthy_after_ms = duration_ms(from, "healthy_after_ms", where);
  options.clip_ms = small_integer(from.Get("clip_ms"), where + ".clip_ms", 0, 600'000);
  options.clip_bytes = integer(from.Get("clip_bytes"), where + ".clip_bytes", 0, 256 * 1024 * 1024);
  options.hw_device = text(from.Get("hw_device"), where + ".hw_device", 0, device_bytes_max);
  return options;
}

JpegOptions jpeg_options(const Napi::Value& value, const std::string& where) {
  const Napi::Object from = object(value, where);
  return {small_integer(from.Get("quality"), where + ".quality", 1, 100), small_integer(from.Get("max_width"), where + ".max_width", 0, 8192)};
}

}  // namespace sightline::addon
