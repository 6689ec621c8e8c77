// The parts of the PTZ estimate: rotations and their angles, the camera model's derivatives, kernels on every target, matching.
#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

#include "../geometry/ptz_estimate.hpp"
#include "../geometry/ptz_linear.hpp"
#include "../geometry/ptz_match.hpp"
#include "../geometry/ptz_solve.hpp"
#include "../geometry/targets.hpp"
#include "check.hpp"
#include "geometry_ptz_support.hpp"

namespace ptz = sightline::geometry::ptz;
using ptz_test::deg;
using ptz_test::Random;

SL_TEST("ptz: angles have the signs of telemetry: yaw right, pitch up, roll counter-clockwise from behind") {
  const ptz::Vec3 ahead{0, 0, 1}, right{1, 0, 0}, down{0, 1, 0};
  // What lies 10 degrees to the right is straight ahead of a camera turned there.
  const ptz::Vec3 at_right = ptz::apply(ptz::camera_at({10 * deg, 0, 0}), {std::sin(10 * deg), 0, std::cos(10 * deg)});
  CHECK_NEAR(ptz::dot(at_right, ahead), 1, 1e-12);
  const ptz::Vec3 above = ptz::apply(ptz::camera_at({0, 10 * deg, 0}), {0, -std::sin(10 * deg), std::cos(10 * deg)});
  CHECK_NEAR(ptz::dot(above, ahead), 1, 1e-12);
  // A camera rolled counter-clockwise sees the world turned clockwise: right goes down.
  const ptz::Vec3 turned = ptz::apply(ptz::camera_at({0, 0, 90 * deg}), right);
  CHECK_NEAR(ptz::dot(turned, down), 1, 1e-12);
}

SL_TEST("ptz: angles and rotation vectors come back, near half a turn too") {
  Random random(3);
  for (int i = 0; i < 500; ++i) {
    const ptz::Angles angles{random.between(-3.1, 3.1), random.between(-1.5, 1.5), random.between(-3.1, 3.1)};
    const ptz::Angles back = ptz::angles_of(ptz::camera_at(angles));
    CHECK_NEAR(back.yaw, angles.yaw, 1e-12);
    CHECK_NEAR(back.pitch, angles.pitch, 1e-9);
    CHECK_NEAR(back.roll, angles.roll, 1e-12);
    const ptz::Vec3 axis = ptz::normalized({random.between(-1, 1), random.between(-1, 1), random.between(-1, 1)});
    const double turn = i % 5 == 0 ? std::numbers::pi - 1e-4 : random.between(1e-9, 3);
    const ptz::Vec3 w{axis[0] * turn, axis[1] * turn, axis[2] * turn};
    const ptz::Vec3 again = ptz::vector_of(ptz::rotation_of(w));
    for (std::size_t k = 0; k < 3; ++k) CHECK_NEAR(again[k], w[k], 1e-7);
  }
}

SL_TEST("ptz: the best rotation of pairs is the one they were made with; two pairs are enough") {
  Random random(4);
  for (int i = 0; i < 200; ++i) {
    const ptz::Mat3 truth = ptz::camera_at({random.between(-3, 3), random.between(-1.5, 1.5), random.between(-3, 3)});
    std::vector<ptz::RayPair> pairs;
    for (int k = 0; k < 2 + i % 5; ++k) {
      const ptz::Vec3 ray = ptz::normalized({random.between(-1, 1), random.between(-1, 1), 1});
      pairs.push_back({ray, ptz::apply(truth, ray), random.between(0.1, 2)});
    }
    const ptz::Mat3 found = ptz::best_rotation(pairs);
    for (std::size_t k = 0; k < 9; ++k) CHECK_NEAR(found[k], truth[k], 1e-9);
  }
}

SL_TEST("ptz: undistort() and see() are each other's inverse, folds are refused") {
  Random random(5);
  for (int i = 0; i < 200; ++i) {
    const ptz::Camera camera{1100, 1090, 640, 360, random.between(-0.15, 0.2), random.between(-0.02, 0.02)};
    const double x = random.between(0, 1280), y = random.between(0, 720), zoom = random.between(0.9, 2);
    const ptz::Undistorted ray = ptz::undistort(camera, zoom, x, y);
    REQUIRE(ray.valid);
    const ptz::Seen seen = ptz::see(camera, zoom, {ray.x, ray.y, 1});
    REQUIRE(seen.valid);
    CHECK_NEAR(seen.x, x, 1e-7);
    CHECK_NEAR(seen.y, y, 1e-7);
  }
  CHECK(!ptz::undistort({500, 500, 640, 360, -2, 0}, 1, 0, 0).valid);
  CHECK(!ptz::see({500, 500, 640, 360, 0, 0}, 1, {0, 0, -1}).valid);
}

