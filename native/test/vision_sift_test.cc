// strongest() against OpenCV's SIFT with the lowest limit: the guess about the limit may cost time, never a feature.
#include "vision/sift.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <opencv2/core/utility.hpp>
#include <opencv2/features2d.hpp>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

#include "check.hpp"

namespace {

using sightline::vision::likely_contrast;
using sightline::vision::Sift;
using sightline::vision::strongest;

constexpr double contrast = 0.012;

/// One thread, as in the OpenCV child; those of the library are not built for the thread sanitizer.
[[maybe_unused]] const bool one_thread = (cv::setNumThreads(1), true);

/// Patches of random size and grey, smoothed, with noise: `patches` says how rich it is, `span` how strong its contrast.
cv::Mat scene(int patches, double span, std::uint64_t seed, double deviation = 1) {
  cv::RNG random(seed);
  cv::Mat grey(360, 640, CV_32F, cv::Scalar(128));
  for (int i = 0; i < patches; ++i) {
    const cv::Rect patch(random.uniform(0, 630), random.uniform(0, 350), random.uniform(3, 12), random.uniform(3, 12));
    grey(patch & cv::Rect(0, 0, 640, 360)).setTo(128 + span * random.uniform(-1.0, 1.0));
  }
  cv::GaussianBlur(grey, grey, cv::Size(), 0.8);
  cv::Mat noise(grey.size(), CV_32F), out;
  random.fill(noise, cv::RNG::NORMAL, 0, deviation);
  grey += noise;
  grey.convertTo(out, CV_8U);
  return out;
}

using Feature = std::array<float, 132>;

/// Place, size, angle and descriptor of each, in an order of their own.
std::vector<Feature> sorted(const std::vector<cv::KeyPoint>& points, const cv::Mat& descriptors) {
  std::vector<Feature> all(points.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    all[i] = {points[i].pt.x, points[i].pt.y, points[i].size, points[i].angle};
    for (std::size_t k = 0; k < 128; ++k) all[i][k + 4] = descriptors.at<std::uint8_t>(static_cast<int>(i), static_cast<int>(k));
  }
  std::sort(all.begin(), all.end());
  return all;
}

/// The strongest `features` outside of the mask, each described, by OpenCV alone.
std::vector<Feature> outside(const cv::Mat& grey, const cv::Mat& mask, int features) {
  std::vector<cv::KeyPoint> points;
  cv::Mat descriptors;
  const auto sift = cv::SIFT::create(0, 3, contrast, 10, 1.6, CV_8U);
  sift->detect(grey, points, mask);
  cv::KeyPointsFilter::retainBest(points, features);
  sift->compute(grey, points, descriptors);
  return sorted(points, descriptors);
}

/// The strongest `features`, less what the mask hides, by OpenCV alone.
std::vector<Feature> plain(const cv::Mat& grey, const cv::Mat& mask, int features) {
  std::vector<cv::KeyPoint> points;
  cv::Mat descriptors;
  cv::SIFT::create(features, 3, contrast, 10, 1.6, CV_8U)->detectAndCompute(grey, mask, points, descriptors);
  return sorted(points, descriptors);
}

cv::Mat mask_of(double hidden) {
  cv::Mat mask(360, 640, CV_8U, cv::Scalar(255));
  mask.colRange(0, static_cast<int>(640 * hidden)).setTo(0);
  return mask;
}

void expect_same(const Sift& found, const std::vector<Feature>& want, const std::string& what) {
  if (sorted(found.points, found.descriptors) != want) {
    FAIL(what + ": " + std::to_string(found.points.size()) + " features, OpenCV has " + std::to_string(want.size()) + ", or others");
  }
}

}  // namespace

SL_TEST("vision sift: rich pictures are searched with a higher limit and give the same features") {
  const cv::Mat rich = scene(6000, 120, 1);
  CHECK(likely_contrast(rich, cv::Mat(), 300, contrast) > 2 * contrast);
  for (const int features : {100, 300, 600}) expect_same(strongest(rich, cv::Mat(), features, contrast), plain(rich, cv::Mat(), features), std::to_string(features));
}

SL_TEST("vision sift: poor pictures, and limits of any size, give the same features") {
  for (const auto& [patches, span] : {std::pair{6000, 6.0}, {60, 120.0}, {400, 30.0}, {0, 0.0}}) {
    const cv::Mat grey = scene(patches, span, 2);
    for (const int features : {1, 60, 400, 100000}) expect_same(strongest(grey, cv::Mat(), features, contrast), plain(grey, cv::Mat(), features), std::to_string(patches) + " patches, " + std::to_string(features));
  }
}

SL_TEST("vision sift: a guess that is too high is made good") {
  // Noise alone stands out least on the finest scales, where most features are looked for, and more on the one that the guess looks at.
  int too_high = 0;
  for (std::uint64_t seed = 10; seed < 20; ++seed) {
    const cv::Mat grey = scene(0, 0, seed, 25);
    for (const int features : {100, 400, 1000}) {
      std::vector<cv::KeyPoint> points;
      const double likely = likely_contrast(grey, cv::Mat(), features, contrast);
      cv::SIFT::create(0, 3, likely, 10, 1.6, CV_8U)->detect(grey, points);
      if (likely > contrast && points.size() < static_cast<std::size_t>(features)) ++too_high;
      expect_same(strongest(grey, cv::Mat(), features, contrast), plain(grey, cv::Mat(), features), "seed " + std::to_string(seed));
    }
  }
  CHECK(too_high > 0);
}

SL_TEST("vision sift: behind a mask the strongest outside of it are found, where it takes most of them") {
  const cv::Mat rich = scene(6000, 120, 3), poor = scene(60, 120, 3);
  expect_same(strongest(rich, mask_of(0.1), 300, contrast), plain(rich, mask_of(0.1), 300), "a tenth hidden");
  expect_same(strongest(rich, mask_of(0.8), 300, contrast), outside(rich, mask_of(0.8), 300), "most hidden");
  expect_same(strongest(poor, mask_of(0.8), 5000, contrast), plain(poor, mask_of(0.8), 5000), "a poor picture, most hidden");
  expect_same(strongest(rich, mask_of(1), 300, contrast), {}, "all hidden");
}
