// vision.node: SIFT and contrast normalisation over grey pictures. @u4/opencv4nodejs has neither (it looks for SIFT among the contributed
// modules, OpenCV 4.4 and later have it in features2d), so this stands beside it in the OpenCV child process: one thread, synchronous.
#include <napi.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <opencv2/core.hpp>
#include <opencv2/core/utility.hpp>
#include <opencv2/imgproc.hpp>

#include "vision/sift.hpp"

namespace sightline::vision {
namespace {

[[noreturn]] void refuse(Napi::Env env, const char* what) {
  Napi::Error error = Napi::Error::New(env, what);
  error.Set("code", Napi::String::New(env, "NATIVE_ARGUMENT"));
  throw error;
}

/// Width x height bytes; null and undefined are an empty picture.
cv::Mat picture_of(Napi::Env env, const Napi::Value& value, int width, int height) {
  if (value.IsNull() || value.IsUndefined()) return {};
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) refuse(env, "picture: expected a Uint8Array");
  auto bytes = value.As<Napi::Uint8Array>();
  if (width < 1 || height < 1 || bytes.ElementLength() != static_cast<std::size_t>(width) * static_cast<std::size_t>(height)) {
    refuse(env, "picture: expected width x height bytes");
  }
  return cv::Mat(height, width, CV_8UC1, bytes.Data());
}

/// Runs `act`; OpenCV's exceptions come out as NATIVE_FAILED.
template <class Act>
Napi::Value guarded(Napi::Env env, Act&& act) {
  try {
    return act();
  } catch (const cv::Exception& fault) {
    Napi::Error error = Napi::Error::New(env, "OpenCV: " + fault.err);
    error.Set("code", Napi::String::New(env, "NATIVE_FAILED"));
    throw error;
  } catch (const std::bad_alloc&) {
    Napi::Error error = Napi::Error::New(env, "out of memory");
    error.Set("code", Napi::String::New(env, "NATIVE_MEMORY"));
    throw error;
  }
}

/// sift(grey, width, height, mask | null, features, contrast) -> {xy, size, descriptors}.
Napi::Value sift(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (info.Length() != 6) refuse(env, "sift(): expected six arguments");
  const int width = info[1].As<Napi::Number>().Int32Value(), height = info[2].As<Napi::Number>().Int32Value();
  const cv::Mat grey = picture_of(env, info[0], width, height), mask = picture_of(env, info[3], width, height);
  const int features = info[4].As<Napi::Number>().Int32Value();
  const double contrast = info[5].As<Napi::Number>().DoubleValue();
  return guarded(env, [&]() -> Napi::Value {
    const auto [points, descriptors] = strongest(grey, mask, features, contrast);
    const std::size_t count = points.size();
    auto xy = Napi::Float32Array::New(env, count * 2);
    auto size = Napi::Float32Array::New(env, count);
    auto bytes = Napi::Uint8Array::New(env, count * 128);
    // OpenCV up to 4.7 doubles the picture without the half pixel that belongs to it: its points lie 0.25 pixels too far right and down.
    const float shift = CV_VERSION_MAJOR * 100 + CV_VERSION_MINOR < 408 ? 0.25f : 0.0f;
    for (std::size_t i = 0; i < count; ++i) {
      xy.Data()[2 * i] = points[i].pt.x - shift;
      xy.Data()[2 * i + 1] = points[i].pt.y - shift;
      size.Data()[i] = points[i].size;
      std::memcpy(bytes.Data() + i * 128, descriptors.ptr(static_cast<int>(i)), 128);
    }
    Napi::Object out = Napi::Object::New(env);
    out.Set("xy", xy);
    out.Set("size", size);
    out.Set("descriptors", bytes);
    return out;
  });
}

/// normalise(grey, width, height) -> a picture whose contrast is spread, where it was poor; null where it was not.
Napi::Value normalise(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (info.Length() != 3) refuse(env, "normalise(): expected three arguments");
  const int width = info[1].As<Napi::Number>().Int32Value(), height = info[2].As<Napi::Number>().Int32Value();
  const cv::Mat grey = picture_of(env, info[0], width, height);
  return guarded(env, [&]() -> Napi::Value {
    // The darkest and brightest percent are lamps and letters.
    std::size_t levels[256] = {};
    for (int y = 0; y < height; ++y) {
      const std::uint8_t* line = grey.ptr(y);
      for (int x = 0; x < width; ++x) ++levels[line[x]];
    }
    const auto level_at = [&](double share) {
      auto rest = static_cast<std::size_t>(share * static_cast<double>(grey.total()));
      int level = 0;
      while (level < 255 && rest >= levels[level]) rest -= levels[level++];
      return level;
    };
    const int low = level_at(0.01), high = level_at(0.99);
    constexpr int poor = 110;
    if (high - low >= poor) return env.Null();
    // Noise would be spread, too: it is smoothed first.
    cv::Mat smooth, stretched, out;
    grey.convertTo(smooth, CV_32F);
    cv::GaussianBlur(smooth, smooth, cv::Size(), 1.0);
    smooth.convertTo(stretched, CV_8U, 255.0 / std::max(high - low, 8), -255.0 * low / std::max(high - low, 8));
    cv::createCLAHE(2.0, cv::Size(8, 8))->apply(stretched, out);
    auto bytes = Napi::Uint8Array::New(env, grey.total());
    for (int y = 0; y < height; ++y) std::memcpy(bytes.Data() + static_cast<std::size_t>(y) * static_cast<std::size_t>(width), out.ptr(y), static_cast<std::size_t>(width));
    return bytes;
  });
}

Napi::Value set_threads(const Napi::CallbackInfo& info) {
  cv::setNumThreads(info[0].As<Napi::Number>().Int32Value());
  return info.Env().Undefined();
}

Napi::Object load(Napi::Env env, Napi::Object exports) {
  exports.Set("sift", Napi::Function::New(env, sift));
  exports.Set("normalise", Napi::Function::New(env, normalise));
  exports.Set("setThreads", Napi::Function::New(env, set_threads));
  exports.Set("opencv", Napi::String::New(env, CV_VERSION));
  return exports;
}

}  // namespace
}  // namespace sightline::vision

static Napi::Object load_vision(Napi::Env env, Napi::Object exports) { return sightline::vision::load(env, exports); }
NODE_API_MODULE(vision, load_vision)
