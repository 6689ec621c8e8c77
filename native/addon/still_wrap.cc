// Still pictures that came as files (calibration frames): decoded, turned into model inputs and cropped on the calling thread, which is an
// inference worker's. A picture lives until releaseStill() or, should that be forgotten, until its handle is collected.
#include <cmath>
#include <limits>

#include "../capture/still.hpp"
#include "../pixels/pixels.hpp"
#include "arguments.hpp"
#include "wraps.hpp"

namespace sightline::addon {
namespace {

constexpr std::size_t file_bytes_max = 64u << 20;
constexpr std::size_t crops_max = 64;
constexpr std::size_t matrix_floats = 6;
/// Marks our externals: another addon's must not be taken for one.
constexpr napi_type_tag still_tag = {0x51c47a11e57171ULL, 0x9d3f0a6bc2e84d15ULL};

struct Held {
  std::optional<slots::Picture> picture;
};

const slots::Picture& picture_of(const Napi::Value& value, const char* where) {
  if (!value.IsExternal() || !value.As<Napi::External<Held>>().CheckTypeTag(&still_tag)) throw wrong(where, "a still of decodeStill()", describe(value));
  const Held& held = *value.As<Napi::External<Held>>().Data();
  if (!held.picture) throw Fault("NATIVE_BATCH_STATE", std::string(where) + ": expected a still that was not released, received one that was");
  return *held.picture;
}

std::span<std::uint8_t> bytes_of(const Napi::Value& value, const char* where, std::size_t least) {
  auto view = array(value, where, napi_uint8_array, "Uint8Array").As<Napi::Uint8Array>();
  if (view.ElementLength() < least) throw wrong(std::string(where) + ".length", "at least " + std::to_string(least), std::to_string(view.ElementLength()));
  return {view.Data(), view.ElementLength()};
}

}  // namespace

Napi::Value decode_still(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  const std::span<std::uint8_t> file = bytes_of(call[0], "decodeStill: file", 1);
  if (file.size() > file_bytes_max) throw wrong("decodeStill: file.length", "at most " + std::to_string(file_bytes_max), std::to_string(file.size()));
  capture::Still still = capture::decode_still(file);
  if (!still.picture) throw Fault("CAPTURE_STILL_INVALID", still.problem);
  const pixels::ImageView view = still.picture->view;
  auto held = std::make_unique<Held>();
  held->picture = std::move(still.picture);
  auto handle = Napi::External<Held>::New(env, held.get(), [](Napi::Env, Held* gone) { delete gone; });
  held.release();
  handle.TypeTag(&still_tag);
  Napi::Object answer = Napi::Object::New(env);
  answer.Set("still", handle);
  answer.Set("width", view.width);
  answer.Set("height", view.height);
  return answer;
}

Napi::Value release_still(const Napi::CallbackInfo& call) {
  picture_of(call[0], "releaseStill: still");
  call[0].As<Napi::External<Held>>().Data()->picture.reset();
  return call.Env().Undefined();
}

Napi::Value still_tensor(const Napi::CallbackInfo& call) {
  const slots::Picture& picture = picture_of(call[0], "stillTensor: still");
  const slots::InputSpec input = pool_input(call[1], "stillTensor: input");
  const std::size_t bytes = static_cast<std::size_t>(input.width) * static_cast<std::size_t>(input.height) * 3;
  const std::span<std::uint8_t> dest = bytes_of(call[2], "stillTensor: dest", bytes);
  const pixels::Placement at = pixels::place(picture.view.width, picture.view.height, input.width, input.height, input.fit);
  pixels::to_rgb(picture.view, dest.first(bytes), input.width, input.height, at, input.pad);
  return call.Env().Undefined();
}

Napi::Value crop_still(const Napi::CallbackInfo& call) {
  const slots::Picture& picture = picture_of(call[0], "cropStill: still");
  const auto matrices = array(call[1], "cropStill: matrices", napi_float32_array, "Float32Array").As<Napi::Float32Array>();
  const int width = small_integer(call[3], "cropStill: width", 1, slots::max_input_side);
  const int height = small_integer(call[4], "cropStill: height", 1, slots::max_input_side);
  const auto pad = static_cast<std::uint8_t>(small_integer(call[5], "cropStill: pad", 0, 255));
  const std::size_t count = matrices.ElementLength() / matrix_floats;
  if (count > crops_max || matrices.ElementLength() != count * matrix_floats) {
    throw wrong("cropStill: matrices.length", "6 a crop, at most " + std::to_string(crops_max) + " crops", std::to_string(matrices.ElementLength()));
  }
  const std::size_t each = static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3;
  const std::span<std::uint8_t> dest = bytes_of(call[2], "cropStill: dest", count * each);
  const std::span<const float> values{matrices.Data(), matrices.ElementLength()};
  if (!std::ranges::all_of(values, [](float value) { return std::isfinite(value); })) throw wrong("cropStill: matrices", "finite numbers", "NaN or Infinity");
  for (std::size_t i = 0; i < count; ++i) {
    std::array<float, matrix_floats> matrix{};
    std::ranges::copy(values.subspan(i * matrix_floats, matrix_floats), matrix.begin());
    pixels::warp_rgb(picture.view, dest.subspan(i * each, each), width, height, matrix, pad);
  }
  return call.Env().Undefined();
}

}  // namespace sightline::addon
