// Colour: known colours, the plain formula at identity scale, flat pictures.
#include "pixels_support.hpp"

using namespace pixel_test;

namespace {

struct Known {
  const char* what;
  Matrix matrix;
  Range range;
  std::array<int, 3> yuv;
  std::array<int, 3> rgb;
};

// The 100% colour bars in 8 bits as the standards' tables give them (rounded Y, U, V), and black and white.
constexpr std::array<Known, 14> known = {{
    {"601 limited black", Matrix::bt601, Range::limited, {16, 128, 128}, {0, 0, 0}},
    {"601 limited white", Matrix::bt601, Range::limited, {235, 128, 128}, {255, 255, 255}},
    {"601 limited red", Matrix::bt601, Range::limited, {81, 90, 240}, {255, 0, 0}},
    {"601 limited green", Matrix::bt601, Range::limited, {145, 54, 34}, {0, 255, 0}},
    {"601 limited blue", Matrix::bt601, Range::limited, {41, 240, 110}, {0, 0, 255}},
    {"601 limited yellow", Matrix::bt601, Range::limited, {210, 16, 146}, {255, 255, 0}},
    {"709 limited red", Matrix::bt709, Range::limited, {63, 102, 240}, {255, 0, 0}},
    {"709 limited green", Matrix::bt709, Range::limited, {173, 42, 26}, {0, 255, 0}},
    {"709 limited blue", Matrix::bt709, Range::limited, {32, 240, 118}, {0, 0, 255}},
    {"601 full (JPEG) red", Matrix::bt601, Range::full, {76, 85, 255}, {254, 0, 0}},
    {"601 full (JPEG) blue", Matrix::bt601, Range::full, {29, 255, 107}, {0, 0, 254}},
    {"2020 limited red", Matrix::bt2020, Range::limited, {74, 97, 240}, {255, 0, 0}},
    {"2020 limited blue", Matrix::bt2020, Range::limited, {29, 240, 119}, {0, 0, 255}},
    {"full white", Matrix::bt709, Range::full, {255, 128, 128}, {255, 255, 255}},
}};

std::uint8_t byte(int value) { return static_cast<std::uint8_t>(value); }

}  // namespace

SL_TEST("pixels colour: the standards' colour bars come out as red, green, blue, yellow, black and white") {
  for (const std::string_view kernel : supported_targets()) {
    for (const Known& k : known) {
      for (const Layout layout : {Layout::i420, Layout::i422, Layout::i444, Layout::nv12, Layout::yuyv422}) {
        Picture picture(layout, 70, 6, k.range, k.matrix);
        picture.fill(byte(k.yuv[0]), byte(k.yuv[1]), byte(k.yuv[2]));
        const Output out = stretch(picture, 70, 6, kernel);
        const Output crop = warp(picture, 70, 6, {1, 0, 0, 0, 1, 0}, 0, kernel);
        for (int c = 0; c < 3; ++c) {
          // The tables round Y, U and V to whole levels, which is up to 2 levels of RGB.
          const int want = k.rgb[static_cast<size_t>(c)];
          if (std::abs(int{out.at(69, 5, c)} - want) > 2 || std::abs(int{crop.at(69, 5, c)} - want) > 2) {
            FAIL(std::string(kernel) + " " + name(layout) + " " + k.what + ": channel " + std::to_string(c) + " is " +
                 std::to_string(out.at(69, 5, c)) + " and " + std::to_string(crop.at(69, 5, c)) + ", not " + std::to_string(want));
          }
        }
      }
    }
  }
}

SL_TEST("pixels colour: gray8 is gray, limited or full") {
  for (const std::string_view kernel : supported_targets()) {
    for (const Range range : all_ranges) {
      Picture picture(Layout::gray8, 256, 2, range);
      for (int x = 0; x < 256; ++x) picture.sample(0, x, 0) = picture.sample(0, x, 1) = byte(x);
      const Output out = stretch(picture, 256, 2, kernel);
      for (int x = 0; x < 256; ++x) {
        CHECK_NEAR(out.at(x, 1, 0), level(formula(picture.view, x, 0, 0)[0]), range == Range::full ? 0 : 1);
        CHECK_EQ(out.at(x, 1, 0), out.at(x, 1, 1));
        CHECK_EQ(out.at(x, 1, 0), out.at(x, 1, 2));
      }
    }
  }
}

