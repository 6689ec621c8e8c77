// to_rgb() against a double-precision reference, and every SIMD target against the scalar kernels.
#include <thread>

#include "pixels_support.hpp"

using namespace pixel_test;

namespace {

/// Largest distance from the double-precision reference.
double distance(Picture& picture, const Output& out) {
  double most = 0;
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      const auto want = resized(picture, out.width, out.height, x, y);
      for (int k = 0; k < 3; ++k) {
        most = std::max(most, std::abs(out.at(x, y, k) - std::clamp(want[static_cast<size_t>(k)], 0.0, 255.0)));
      }
    }
  }
  return most;
}

/// Every target against scalar, canaries included.
void compare(const Picture& picture, int w, int h) {
  const Output want = stretch(picture, w, h, "scalar");
  for (const std::string_view kernel : supported_targets()) {
    const Output got = stretch(picture, w, h, kernel);
    if (!got.canaries_alive()) FAIL(std::string(kernel) + " " + describe(picture.view, w, h) + ": wrote outside the destination");
    const int most = worst(got, want);
    if (most > 1) FAIL(std::string(kernel) + " " + describe(picture.view, w, h) + ": " + std::to_string(most) + " levels off");
  }
}

}  // namespace

SL_TEST("pixels resize: every target is within 1 level of the double-precision reference") {
  for (const Layout layout : all_layouts) {
    for (const auto& [w, h, dw, dh] : {std::array{97, 61, 31, 23}, {61, 97, 61, 97}, {33, 21, 90, 50}, {160, 90, 128, 72},
                                       {200, 30, 50, 60}, {120, 68, 32, 18}, {63, 64, 9, 8}, {129, 3, 4, 2}}) {
      for (const Content content : {Content::noise, Content::extremes}) {
        Picture picture(layout, w, h, Range::limited, Matrix::bt709);
        picture.fill(content, 11);
        for (const std::string_view kernel : supported_targets()) {
          // 0.5 for the final rounding, the rest for the fixed-point weights.
          const double most = distance(picture, stretch(picture, dw, dh, kernel));
          if (most > 1.0) FAIL(std::string(kernel) + " " + describe(picture.view, dw, dh) + ": " + std::to_string(most) + " off");
        }
      }
    }
  }
}

SL_TEST("pixels resize: all targets agree for every layout, range and matrix") {
  for (const Layout layout : all_layouts) {
    for (const Range range : all_ranges) {
      for (const Matrix matrix : all_matrices) {
        Picture picture(layout, 149, 83, range, matrix, {.extra_stride = 11, .misalign = 1});
        picture.fill(Content::noise, 3);
        compare(picture, 149, 83);
        compare(picture, 64, 36);
        compare(picture, 40, 100);
        compare(picture, 200, 90);
      }
    }
  }
}

SL_TEST("pixels resize: all targets agree for source widths 1 to 2N+1 and their strides, starts and directions") {
  for (const Layout layout : all_layouts) {
    for (int width = 1; width <= 133; ++width) {
      PictureOptions options;
      options.extra_stride = width % 5;
      options.bottom_up = width % 2 == 1;
      options.misalign = width % 7;
      Picture picture(layout, width, 1 + width % 4, Range::limited, Matrix::bt601, options);
      picture.fill(Content::noise, static_cast<std::uint32_t>(width));
      compare(picture, width, 1 + width % 4);
      compare(picture, 1 + width / 2, 2);
    }
  }
}

SL_TEST("pixels resize: all targets agree for destination widths 1 to 2N+1") {
  for (const Layout layout : {Layout::i420, Layout::gray8, Layout::rgb24, Layout::yuyv422}) {
    Picture picture(layout, 150, 20);
    picture.fill(Content::noise, 8);
    for (int width = 1; width <= 133; ++width) compare(picture, width, 3);
  }
}

SL_TEST("pixels resize: extreme aspect ratios and the largest sizes") {
  for (const auto& [w, h, dw, dh] : {std::array{8192, 1, 64, 64}, {1, 8192, 64, 64}, {8192, 2, 1, 1}, {2, 8192, 1, 1}, {1, 1, 256, 256},
                                     {3, 2, 2048, 5}, {2, 3, 5, 2048}, {3, 2, 8192, 5}, {2, 3, 5, 8192}, {4096, 9, 4096, 9}, {8192, 5, 4096, 3}, {8192, 33, 255, 1}, {8192, 33, 257, 1}, {1056, 40, 33, 5}}) {
    for (const Layout layout : {Layout::i420, Layout::nv12, Layout::rgb24, Layout::yuyv422}) {
      Picture picture(layout, w, h);
      picture.fill(Content::noise, 21);
      compare(picture, dw, dh);
    }
  }
  Picture largest(Layout::i420, 8192, 8192);
  largest.fill(150, 100, 200);
  const Output out = stretch(largest, 2048, 2048, target());
  const Output corner = stretch(largest, 100, 80, target());
  const auto want = formula(largest.view, 150, 100, 200);
  for (int k = 0; k < 3; ++k) {
    CHECK_NEAR(out.at(2047, 2047, k), level(want[static_cast<size_t>(k)]), 1);
    CHECK_NEAR(corner.at(99, 79, k), level(want[static_cast<size_t>(k)]), 1);
  }
}

SL_TEST("pixels resize: shrinking averages, it does not skip lines or columns") {
  // A checkerboard of single pixels is mid gray at any integer factor.
  Picture picture(Layout::gray8, 256, 128, Range::full);
  for (int y = 0; y < 128; ++y) {
    for (int x = 0; x < 256; ++x) picture.sample(0, x, y) = (x + y) % 2 ? 255 : 0;
  }
  for (const std::string_view kernel : supported_targets()) {
    for (const int factor : {2, 4, 8, 16, 64}) {
      const Output out = stretch(picture, 256 / factor, 128 / factor, kernel);
      for (int x = 0; x < out.width; ++x) CHECK(out.at(x, 0, 0) == 127 || out.at(x, 0, 0) == 128);
    }
  }
}

SL_TEST("pixels resize: threads do not disturb one another, and tables of more geometries than are cached stay right") {
  Picture picture(Layout::i420, 90, 70);
  picture.fill(Content::noise, 2);
  std::vector<Output> want;
  for (int i = 0; i < 12; ++i) want.push_back(stretch(picture, 20 + i, 30 + 3 * i, target()));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < 5; ++round) {
        for (int i = 0; i < 12; ++i) {
          const Output& expected = want[static_cast<size_t>((i * 5 + t) % 12)];
          Output out(expected.width, expected.height);
          to_rgb(picture.view, out.span(), out.width, out.height, whole(out.width, out.height), 0);
          CHECK_EQ(worst(out, expected), 0);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}
