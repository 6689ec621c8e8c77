// Prints the CPU time of to_rgb() and warp_rgb() per image and target, each verified against the scalar reference first.
//
//   pixels_bench [--iterations N]     one JSON object a line; times are CPU microseconds of this thread
//
// The pictures rotate through more memory than the last-level cache holds, as frames that come from a decoder would.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "pixels/pixels.hpp"

namespace {

using namespace sightline::pixels;

double cpu_us() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) * 1e-3;
}

/// I420 pictures with strides as libav makes them (a multiple of 64), moderately detailed content.
class Pictures {
 public:
  Pictures(int width, int height, int count) : width_(width), height_(height), luma_stride_((width + 63) / 64 * 64) {
    const std::size_t luma = static_cast<std::size_t>(luma_stride_) * static_cast<std::size_t>(height);
    const std::size_t chroma = luma / 4 + static_cast<std::size_t>(luma_stride_);
    for (int i = 0; i < count; ++i) {
      std::vector<std::uint8_t> bytes(luma + 2 * chroma);
      std::uint32_t state = static_cast<std::uint32_t>(i) + 1;
      for (std::size_t k = 0; k < bytes.size(); ++k) {
        state = state * 1664525u + 1013904223u;
        bytes[k] = static_cast<std::uint8_t>(64 + (k / 7) % 100 + (state >> 27));
      }
      memory_.push_back(std::move(bytes));
    }
  }
  ImageView view(int i) const {
    const std::uint8_t* base = memory_[static_cast<std::size_t>(i) % memory_.size()].data();
    const std::ptrdiff_t luma = std::ptrdiff_t{luma_stride_} * height_;
    ImageView v;
    v.width = width_;
    v.height = height_;
    v.plane = {base, base + luma, base + luma + luma / 4 + luma_stride_};
    v.stride = {luma_stride_, luma_stride_ / 2, luma_stride_ / 2};
    return v;
  }

 private:
  int width_, height_, luma_stride_;
  std::vector<std::vector<std::uint8_t>> memory_;
};

struct Spread {
  double p10 = 0, p50 = 0, p90 = 0;
};

template <class Run>
Spread measure(int iterations, const Run& run) {
  std::vector<double> times;
  for (int i = 0; i < iterations + 3; ++i) {
    const double start = cpu_us();
    run(i);
    if (i >= 3) times.push_back(cpu_us() - start);
  }
  std::sort(times.begin(), times.end());
  const auto at = [&](double share) { return times[static_cast<std::size_t>(share * static_cast<double>(times.size() - 1))]; };
  return {at(0.1), at(0.5), at(0.9)};
}

int worst_difference(const std::vector<std::uint8_t>& a, const std::vector<std::uint8_t>& b) {
  int worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(int{a[i]} - int{b[i]}));
  return worst;
}

/// One line of output; false when the result differs from the scalar reference by more than one level.
template <class Run>
bool report(const char* name, std::string_view kernel, int iterations, std::size_t bytes, const Run& run) {
  std::vector<std::uint8_t> got(bytes), want(bytes);
  set_target("scalar");
  run(0, want);
  set_target(kernel);
  run(0, got);
  const int worst = worst_difference(got, want);
  const Spread us = measure(iterations, [&](int i) { run(i, got); });
  std::printf("{\"bench\":\"%s\",\"target\":\"%s\",\"cpu_us_p10\":%.1f,\"cpu_us_p50\":%.1f,\"cpu_us_p90\":%.1f,\"worst_level_difference\":%d}\n",
              name, std::string(kernel).c_str(), us.p10, us.p50, us.p90, worst);
  std::fflush(stdout);
  return worst <= 1;
}

bool resize(const char* name, std::string_view kernel, const Pictures& pictures, int width, int height,
            const std::vector<int>& sizes, int iterations) {
  std::size_t bytes = 0;
  for (const int size : sizes) bytes += static_cast<std::size_t>(size) * static_cast<std::size_t>(size) * 3;
  return report(name, kernel, iterations, bytes, [&](int i, std::vector<std::uint8_t>& out) {
    std::uint8_t* to = out.data();
    for (const int size : sizes) {
      const std::size_t length = static_cast<std::size_t>(size) * static_cast<std::size_t>(size) * 3;
      to_rgb(pictures.view(i), {to, length}, size, size, place(width, height, size, size, Fit::letterbox), 114);
      to += length;
    }
  });
}

bool warp(const char* name, std::string_view kernel, const Pictures& pictures, int size, float scale, int iterations) {
  const float c = 0.95f * scale, s = 0.3122f * scale;  // turned by about 18 degrees
  return report(name, kernel, iterations, static_cast<std::size_t>(size * size * 3), [&](int i, std::vector<std::uint8_t>& out) {
    warp_rgb(pictures.view(i), out, size, size, {c, -s, 700.0f, s, c, 300.0f}, 0);
  });
}

}  // namespace

int main(int argc, char** argv) {
  int iterations = 100;
  if (argc == 3 && std::strcmp(argv[1], "--iterations") == 0) iterations = std::max(1, std::atoi(argv[2]));
  if (!target_error().empty()) {
    std::fprintf(stderr, "%s\n", target_error().c_str());
    return 2;
  }
  const Pictures full_hd(1920, 1080, 16);
  const Pictures small(640, 360, 64);
  bool good = true;
  for (const std::string_view kernel : supported_targets()) {
    const int n = kernel == "scalar" ? std::max(1, iterations / 10) : iterations;
    good &= resize("1080p to 512", kernel, full_hd, 1920, 1080, {512}, n);
    good &= resize("1080p to 512, 256 and 192", kernel, full_hd, 1920, 1080, {512, 256, 192}, n);
    good &= resize("360p to 512, 256 and 192", kernel, small, 640, 360, {512, 256, 192}, n);
    good &= resize("360p to 512", kernel, small, 640, 360, {512}, n);
    good &= warp("crop 192 from 1080p, 1.5 source pixels a pixel", kernel, full_hd, 192, 1.5f, n);
    good &= warp("crop 192 from 1080p, 3 source pixels a pixel", kernel, full_hd, 192, 3.0f, n);
  }
  if (!good) std::fprintf(stderr, "a result differs from the scalar reference by more than one level\n");
  return good ? 0 : 1;
}
