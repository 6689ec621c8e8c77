// PTZ matching and estimates for JavaScript: promises, since they take tens of milliseconds. Everything is copied out of JavaScript before a
// thread of libuv's pool takes over, and nothing of JavaScript is touched there.
#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <vector>

#include "../geometry/ptz_estimate.hpp"
#include "../geometry/ptz_match.hpp"
#include "arguments.hpp"
#include "wraps.hpp"

namespace sightline::geometry_addon {
namespace {

namespace ptz = geometry::ptz;

constexpr std::size_t features_max = 100'000;
constexpr std::size_t references_max = 1024;
constexpr std::size_t queries_max = 64;
constexpr std::size_t matches_max = 2'000'000;
/// Numbers of a match, and of a view: see src/geometry/types.ts.
constexpr std::size_t match_numbers = 7;
constexpr std::size_t view_numbers = 4;

/// Work that runs off the JavaScript thread and an answer that is made on it.
template <class Result>
class Job : public Napi::AsyncWorker {
 public:
  using Work = std::function<Result()>;
  using Answer = std::function<Napi::Value(Napi::Env, const Result&)>;

  static Napi::Value start(Napi::Env env, Work work, Answer answer) {
    auto job = std::make_unique<Job>(env, std::move(work), std::move(answer));
    const Napi::Value promise = job->deferred_.Promise();
    job.release()->Queue();  // deletes itself
    return promise;
  }

  Job(Napi::Env env, Work work, Answer answer)
      : Napi::AsyncWorker(env), deferred_(Napi::Promise::Deferred::New(env)), work_(std::move(work)), answer_(std::move(answer)) {}

 private:
  void Execute() override { result_ = work_(); }
  void OnOK() override { deferred_.Resolve(answer_(Env(), result_)); }
  void OnError(const Napi::Error& error) override {
    Napi::Error named = Napi::Error::New(Env(), error.Message());
    named.Set("code", Napi::String::New(Env(), "NATIVE_FAILED"));
    deferred_.Reject(named.Value());
  }

  Napi::Promise::Deferred deferred_;
  Work work_;
  Answer answer_;
  Result result_{};
};

double number(const Napi::Value& value, const std::string& where, double least, double most) {
  if (!value.IsNumber()) throw wrong(where, "a number", "something else");
  const double received = value.As<Napi::Number>().DoubleValue();
  if (!(received >= least && received <= most)) {
    throw wrong(where, "a number from " + std::to_string(least) + " to " + std::to_string(most), std::to_string(received));
  }
  return received;
}

std::vector<std::uint8_t> bytes(const Napi::Value& value, const std::string& where, std::size_t each) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) throw wrong(where, "a Uint8Array", "something else");
  auto array = value.As<Napi::Uint8Array>();
  if (array.ElementLength() % each != 0 || array.ElementLength() / each > features_max) {
    throw wrong(where + ".length", "a multiple of " + std::to_string(each) + ", at most " + std::to_string(features_max) + " times", std::to_string(array.ElementLength()));
  }
  return {array.Data(), array.Data() + array.ElementLength()};
}

std::vector<ptz::View> views_of(const Napi::Value& value, const std::string& where, std::size_t views_max) {
  const std::span<const double> numbers = doubles(value, where, view_numbers);
  if (numbers.size() / view_numbers > views_max) throw wrong(where, "at most " + std::to_string(views_max) + " views", std::to_string(numbers.size() / view_numbers));
  std::vector<ptz::View> views;
  for (std::size_t i = 0; i < numbers.size(); i += view_numbers) {
    for (std::size_t k = 0; k < view_numbers; ++k) {
      if (!std::isfinite(numbers[i + k])) throw wrong(where, "finite numbers", "another");
    }
    if (!(numbers[i + 3] > 0.01 && numbers[i + 3] < 1000)) throw wrong(where, "a zoom from 0.01 to 1000", std::to_string(numbers[i + 3]));
    views.push_back({ptz::camera_at({numbers[i], numbers[i + 1], numbers[i + 2]}), numbers[i + 3]});
  }
  return views;
}

std::vector<ptz::Match> matches_of(const Napi::Value& value, const std::string& where, std::size_t references, std::size_t queries) {
  const std::span<const double> numbers = doubles(value, where, match_numbers);
  if (numbers.size() / match_numbers > matches_max) throw wrong(where, "at most " + std::to_string(matches_max) + " matches", std::to_string(numbers.size() / match_numbers));
  std::vector<ptz::Match> matches;
  matches.reserve(numbers.size() / match_numbers);
  for (std::size_t i = 0; i < numbers.size(); i += match_numbers) {
    const double* one = &numbers[i];
    for (std::size_t k = 0; k < match_numbers; ++k) {
      if (!std::isfinite(one[k])) throw wrong(where, "finite numbers", "another");
    }
    if (!(one[0] >= 0 && one[0] < static_cast<double>(references) && one[1] >= 0 && one[1] < static_cast<double>(queries))) {
      throw wrong(where, "indexes of views", "another");
    }
    matches.push_back({static_cast<std::uint32_t>(one[0]), static_cast<std::uint32_t>(one[1]), one[2], one[3], one[4], one[5], one[6]});
  }
  return matches;
}

