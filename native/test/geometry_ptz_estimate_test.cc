// The PTZ estimate on matches of known truth: exact without noise, covered by its interval with it, refused where nothing can be told.
#include <cmath>
#include <cstring>

#include "../geometry/ptz_estimate.hpp"
#include "../geometry/targets.hpp"
#include "check.hpp"
#include "geometry_ptz_support.hpp"

namespace ptz = sightline::geometry::ptz;
using ptz_test::deg;
using ptz_test::Random;
using ptz_test::Scene;

static ptz::Estimate run(const Scene& scene) { return ptz::estimate(scene.problem(), {}, ptz::active_kernels()); }

SL_TEST("ptz: without noise the offset is exact, and so are zoom and a lens nobody told of") {
  Random random(11);
  const ptz::Angles truth{-2 * deg, 1.1 * deg, 0.7 * deg};
  const ptz::Estimate found = run(Scene(random, 400, truth, 1.03, -0.1, 0, 0.3));
  REQUIRE(found.verdict == ptz::Verdict::used);
  CHECK_NEAR(found.angles.yaw, truth.yaw, 1e-7);
  CHECK_NEAR(found.angles.pitch, truth.pitch, 1e-7);
  CHECK_NEAR(found.angles.roll, truth.roll, 1e-7);
  CHECK_NEAR(std::exp(found.log_zoom), 1.03, 1e-6);
  CHECK_NEAR(found.lens.k1, -0.1, 1e-4);
  CHECK_NEAR(found.lens.k1_change, 0, 1e-4);
}

SL_TEST("ptz: a lens that bends otherwise than it did for the references is found, and its interval holds the truth") {
  Random random(21);
  int inside = 0, all = 0;
  for (int trial = 0; trial < 200; ++trial) {
    const ptz::Angles truth{random.between(-2, 2) * deg, random.between(-2, 2) * deg, random.between(-2, 2) * deg};
    const ptz::Estimate found = run(Scene(random, 400, truth, 1, 0, 0.15, 0.1, -0.1));
    REQUIRE(found.verdict == ptz::Verdict::used);
    CHECK_NEAR(found.lens.k1_change, -0.1, 0.01);
    const double off[3] = {found.angles.yaw - truth.yaw, found.angles.pitch - truth.pitch, found.angles.roll - truth.roll};
    for (std::size_t k = 0; k < 3; ++k) {
      inside += std::abs(off[k]) <= found.half_interval[k] ? 1 : 0;
      CHECK(found.half_interval[k] < 0.01 * deg);
    }
    all += 3;
  }
  CHECK(inside >= 0.90 * all);
  CHECK(inside <= 0.99 * all);
}

SL_TEST("ptz: two thirds of wrong matches do not matter") {
  Random random(12);
  const ptz::Angles truth{0.5 * deg, -0.4 * deg, 1 * deg};
  const ptz::Estimate found = run(Scene(random, 300, truth, 1, 0, 0.2, 0.67));
  REQUIRE(found.verdict == ptz::Verdict::used);
  CHECK_NEAR(found.angles.yaw, truth.yaw, 0.01 * deg);
  CHECK(found.inliers > 60);
  CHECK(found.inliers < 130);
}

SL_TEST("ptz: the 95 % interval holds the truth in 90 to 99 of 100 trials, with and without a lens nobody told of") {
  for (const double k1 : {0.0, -0.1}) {
    Random random(13);
    int inside = 0, all = 0;
    for (int trial = 0; trial < 200; ++trial) {
      const ptz::Angles truth{random.between(-2, 2) * deg, random.between(-2, 2) * deg, random.between(-2, 2) * deg};
      const ptz::Estimate found = run(Scene(random, 250, truth, 1, k1, 0.15, 0.1));
      REQUIRE(found.verdict == ptz::Verdict::used);
      const double off[3] = {found.angles.yaw - truth.yaw, found.angles.pitch - truth.pitch, found.angles.roll - truth.roll};
      for (std::size_t k = 0; k < 3; ++k) inside += std::abs(off[k]) <= found.half_interval[k] ? 1 : 0;
      all += 3;
    }
    const double share = static_cast<double>(inside) / all;
    sightline::check::note("covered " + std::to_string(share) + " with k1 = " + std::to_string(k1));
    CHECK(share >= 0.90);
    CHECK(share <= 0.99);
  }
}