SL_TEST("ptz: the derivatives of a residual are those that differences give") {
  Random random(6);
  const ptz_test::Scene scene(random, 40, {0.02, -0.01, 0.03}, 1.02, -0.08);
  const ptz::Problem problem = scene.problem();
  const ptz::Mat3 offset = ptz::camera_at({0.018, -0.012, 0.028});
  constexpr double h = 1e-6;
  for (const ptz::Match& match : scene.matches) {
    const ptz::Lens lens{-0.05, 0.01, 0.03, 0.4, -0.3};
    const ptz::Residual at = ptz::residual_of(problem, match, offset, 0.01, lens);
    REQUIRE(at.valid);
    for (std::size_t k = 0; k < ptz::match_unknowns; ++k) {
      const auto moved = [&](double by) {
        ptz::Vec3 w{};
        double zoom = 0.01;
        ptz::Lens bent = lens;
        if (k < 3) w[k] = by;
        if (k == 3) zoom += by;
        if (k == 4) bent.k1 += by;
        if (k == 5) bent.k2 += by;
        if (k == 6) bent.k1_change += by;
        if (k == 7) bent.cx += by;
        if (k == 8) bent.cy += by;
        return ptz::residual_of(problem, match, ptz::multiply(ptz::rotation_of(w), offset), zoom, bent);
      };
      const ptz::Residual up = moved(h), low = moved(-h);
      const double size = std::max(1.0, std::abs(at.jacobian[0][k]));
      CHECK_NEAR((up.dx - low.dx) / (2 * h), at.jacobian[0][k], 1e-4 * size);
      CHECK_NEAR((up.dy - low.dy) / (2 * h), at.jacobian[1][k], 1e-4 * std::max(1.0, std::abs(at.jacobian[1][k])));
    }
  }
}

SL_TEST("ptz: every SIMD target gives the bits of the scalar kernels") {
  Random random(7);
  const ptz::Kernels& scalar = *ptz::find_kernels("scalar");
  for (const std::string_view name : sightline::geometry::supported_targets()) {
    const ptz::Kernels* simd = ptz::find_kernels(name);
    REQUIRE(simd != nullptr);
    for (const std::size_t count : {1u, 3u, 7u, 16u, 33u, 1000u}) {
      for (const std::size_t bytes : {1u, 32u, 61u, 128u, 130u}) {
        std::vector<std::uint8_t> one(bytes), others(bytes * count);
        for (auto& byte : one) byte = static_cast<std::uint8_t>(random.below(256));
        for (auto& byte : others) byte = static_cast<std::uint8_t>(random.below(256));
        std::vector<std::uint32_t> expected(count), found(count);
        scalar.euclidean(one.data(), others.data(), count, bytes, expected.data());
        simd->euclidean(one.data(), others.data(), count, bytes, found.data());
        CHECK(expected == found);
        scalar.hamming(one.data(), others.data(), count, bytes, expected.data());
        simd->hamming(one.data(), others.data(), count, bytes, found.data());
        CHECK(expected == found);
      }
      std::vector<float> x(count), y(count), u(count), v(count);
      for (std::size_t i = 0; i < count; ++i) {
        x[i] = static_cast<float>(random.between(-0.6, 0.6)), y[i] = static_cast<float>(random.between(-0.4, 0.4));
        u[i] = x[i] + static_cast<float>(random.between(-0.02, 0.02)), v[i] = y[i] + static_cast<float>(random.between(-0.02, 0.02));
        // What is no number, and what lies behind the camera, costs in full.
        if (i % 13 == 5) u[i] = std::numeric_limits<float>::quiet_NaN();
        if (i % 17 == 6) x[i] = 1e6f;
      }
      const ptz::Mat3 turn = ptz::camera_at({random.between(-0.05, 0.05), random.between(-0.05, 0.05), random.between(-0.05, 0.05)});
      ptz::ScoreRun run{x.data(), y.data(), u.data(), v.data(), count, {}, 1 / (0.015f * 0.015f)};
      for (std::size_t i = 0; i < 9; ++i) run.m[i] = static_cast<float>(turn[i]);
      const ptz::Score expected = scalar.score(run), found = simd->score(run);
      CHECK_EQ(found.cost, expected.cost);
      CHECK_EQ(found.inliers, expected.inliers);
      CHECK(expected.inliers <= static_cast<std::int64_t>(count));
    }
  }
}

SL_TEST("ptz: matching keeps pairs that are each other's nearest and stand out") {
  // One byte each: 10 and 12 are near 11, 100 is near 101, 200 has two that are as near.
  const std::vector<std::uint8_t> a = {10, 100, 200, 12}, b = {11, 101, 199, 201, 50};
  const std::vector<ptz::Pair> pairs = ptz::match(ptz::active_kernels(), {a.data(), 4, 1}, {b.data(), 5, 1}, ptz::Metric::euclidean, 0.8);
  REQUIRE(pairs.size() == 2);
  CHECK_EQ(pairs[0].a, 0u);
  CHECK_EQ(pairs[0].b, 0u);
  CHECK_EQ(pairs[1].a, 1u);
  CHECK_EQ(pairs[1].b, 1u);
  CHECK(ptz::match(ptz::active_kernels(), {a.data(), 0, 1}, {b.data(), 5, 1}, ptz::Metric::euclidean, 0.8).empty());
  CHECK(ptz::match(ptz::active_kernels(), {a.data(), 4, 1}, {b.data(), 1, 1}, ptz::Metric::hamming, 0.8).empty());
}

SL_TEST("ptz: small systems are inverted, indefinite ones refused; Student's quantiles are those of the tables") {
  ptz::Matrix matrix(3), inverse(3);
  const double values[3][3] = {{4, 1, 0.5}, {1, 3, 0.2}, {0.5, 0.2, 2}};
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) matrix.at(i, j) = values[i][j];
  }
  REQUIRE(ptz::invert(matrix, &inverse));
  const ptz::Matrix one = ptz::product(matrix, inverse);
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) CHECK_NEAR(one.at(i, j), i == j ? 1 : 0, 1e-12);
  }
  matrix.at(2, 2) = -1;
  CHECK(!ptz::invert(matrix, &inverse));
  CHECK_NEAR(ptz::student_975(3), 3.182, 0.03);
  CHECK_NEAR(ptz::student_975(10), 2.228, 0.001);
  CHECK_NEAR(ptz::student_975(60), 2.000, 0.001);
  CHECK_NEAR(ptz::student_975(1e9), 1.95996, 1e-4);
}