const char* name_of(ptz::Verdict verdict) {
  switch (verdict) {
    case ptz::Verdict::used: return "used";
    case ptz::Verdict::few_matches: return "few_matches";
    case ptz::Verdict::inconsistent: return "inconsistent";
    case ptz::Verdict::poor_spread: return "poor_spread";
    case ptz::Verdict::too_large: break;
  }
  return "too_large";
}

Napi::Object angles(Napi::Env env, const ptz::Angles& from) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("yaw", from.yaw);
  to.Set("pitch", from.pitch);
  to.Set("roll", from.roll);
  return to;
}

Napi::Value view_answer(Napi::Env env, const ptz::ViewEstimate& view) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("verdict", name_of(view.verdict));
  to.Set("angles", angles(env, ptz::angles_of(view.offset)));
  to.Set("covariance", to_doubles(env, view.covariance));
  to.Set("matches", view.matches);
  to.Set("inliers", view.inliers);
  to.Set("cells", view.cells);
  return to;
}

Napi::Value answer_of(Napi::Env env, const ptz::Estimate& from) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("verdict", name_of(from.verdict));
  to.Set("angles", angles(env, from.angles));
  to.Set("covariance", to_doubles(env, from.covariance));
  to.Set("half_interval", to_doubles(env, from.half_interval));
  to.Set("log_zoom", from.log_zoom);
  to.Set("log_zoom_deviation", from.log_zoom_deviation);
  to.Set("k1", from.lens.k1);
  to.Set("k2", from.lens.k2);
  to.Set("k1_change", from.lens.k1_change);
  to.Set("noise_px", from.noise_px);
  to.Set("scatter", from.scatter);
  to.Set("disagree", from.disagree);
  to.Set("inliers", from.inliers);
  to.Set("cells", from.cells);
  Napi::Array views = Napi::Array::New(env, from.views.size());
  for (std::size_t i = 0; i < from.views.size(); ++i) views.Set(static_cast<std::uint32_t>(i), view_answer(env, from.views[i]));
  to.Set("views", views);
  Napi::Uint8Array inlier = Napi::Uint8Array::New(env, from.inlier.size());
  std::copy(from.inlier.begin(), from.inlier.end(), inlier.Data());
  to.Set("inlier", inlier);
  return to;
}

/// What an estimate reads; the problem's spans point into it.
struct Inputs {
  std::vector<ptz::View> references, queries;
  std::vector<ptz::Match> matches;
};

}  // namespace

Napi::Value match_features(const Napi::CallbackInfo& call) {
  const auto each = static_cast<std::size_t>(number(call[2], "matchFeatures: descriptor_bytes", 1, 1024));
  const auto a = std::make_shared<std::vector<std::uint8_t>>(bytes(call[0], "matchFeatures: a", each));
  const auto b = std::make_shared<std::vector<std::uint8_t>>(bytes(call[1], "matchFeatures: b", each));
  const ptz::Metric metric = boolean(call[3], "matchFeatures: hamming") ? ptz::Metric::hamming : ptz::Metric::euclidean;
  const double ratio = number(call[4], "matchFeatures: ratio", 0, 1);
  return Job<std::vector<ptz::Pair>>::start(
      call.Env(), [=] { return ptz::match(ptz::active_kernels(), {a->data(), a->size() / each, each}, {b->data(), b->size() / each, each}, metric, ratio); },
      [](Napi::Env env, const std::vector<ptz::Pair>& pairs) -> Napi::Value {
        Napi::Uint32Array out = Napi::Uint32Array::New(env, pairs.size() * 2);
        for (std::size_t i = 0; i < pairs.size(); ++i) out[2 * i] = pairs[i].a, out[2 * i + 1] = pairs[i].b;
        return out;
      });
}

Napi::Value estimate_offset(const Napi::CallbackInfo& call) {
  const Napi::Object from = object(call[0], "estimateOffset: problem");
  const auto field = [&](const char* name, double least, double most) { return number(from.Get(name), std::string("estimateOffset: problem.") + name, least, most); };
  ptz::Problem problem;
  problem.width = field("width", 1, 65536);
  problem.height = field("height", 1, 65536);
  problem.camera = {field("fx", 1, 1e6), field("fy", 1, 1e6), field("cx", -1e5, 1e5), field("cy", -1e5, 1e5), field("k1", -2, 2), 0};
  ptz::Settings settings;
  settings.seed = static_cast<std::uint64_t>(field("seed", 0, 9007199254740991.0));
  settings.largest_offset_rad = field("largest_offset_rad", 0, 3.2);
  const auto inputs = std::make_shared<Inputs>();
  inputs->references = views_of(from.Get("references"), "estimateOffset: problem.references", references_max);
  inputs->queries = views_of(from.Get("queries"), "estimateOffset: problem.queries", queries_max);
  inputs->matches = matches_of(from.Get("matches"), "estimateOffset: problem.matches", inputs->references.size(), inputs->queries.size());
  const auto work = [=]() mutable {
    problem.references = inputs->references;
    problem.queries = inputs->queries;
    problem.matches = inputs->matches;
    return ptz::estimate(problem, settings, ptz::active_kernels());
  };
  return Job<ptz::Estimate>::start(call.Env(), work, answer_of);
}

}  // namespace sightline::geometry_addon
