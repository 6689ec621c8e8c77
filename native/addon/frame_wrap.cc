// Retained frames: JPEGs and crops.
#include <cmath>
#include <limits>

#include "arguments.hpp"
#include "env_data.hpp"
#include "jpeg_size.hpp"
#include "wraps.hpp"

namespace sightline::addon {
namespace {

constexpr std::size_t crops_max = 4096;
constexpr std::size_t matrix_floats = 6;

std::string encode(const slots::Picture& picture, const JpegOptions& options) {
  std::string jpeg = capture::encode_jpeg(picture, options.quality, options.max_width);
  if (jpeg.empty()) throw Fault("CAPTURE_JPEG_FAILED", "the frame could not be encoded as JPEG");
  return jpeg;
}

slots::Picture picture_of(const slots::Pool& pool, const char* who, int batch, int row) {
  std::optional<slots::Picture> picture = pool.picture(batch, row);
  if (picture) return std::move(*picture);
  throw Fault("NATIVE_BATCH_STATE", std::string(who) + ": expected a row of a batch in use, received batch " + std::to_string(batch) +
                                        ", row " + std::to_string(row) + ", which holds no frame");
}

Napi::Value jpeg_buffer(Napi::Env env, const std::string& jpeg) { return Napi::Buffer<char>::Copy(env, jpeg.data(), jpeg.size()); }

/// What cropRows() was asked for, checked.
struct Crops {
  std::span<const std::int32_t> rows;
  std::span<const float> matrices;
  std::span<std::uint8_t> dest;
  int width = 0, height = 0;
  std::uint8_t pad = 0;
  std::size_t bytes_each() const { return static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3; }
};

Crops crops_of(const Napi::CallbackInfo& call, int rows_max) {
  const auto rows = array(call[1], "cropRows: rows", napi_int32_array, "Int32Array").As<Napi::Int32Array>();
  const auto matrices = array(call[2], "cropRows: matrices", napi_float32_array, "Float32Array").As<Napi::Float32Array>();
  auto dest = array(call[3], "cropRows: dest", napi_uint8_array, "Uint8Array").As<Napi::Uint8Array>();
  Crops crops;
  crops.rows = {rows.Data(), rows.ElementLength()};
  crops.matrices = {matrices.Data(), matrices.ElementLength()};
  crops.dest = {dest.Data(), dest.ElementLength()};
  crops.width = small_integer(call[4], "cropRows: width", 1, slots::max_input_side);
  crops.height = small_integer(call[5], "cropRows: height", 1, slots::max_input_side);
  crops.pad = static_cast<std::uint8_t>(small_integer(call[6], "cropRows: pad", 0, 255));
  const std::size_t count = crops.rows.size();
  if (count > crops_max) throw wrong("cropRows: rows.length", "at most " + std::to_string(crops_max), std::to_string(count));
  if (crops.matrices.size() != count * matrix_floats) {
    throw wrong("cropRows: matrices.length", std::to_string(count * matrix_floats), std::to_string(crops.matrices.size()));
  }
  if (crops.dest.size() < count * crops.bytes_each()) {
    throw wrong("cropRows: dest.length", "at least " + std::to_string(count * crops.bytes_each()), std::to_string(crops.dest.size()));
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (crops.rows[i] < 0 || crops.rows[i] >= rows_max) {
      throw wrong("cropRows: rows[" + std::to_string(i) + "]", "0.." + std::to_string(rows_max - 1), std::to_string(crops.rows[i]));
    }
  }
  for (std::size_t i = 0; i < crops.matrices.size(); ++i) {
    if (!std::isfinite(crops.matrices[i])) throw wrong("cropRows: matrices[" + std::to_string(i) + "]", "a finite number", "NaN or Infinity");
  }
  return crops;
}

}  // namespace

Napi::Value snapshot(const Napi::CallbackInfo& call) {
  EnvData& data = EnvData::of(call.Env());
  const std::int64_t handle = integer(call[0], "snapshot: handle", 1, std::numeric_limits<std::uint32_t>::max());
  const JpegOptions options = jpeg_options(call[1], "snapshot: options");
  const auto camera = data.process().camera(static_cast<std::uint32_t>(handle));
  return data.promise(call.Env(), data.process().encoding(), [camera, options](const std::stop_token&) -> Answer {
    const slots::Picture picture = camera->newest();
    if (!picture.owner) return [](Napi::Env env) { return env.Null(); };
    std::string jpeg = encode(picture, options);
    const PixelSize size = jpeg_size(jpeg);
    return [jpeg = std::move(jpeg), size](Napi::Env env) -> Napi::Value {
      Napi::Object out = Napi::Object::New(env);
      out.Set("jpeg", jpeg_buffer(env, jpeg));
      out.Set("width", size.width);
      out.Set("height", size.height);
      return out;
    };
  });
}

Napi::Value row_jpeg(const Napi::CallbackInfo& call) {
  EnvData& data = EnvData::of(call.Env());
  const std::shared_ptr<slots::Pool> pool = data.process().pool();
  const int batch = small_integer(call[0], "rowJpeg: batch", 0, pool->options().batches - 1);
  const int row = small_integer(call[1], "rowJpeg: row", 0, pool->options().rows - 1);
  const JpegOptions options = jpeg_options(call[2], "rowJpeg: options");
  // Referenced before this returns, so the batch may be released while the picture is encoded.
  slots::Picture picture = picture_of(*pool, "rowJpeg", batch, row);
  return data.promise(call.Env(), data.process().encoding(), [picture = std::move(picture), options](const std::stop_token&) -> Answer {
    return [jpeg = encode(picture, options)](Napi::Env env) { return jpeg_buffer(env, jpeg); };
  });
}

Napi::Value clip(const Napi::CallbackInfo& call) {
  EnvData& data = EnvData::of(call.Env());
  const std::int64_t handle = integer(call[0], "clip: handle", 1, std::numeric_limits<std::uint32_t>::max());
  const Napi::Object span = object(call[1], "clip: span");
  const std::int64_t from_us = integer(span.Get("from_us"), "clip: span.from_us", 0, std::int64_t{1} << 53);
  const std::int64_t to_us = integer(span.Get("to_us"), "clip: span.to_us", 0, std::int64_t{1} << 53);
  const auto camera = data.process().camera(static_cast<std::uint32_t>(handle));
  return data.promise(call.Env(), data.process().encoding(), [camera, from_us, to_us](const std::stop_token&) -> Answer {
    capture::Clip made = camera->clip(from_us, to_us);
    if (made.reason == "CAPTURE_CLIP_FAILED") throw Fault("CAPTURE_CLIP_FAILED", "the packets could not be written as a file");
    if (made.data.empty()) return [](Napi::Env env) { return env.Null(); };
    return [made = std::move(made)](Napi::Env env) -> Napi::Value {
      Napi::Object out = Napi::Object::New(env);
      out.Set("data", jpeg_buffer(env, made.data));
      out.Set("extension", made.extension);
      out.Set("packets", made.packets);
      out.Set("from_us", Napi::Number::New(env, static_cast<double>(made.from_us)));
      out.Set("to_us", Napi::Number::New(env, static_cast<double>(made.to_us)));
      return out;
    };
  });
}

Napi::Value crop_rows(const Napi::CallbackInfo& call) {
  const std::shared_ptr<slots::Pool> pool = EnvData::of(call.Env()).process().pool();
  const int batch = small_integer(call[0], "cropRows: batch", 0, pool->options().batches - 1);
  const Crops crops = crops_of(call, pool->options().rows);
  int held_row = -1;
  slots::Picture held;  // crops of one frame come one after the other
  for (std::size_t i = 0; i < crops.rows.size(); ++i) {
    if (crops.rows[i] != held_row) {
      held = picture_of(*pool, "cropRows", batch, crops.rows[i]);
      held_row = crops.rows[i];
    }
    std::array<float, matrix_floats> matrix{};
    std::ranges::copy(crops.matrices.subspan(i * matrix_floats, matrix_floats), matrix.begin());
    pixels::warp_rgb(held.view, crops.dest.subspan(i * crops.bytes_each(), crops.bytes_each()), crops.width, crops.height, matrix, crops.pad);
  }
  return call.Env().Undefined();
}

}  // namespace sightline::addon
