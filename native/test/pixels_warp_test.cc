// warp_rgb(): identity, a double-precision bilinear reference, borders, crops that shrink, every target against scalar.
#include "pixels_support.hpp"

using namespace pixel_test;

namespace {

std::array<float, 6> turned(double scale, double degrees, double x, double y, int w, int h) {
  const double c = scale * std::cos(degrees * 0.017453292519943295);
  const double s = scale * std::sin(degrees * 0.017453292519943295);
  return {static_cast<float>(c), static_cast<float>(-s), static_cast<float>(x - c * w / 2 + s * h / 2),
          static_cast<float>(s), static_cast<float>(c), static_cast<float>(y - s * w / 2 - c * h / 2)};
}

double bilinear(Picture& picture, int k, double u, double v) {
  u = std::clamp((picture.half_width(k) ? u / 2 : u) - 0.5, 0.0, picture.width_of(k) - 1.0);
  v = std::clamp((picture.half_height(k) ? v / 2 : v) - 0.5, 0.0, picture.height_of(k) - 1.0);
  const int x = std::min(static_cast<int>(u), std::max(0, picture.width_of(k) - 2));
  const int y = std::min(static_cast<int>(v), std::max(0, picture.height_of(k) - 2));
  const int x1 = std::min(x + 1, picture.width_of(k) - 1);
  const int y1 = std::min(y + 1, picture.height_of(k) - 1);
  const double fx = u - x, fy = v - y;
  return (picture.sample(k, x, y) * (1 - fx) + picture.sample(k, x1, y) * fx) * (1 - fy) +
         (picture.sample(k, x, y1) * (1 - fx) + picture.sample(k, x1, y1) * fx) * fy;
}

void compare(const Picture& picture, int w, int h, const std::array<float, 6>& m) {
  const Output want = warp(picture, w, h, m, 9, "scalar");
  for (const std::string_view kernel : supported_targets()) {
    const Output got = warp(picture, w, h, m, 9, kernel);
    if (!got.canaries_alive()) FAIL(std::string(kernel) + " " + describe(picture.view, w, h) + ": wrote outside the destination");
    const int most = worst(got, want);
    if (most > 1) FAIL(std::string(kernel) + " " + describe(picture.view, w, h) + ": " + std::to_string(most) + " levels off");
  }
}

}  // namespace

SL_TEST("pixels warp: identity equals to_rgb() at the same size within 2 levels") {
  for (const std::string_view kernel : supported_targets()) {
    for (const Layout layout : all_layouts) {
      Picture picture(layout, 77, 51, Range::limited, Matrix::bt709, {.extra_stride = 3});
      picture.fill(Content::noise, 4);
      const Output a = warp(picture, 77, 51, {1, 0, 0, 0, 1, 0}, 0, kernel);
      const Output b = stretch(picture, 77, 51, kernel);
      if (worst(a, b) > 2) FAIL(std::string(kernel) + " " + name(layout) + ": " + std::to_string(worst(a, b)) + " levels off");
    }
  }
}

SL_TEST("pixels warp: enlarging crops equal to_rgb() of the whole picture within 2 levels") {
  for (const std::string_view kernel : supported_targets()) {
    Picture picture(Layout::i420, 40, 30);
    picture.fill(Content::noise, 6);
    const Output a = warp(picture, 80, 90, {0.5f, 0, 0, 0, 1.0f / 3, 0}, 0, kernel);
    CHECK(worst(a, stretch(picture, 80, 90, kernel)) <= 2);
  }
}

SL_TEST("pixels warp: turned crops are within 1 level of bilinear interpolation in double precision") {
  for (const std::string_view kernel : supported_targets()) {
    for (const Layout layout : all_layouts) {
      Picture picture(layout, 97, 83, Range::full, Matrix::bt601);
      picture.fill(Content::natural, 12);
      for (const double degrees : {0.0, 17.0, 90.0, 133.0, 250.0}) {
        const auto m = turned(0.7, degrees, 48, 41, 40, 36);
        const Output out = warp(picture, 40, 36, m, 0, kernel);
        double most = 0;
        for (int y = 0; y < 36; ++y) {
          for (int x = 0; x < 40; ++x) {
            const double u = m[0] * (x + .5) + m[1] * (y + .5) + m[2];
            const double v = m[3] * (x + .5) + m[4] * (y + .5) + m[5];
            const auto want = formula(picture.view, bilinear(picture, 0, u, v), picture.components() == 3 ? bilinear(picture, 1, u, v) : 0,
                                      picture.components() == 3 ? bilinear(picture, 2, u, v) : 0);
            for (int k = 0; k < 3; ++k) {
              most = std::max(most, std::abs(out.at(x, y, k) - std::clamp(want[static_cast<size_t>(k)], 0.0, 255.0)));
            }
          }
        }
        if (most > 1.0) FAIL(std::string(kernel) + " " + name(layout) + " at " + std::to_string(degrees) + ": " + std::to_string(most));
      }
    }
  }
}