SL_TEST("ptz: views that scatter widen the interval until it holds the truth") {
  Random random(14);
  int inside = 0, all = 0;
  for (int trial = 0; trial < 100; ++trial) {
    Scene scene;
    // The mount is off by 0.3 degrees; each stop's encoder by another 0.05.
    for (const double pan : {-60.0, 0.0, 70.0, 150.0}) {
      const ptz::Angles off{(0.3 + 0.05 * random.normal()) * deg, 0.05 * random.normal() * deg, 0.05 * random.normal() * deg};
      scene.add(random, 150, {pan * deg, -5 * deg, 0}, off, 1, 0, 0.15);
    }
    const ptz::Estimate found = run(scene);
    REQUIRE(found.verdict == ptz::Verdict::used);
    CHECK(found.scatter > 0.01 * deg);
    inside += std::abs(found.angles.yaw - 0.3 * deg) <= found.half_interval[0] ? 1 : 0;
    inside += std::abs(found.angles.pitch) <= found.half_interval[1] ? 1 : 0;
    inside += std::abs(found.angles.roll) <= found.half_interval[2] ? 1 : 0;
    all += 3;
  }
  const double share = static_cast<double>(inside) / all;
  sightline::check::note("covered " + std::to_string(share));
  CHECK(share >= 0.88);
}

SL_TEST("ptz: a view that contradicts the others is seen") {
  Random random(15);
  Scene scene;
  scene.add(random, 200, {0, 0, 0}, {0, 0, 0}, 1, 0, 0.1);
  scene.add(random, 200, {90 * deg, 0, 0}, {3 * deg, 0, 0}, 1, 0, 0.1);
  const ptz::Estimate found = run(scene);
  REQUIRE(found.verdict == ptz::Verdict::used);
  CHECK(found.disagree);
  CHECK(found.half_interval[0] > 1 * deg);
}

SL_TEST("ptz: nothing but wrong matches, too few, in one spot, or a turn too large are refused as such") {
  Random random(16);
  CHECK(run(Scene(random, 200, {0, 0, 0}, 1, 0, 0, 1)).verdict == ptz::Verdict::inconsistent);
  CHECK(run(Scene(random, 5, {0, 0, 0}, 1, 0)).verdict == ptz::Verdict::few_matches);
  Scene spot(random, 400, {0, 0, 0}, 1, 0, 0.1);
  std::erase_if(spot.matches, [](const ptz::Match& match) { return match.query_x > 330 || match.query_x < 110 || match.query_y > 200; });
  CHECK(run(spot).verdict == ptz::Verdict::poor_spread);
  CHECK(run(Scene(random, 300, {25 * deg, 0, 0}, 1, 0, 0.1)).verdict == ptz::Verdict::too_large);
}

SL_TEST("ptz: the same bits on every target and in every run") {
  Random random(17);
  const Scene scene(random, 500, {1 * deg, 0.5 * deg, -0.3 * deg}, 1.01, -0.05, 0.2, 0.4);
  const ptz::Estimate first = run(scene);
  for (const std::string_view name : sightline::geometry::supported_targets()) {
    const ptz::Estimate again = ptz::estimate(scene.problem(), {}, *ptz::find_kernels(name));
    CHECK(std::memcmp(&first.offset, &again.offset, sizeof first.offset) == 0);
    CHECK(std::memcmp(&first.covariance, &again.covariance, sizeof first.covariance) == 0);
    CHECK(first.inlier == again.inlier);
  }
}
