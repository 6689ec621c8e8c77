// place() and the padding that to_rgb() writes around the placed picture; arguments that must be refused.
#include <stdexcept>

#include "pixels_support.hpp"

using namespace pixel_test;

namespace {

bool refused(const ImageView& view, std::span<std::uint8_t> dst, int w, int h, const Placement& at) {
  try {
    to_rgb(view, dst, w, h, at, 0);
  } catch (const std::invalid_argument&) {
    return true;
  }
  return false;
}

bool warp_refused(const ImageView& view, std::span<std::uint8_t> dst, int w, int h, const std::array<float, 6>& m) {
  try {
    warp_rgb(view, dst, w, h, m, 0);
  } catch (const std::invalid_argument&) {
    return true;
  }
  return false;
}

}  // namespace

SL_TEST("pixels place: 1080p letterboxed into 512x512 is 512x288 in the middle") {
  const Placement at = place(1920, 1080, 512, 512, Fit::letterbox);
  CHECK_EQ(at.x, 0);
  CHECK_EQ(at.y, 112);
  CHECK_EQ(at.width, 512);
  CHECK_EQ(at.height, 288);
  CHECK_NEAR(at.scale_x, 512.0 / 1920, 1e-7);
  CHECK_NEAR(at.scale_y, 288.0 / 1080, 1e-7);
}

SL_TEST("pixels place: stretch fills, whatever the aspect ratio") {
  const Placement at = place(100, 900, 64, 32, Fit::stretch);
  CHECK_EQ(at.x, 0);
  CHECK_EQ(at.y, 0);
  CHECK_EQ(at.width, 64);
  CHECK_EQ(at.height, 32);
  CHECK_NEAR(at.scale_x, 0.64, 1e-6);
  CHECK_NEAR(at.scale_y, 32.0 / 900, 1e-6);
}

SL_TEST("pixels place: letterbox is symmetric, inside, touches two edges and keeps the aspect ratio") {
  for (int w = 1; w < 400; w += 7) {
    for (int h = 1; h < 400; h += 11) {
      const Placement at = place(w, h, 192, 128, Fit::letterbox);
      CHECK(at.width >= 1 && at.height >= 1 && at.width <= 192 && at.height <= 128);
      CHECK(at.width == 192 || at.height == 128);
      const int right = 192 - at.x - at.width;
      const int below = 128 - at.y - at.height;
      CHECK(right - at.x == 0 || right - at.x == 1);
      CHECK(below - at.y == 0 || below - at.y == 1);
      const double ideal = std::min(192.0 / w, 128.0 / h);
      CHECK(std::abs(at.width - std::max(1.0, w * ideal)) <= 0.5001);
      CHECK(std::abs(at.height - std::max(1.0, h * ideal)) <= 0.5001);
    }
  }
}

SL_TEST("pixels place: extreme aspect ratios keep at least one pixel") {
  CHECK_EQ(place(8192, 1, 64, 64, Fit::letterbox).height, 1);
  CHECK_EQ(place(1, 8192, 64, 64, Fit::letterbox).width, 1);
  CHECK_EQ(place(8192, 8192, 1, 1, Fit::letterbox).width, 1);
}

SL_TEST("pixels padding: every byte outside the region is the pad, every byte inside is not touched by it") {
  Picture picture(Layout::rgb24, 10, 10);
  picture.fill(200, 200, 200);
  for (const std::string_view kernel : supported_targets()) {
    const UseTarget use(kernel);
    for (int case_no = 0; case_no < 40; ++case_no) {
      Random random(static_cast<std::uint32_t>(case_no) + 1);
      const int w = random.between(1, 70), h = random.between(1, 40);
      Placement at;
      at.x = random.between(0, w - 1);
      at.y = random.between(0, h - 1);
      at.width = random.between(0, w - at.x);
      at.height = random.between(0, h - at.y);
      Output out(w, h);
      to_rgb(picture.view, out.span(), w, h, at, 7);
      CHECK(out.canaries_alive());
      int wrong = 0;
      for (int y = 0; y < h; ++y) {
        for (int x = 0; x < w; ++x) {
          const bool in = x >= at.x && x < at.x + at.width && y >= at.y && y < at.y + at.height;
          for (int k = 0; k < 3; ++k) wrong += out.at(x, y, k) != (in ? 200 : 7);
        }
      }
      CHECK_EQ(wrong, 0);
    }
  }
}

SL_TEST("pixels arguments: what a caller could have checked is refused, and nothing is written") {
  Picture picture(Layout::i420, 16, 16);
  picture.fill(100, 100, 100);
  Output out(8, 8);
  const Placement at = whole(8, 8);
  ImageView bad = picture.view;
  bad.width = 0;
  CHECK(refused(bad, out.span(), 8, 8, at));
  bad.width = 8193;
  CHECK(refused(bad, out.span(), 8, 8, at));
  bad = picture.view;
  bad.height = -1;
  CHECK(refused(bad, out.span(), 8, 8, at));
  bad = picture.view;
  bad.plane[2] = nullptr;
  CHECK(refused(bad, out.span(), 8, 8, at));
  CHECK(refused(picture.view, out.span(), 8, 9, at));
  CHECK(refused(picture.view, out.span().first(8 * 8 * 3 - 1), 8, 8, at));
  CHECK(refused(picture.view, out.span(), 0, 8, at));
  std::vector<std::uint8_t> wide(8193 * 3);
  CHECK(refused(picture.view, wide, 8193, 1, whole(8193, 1)));
  for (const auto& [x, y, w, h] : {std::array{-1, 0, 8, 8}, {0, -1, 8, 8}, {1, 0, 8, 8}, {0, 1, 8, 8}, {0, 0, -1, 8}, {0, 0, 8, 9},
                                   {2147483647, 0, 2147483647, 1}}) {
    Placement off;
    off.x = x, off.y = y, off.width = w, off.height = h;
    CHECK(refused(picture.view, out.span(), 8, 8, off));
  }
  const float nan = std::nanf("");
  CHECK(warp_refused(picture.view, out.span(), 8, 8, {nan, 0, 0, 0, 1, 0}));
  CHECK(warp_refused(picture.view, out.span(), 8, 8, {1, 0, 0, 0, 1, INFINITY}));
  CHECK(warp_refused(picture.view, out.span(), 8, 8, {1e9f, 0, 0, 0, 1, 0}));
  CHECK(warp_refused(picture.view, out.span(), 7, 8, {1, 0, 0, 0, 1, 0}));
  for (int i = 0; i < 8 * 8 * 3; ++i) CHECK_EQ(out.span()[static_cast<size_t>(i)], 0x3A);
  for (const auto& [w, h] : {std::array{0, 5}, {5, 0}, {-3, 5}}) {
    bool thrown = false;
    try {
      place(w, h, 10, 10, Fit::letterbox);
    } catch (const std::invalid_argument&) {
      thrown = true;
    }
    CHECK(thrown);
  }
}