SL_TEST("pixels warp: what lies outside the picture is exactly the pad") {
  for (const std::string_view kernel : supported_targets()) {
    Picture picture(Layout::i420, 50, 40, Range::full);
    picture.fill(200, 128, 128);
    const auto m = turned(1.3, 30, 10, 8, 64, 64);
    const Output out = warp(picture, 64, 64, m, 33, kernel);
    int wrong = 0, in = 0;
    for (int y = 0; y < 64; ++y) {
      for (int x = 0; x < 64; ++x) {
        const double u = m[0] * (x + .5) + m[1] * (y + .5) + double{m[2]};
        const double v = m[3] * (x + .5) + m[4] * (y + .5) + double{m[5]};
        if (std::abs(u) < 1e-3 || std::abs(u - 50) < 1e-3 || std::abs(v) < 1e-3 || std::abs(v - 40) < 1e-3) continue;
        const bool inside = u > 0 && v > 0 && u < 50 && v < 40;
        in += inside;
        wrong += std::abs(out.at(x, y, 1) - (inside ? 200 : 33)) > (inside ? 1 : 0);
      }
    }
    CHECK_EQ(wrong, 0);
    CHECK(in > 100);
    const Output away = warp(picture, 16, 16, {1, 0, 1000, 0, 1, 1000}, 5, kernel);
    for (int i = 0; i < 16; ++i) CHECK_EQ(away.at(i, i, 2), 5);
  }
}

SL_TEST("pixels warp: crops that shrink average instead of aliasing") {
  Picture picture(Layout::gray8, 400, 400, Range::full);
  for (int y = 0; y < 400; ++y) {
    for (int x = 0; x < 400; ++x) picture.sample(0, x, y) = (x + y) % 2 ? 255 : 0;
  }
  for (const std::string_view kernel : supported_targets()) {
    for (const double scale : {3.0, 4.5, 6.0, 9.9}) {
      const auto m = turned(scale, 20, 200, 200, 24, 24);
      const Output out = warp(picture, 24, 24, m, 128, kernel);
      for (int y = 0; y < 24; ++y) {
        for (int x = 0; x < 24; ++x) CHECK_NEAR(out.at(x, y, 0), 127.5, 255.0 / 2 / (std::floor(scale) * std::floor(scale)) + 1);
      }
    }
  }
}

SL_TEST("pixels warp: a shrinking crop lands where a shrinking resize does") {
  // Differences come from box-then-bilinear against exact area; on smooth content they are small. A shift would not be.
  for (const std::string_view kernel : supported_targets()) {
    for (const Layout layout : all_layouts) {
      Picture picture(layout, 640, 480, Range::full);
      picture.fill(Content::natural, 31);
      const Output a = warp(picture, 128, 96, {5, 0, 0, 0, 5, 0}, 0, kernel);
      const Output b = stretch(picture, 128, 96, kernel);
      double sum = 0;
      for (int y = 1; y < 95; ++y) {
        for (int x = 1; x < 127; ++x) sum += std::abs(int{a.at(x, y, 1)} - int{b.at(x, y, 1)});
      }
      const double mean = sum / (94 * 126);
      if (mean > 1.0) FAIL(std::string(kernel) + " " + name(layout) + ": mean difference " + std::to_string(mean));
    }
  }
}

