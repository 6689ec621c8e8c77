// Differential fuzzing, scalar against every target, with a fixed seed. A mismatch prints a line to paste into a test here.
#include <cstdio>

#include "pixels_support.hpp"

using namespace pixel_test;

namespace {

struct Case {
  Layout layout;
  int width, height;
  Range range;
  Matrix matrix;
  PictureOptions options;
  Content content;
  std::uint32_t seed;
  int dst_w, dst_h;
  Placement at;
  std::array<float, 6> m;
};

Picture picture_of(const Case& c) {
  Picture picture(c.layout, c.width, c.height, c.range, c.matrix, c.options);
  picture.fill(c.content, c.seed);
  return picture;
}

Case random_case(std::uint32_t seed) {
  Random random(seed);
  Case c{};
  c.layout = all_layouts[random.next() % all_layouts.size()];
  c.range = all_ranges[random.next() % 2];
  c.matrix = all_matrices[random.next() % 3];
  const int limit = random.between(0, 9) == 0 ? 700 : 90;
  c.width = random.between(1, limit);
  c.height = random.between(1, limit / 2);
  c.options = {random.between(0, 40), random.between(0, 1) == 1, random.between(0, 63)};
  c.content = random.between(0, 2) == 0 ? Content::extremes : Content::noise;
  c.seed = seed;
  c.dst_w = random.between(1, 150);
  c.dst_h = random.between(1, 60);
  c.at.x = random.between(0, c.dst_w - 1);
  c.at.y = random.between(0, c.dst_h - 1);
  c.at.width = random.between(1, c.dst_w - c.at.x);
  c.at.height = random.between(1, c.dst_h - c.at.y);
  const double scale = std::exp(random.unit() * 7 - 3);
  for (size_t i = 0; i < 6; ++i) {
    const double centre = i == 2 ? c.width / 2.0 : i == 5 ? c.height / 2.0 : 0;
    c.m[i] = static_cast<float>(centre + (random.unit() * 2 - 1) * scale * (i % 3 == 2 ? 20 : 1));
  }
  return c;
}

std::string reproducer(const char* what, const Case& c, std::string_view kernel) {
  std::array<char, 700> text{};
  std::snprintf(text.data(), text.size(),
                "%s(\"%.*s\", {Layout::%s, %d, %d, Range{%d}, Matrix{%d}, {%d, %s, %d}, Content{%d}, %uu, %d, %d, "
                "{1, 1, %d, %d, %d, %d}, {%af, %af, %af, %af, %af, %af}});",
                what, static_cast<int>(kernel.size()), kernel.data(), name(c.layout), c.width, c.height, static_cast<int>(c.range),
                static_cast<int>(c.matrix), c.options.extra_stride, c.options.bottom_up ? "true" : "false", c.options.misalign,
                static_cast<int>(c.content), c.seed, c.dst_w, c.dst_h, c.at.x, c.at.y, c.at.width, c.at.height, double{c.m[0]},
                double{c.m[1]}, double{c.m[2]}, double{c.m[3]}, double{c.m[4]}, double{c.m[5]});
  return text.data();
}

void expect_same_resize(std::string_view kernel, const Case& c) {
  const Picture picture = picture_of(c);
  const auto run = [&](std::string_view with) {
    const UseTarget use(with);
    Output out(c.dst_w, c.dst_h);
    to_rgb(picture.view, out.span(), c.dst_w, c.dst_h, c.at, 77);
    return out;
  };
  const Output got = run(kernel);
  if (!got.canaries_alive() || worst(got, run("scalar")) > 1) FAIL(reproducer("expect_same_resize", c, kernel));
}

void expect_same_warp(std::string_view kernel, const Case& c) {
  const Picture picture = picture_of(c);
  const Output got = warp(picture, c.dst_w, c.dst_h, c.m, 77, kernel);
  if (!got.canaries_alive() || worst(got, warp(picture, c.dst_w, c.dst_h, c.m, 77, "scalar")) > 1) {
    FAIL(reproducer("expect_same_warp", c, kernel));
  }
}

}  // namespace

SL_TEST("pixels fuzz: to_rgb() of 600 random cases is within 1 level of scalar on every target") {
  for (std::uint32_t seed = 1; seed <= 600; ++seed) {
    for (const std::string_view kernel : supported_targets()) expect_same_resize(kernel, random_case(seed));
  }
}

SL_TEST("pixels fuzz: warp_rgb() of 600 random cases is within 1 level of scalar on every target") {
  for (std::uint32_t seed = 1001; seed <= 1600; ++seed) {
    for (const std::string_view kernel : supported_targets()) expect_same_warp(kernel, random_case(seed));
  }
}

SL_TEST("pixels fuzz: the reproducer names the whole case") {
  const std::string text = reproducer("expect_same_warp", random_case(7), "scalar");
  CHECK(text.find("expect_same_warp(\"scalar\", {Layout::") == 0);
  CHECK(text.back() == ';');
}