SL_TEST("pixels colour: RGB layouts at identity scale are copied exactly, in RGB order") {
  for (const std::string_view kernel : supported_targets()) {
    for (const Layout layout : {Layout::rgb24, Layout::bgr24}) {
      Picture picture(layout, 131, 9, Range::limited, Matrix::bt709, {.extra_stride = 5, .bottom_up = true, .misalign = 3});
      picture.fill(Content::noise, 5);
      const Output out = stretch(picture, 131, 9, kernel);
      int wrong = 0;
      for (int y = 0; y < 9; ++y) {
        for (int x = 0; x < 131; ++x) {
          for (int k = 0; k < 3; ++k) wrong += out.at(x, y, k) != picture.sample(k, x, y);
        }
      }
      CHECK_EQ(wrong, 0);
    }
  }
}

SL_TEST("pixels colour: at identity scale every Y, U, V is within 1 of the plain formula") {
  for (const std::string_view kernel : supported_targets()) {
    for (const Matrix matrix : all_matrices) {
      for (const Range range : all_ranges) {
        // All 64 * 64 chroma pairs at a step of 4 levels, each with a different luma, including the out-of-gamut ones.
        Picture picture(Layout::i444, 128, 128, range, matrix);
        for (int y = 0; y < 128; ++y) {
          for (int x = 0; x < 128; ++x) {
            picture.sample(0, x, y) = byte((x * 37 + y * 101) % 256);
            picture.sample(1, x, y) = byte(x * 2 + x / 127);
            picture.sample(2, x, y) = byte(y * 2 + y / 127);
          }
        }
        const Output out = stretch(picture, 128, 128, kernel);
        double most = 0;
        for (int y = 0; y < 128; ++y) {
          for (int x = 0; x < 128; ++x) {
            const auto want = formula(picture.view, picture.sample(0, x, y), picture.sample(1, x, y), picture.sample(2, x, y));
            for (int k = 0; k < 3; ++k) most = std::max(most, std::abs(out.at(x, y, k) - level(want[static_cast<size_t>(k)])));
          }
        }
        CHECK(most <= 1);
      }
    }
  }
}

SL_TEST("pixels colour: a flat picture stays flat at every scale") {
  for (const std::string_view kernel : supported_targets()) {
    for (const Layout layout : all_layouts) {
      for (const auto& [w, h] : {std::array{64, 48}, {37, 91}, {640, 7}, {1280, 720}}) {
        Picture picture(layout, w, h, Range::full, Matrix::bt709);
        picture.fill(93, 141, 77);
        const auto exact = formula(picture.view, 93, 141, 77);
        for (const auto& [dw, dh] : {std::array{64, 48}, {51, 23}, {129, 130}}) {
          const Output out = stretch(picture, dw, dh, kernel);
          const Output crop = warp(picture, dw, dh, {static_cast<float>(w) / static_cast<float>(dw), 0, 0, 0,
                                                     static_cast<float>(h) / static_cast<float>(dh), 0}, 0, kernel);
          int off = 0;
          for (int y = 0; y < dh; ++y) {
            for (int x = 0; x < dw; ++x) {
              for (int k = 0; k < 3; ++k) {
                // Without chroma arithmetic there is nothing to round, so flat is exact.
                const bool plain = holds_rgb(layout) || layout == Layout::gray8;
                const double want = level(exact[static_cast<size_t>(k)]);
                off += std::abs(out.at(x, y, k) - want) > (plain ? 0 : 1);
                off += std::abs(crop.at(x, y, k) - want) > (plain ? 0 : 1);
              }
            }
          }
          if (off > 0) FAIL(std::string(kernel) + " " + describe(picture.view, dw, dh) + ": " + std::to_string(off) + " levels off");
        }
      }
    }
  }
}