namespace {

/// A picture that is a steep plane in each component around (403, 297), in luma coordinates. Slopes that add up to near-integers
/// over a box would round the same way everywhere.
double ramp(int k, double u, double v) {
  const double along = k == 0 ? (u - 403) * 2.317 + (v - 297) * 1.743 : k == 1 ? (u - 403) * 2.283 : (v - 297) * -2.341;
  return std::clamp(128 + along, 0.0, 255.0);
}

/// Largest mean error over the pixels whose value is well inside 0..255; rounding averages out, a shifted crop does not.
double bias(const Output& out, const ImageView& view, const std::array<float, 6>& m) {
  std::array<double, 3> sum{};
  std::array<int, 3> count{};
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      const double u = m[0] * (x + .5) + m[1] * (y + .5) + double{m[2]};
      const double v = m[3] * (x + .5) + m[4] * (y + .5) + double{m[5]};
      const std::array<double, 3> in = {ramp(0, u, v), ramp(1, u, v), ramp(2, u, v)};
      if (std::any_of(in.begin(), in.end(), [](double value) { return value < 40 || value > 215; })) continue;
      const auto want = formula(view, in[0], in[1], in[2]);
      for (size_t k = 0; k < 3; ++k) {
        if (want[k] < 8 || want[k] > 247) continue;
        sum[k] += out.at(x, y, static_cast<int>(k)) - want[k];
        ++count[k];
      }
    }
  }
  double most = 0;
  for (size_t k = 0; k < 3; ++k) most = std::max(most, count[k] < 10 ? 99 : std::abs(sum[k] / count[k]));
  return most;
}

}  // namespace

SL_TEST("pixels warp: a shrinking crop anywhere in the picture reads where the map says, in every component") {
  for (const Layout layout : all_layouts) {
    Picture picture(layout, 641, 479, Range::full, Matrix::bt601);
    for (int k = 0; k < picture.components(); ++k) {
      const double step_x = picture.half_width(k) ? 2 : 1, step_y = picture.half_height(k) ? 2 : 1;
      for (int y = 0; y < picture.height_of(k); ++y) {
        for (int x = 0; x < picture.width_of(k); ++x) {
          picture.sample(k, x, y) = static_cast<std::uint8_t>(level(ramp(k, (x + .5) * step_x, (y + .5) * step_y)));
        }
      }
    }
    for (const auto& [scale, degrees] : {std::array{2.5, 12.0}, {3.0, 33.0}, {4.7, 171.0}, {6.2, 71.0}}) {
      const auto m = turned(scale, degrees, 403, 297, 26, 22);
      for (const std::string_view kernel : supported_targets()) {
        // One source pixel aside would be 2 levels and more. Turned, so that samples fall on all fractions and rounding averages out.
        const double most = bias(warp(picture, 26, 22, m, 0, kernel), picture.view, m);
        if (most > 0.7) FAIL(std::string(kernel) + " " + name(layout) + " x" + std::to_string(scale) + ": " + std::to_string(most));
      }
    }
  }
}

SL_TEST("pixels warp: all targets agree for every layout, odd sizes, strides, borders and scales") {
  for (const Layout layout : all_layouts) {
    for (int width = 1; width <= 40; width += width < 10 ? 1 : 7) {
      Picture picture(layout, width, 1 + width % 9, Range::limited, Matrix::bt2020,
                      {.extra_stride = width % 3, .bottom_up = width % 2 == 0, .misalign = width % 5});
      picture.fill(Content::noise, static_cast<std::uint32_t>(width));
      for (const double scale : {0.1, 0.9, 2.4, 7.0}) compare(picture, 33, 19, turned(scale, 13.0 * width, width * 0.5, 2, 33, 19));
    }
  }
}

SL_TEST("pixels warp: destination widths 1 to 2N+1, mirrored and anisotropic maps") {
  Picture picture(Layout::i420, 120, 90);
  picture.fill(Content::noise, 77);
  for (int width = 1; width <= 35; ++width) {
    compare(picture, width, 5, turned(1.0, 5, 60, 45, width, 5));
    compare(picture, width, 5, {-2.5f, 0, 119, 0, 0.3f, 4});
    compare(picture, width, 5, {0, 3, 0, 3, 0, 0});
    compare(picture, width, 5, {0, 0, 60, 0, 0, 45});
  }
  compare(picture, 64, 64, {16384, 16384, -1e7f, 16384, -16384, 1e7f});
  compare(picture, 64, 64, {1e-6f, 0, 119.99999f, 0, 1e-6f, 89.99999f});
  compare(picture, 2, 2, {59, 0, 0.5f, 0, 44, 0.5f});
}
