#include "sift.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <opencv2/features2d.hpp>
#include <opencv2/imgproc.hpp>

namespace sightline::vision {
namespace {

constexpr int layers = 3;
constexpr double edge = 10, sigma = 1.6;
/// A limit that is raised by less saves too little, and a guess too high costs a second search: pictures with fewer than `plenty` times the features
/// wanted are not guessed about.
constexpr std::size_t plenty = 4;
constexpr double worth = 2;

cv::Ptr<cv::SIFT> detector(int features, double contrast) { return cv::SIFT::create(features, layers, contrast, edge, sigma, CV_8U); }

/// Where OpenCV's own masks look.
bool wanted(const cv::Mat& mask, const cv::KeyPoint& point) {
  return mask.at<std::uint8_t>(static_cast<int>(point.pt.y + 0.5f), static_cast<int>(point.pt.x + 0.5f)) != 0;
}

/// Runs `find` with the likely limit, and with the lowest where that gave too few: what comes is the same, since features above a limit are found
/// whatever lies below it. What the likely limit saves is the orientation of features that are too weak to be among the strongest.
template <class Find>
void find_strongest(const cv::Mat& grey, const cv::Mat& mask, int features, double contrast, Find&& find) {
  const double likely = likely_contrast(grey, mask, features, contrast);
  if (find(likely) < static_cast<std::size_t>(features) && likely > contrast) find(contrast);
}

}  // namespace

double likely_contrast(const cv::Mat& grey, const cv::Mat& mask, int features, double contrast) {
  // The third difference of Gaussians of SIFT's doubled picture, at the picture's own size.
  constexpr double inner = 1.520, outer = 1.953;
  cv::Mat levels, narrow, wide;
  grey.convertTo(levels, CV_32F);
  cv::GaussianBlur(levels, narrow, cv::Size(), inner);
  cv::GaussianBlur(levels, wide, cv::Size(), outer);
  const cv::Mat difference = wide - narrow;
  const auto least = static_cast<float>(contrast * 255 / layers);
  std::vector<float> strengths;
  for (int y = 1; y + 1 < difference.rows; ++y) {
    const float *above = difference.ptr<float>(y - 1), *line = difference.ptr<float>(y), *below = difference.ptr<float>(y + 1);
    const std::uint8_t* kept = mask.empty() ? nullptr : mask.ptr(y);
    for (int x = 1; x + 1 < difference.cols; ++x) {
      const float value = line[x], sign = value < 0 ? -1.0f : 1.0f, strength = sign * value;
      if (strength < least || strength < sign * line[x - 1] || strength < sign * line[x + 1]) continue;
      if (kept != nullptr && kept[x] == 0) continue;
      const float around = std::max({sign * above[x - 1], sign * above[x], sign * above[x + 1], sign * below[x - 1], sign * below[x], sign * below[x + 1]});
      if (strength < around) continue;
      // Edges are dropped by SIFT in the same way.
      const float xx = line[x - 1] + line[x + 1] - 2 * value, yy = above[x] + below[x] - 2 * value;
      const float xy = (below[x + 1] - below[x - 1] - above[x + 1] + above[x - 1]) / 4;
      const float determinant = xx * yy - xy * xy, trace = xx + yy;
      if (determinant > 0 && trace * trace * edge < (edge + 1) * (edge + 1) * determinant) strengths.push_back(strength);
    }
  }
  // Where there are few, what this finds and what SIFT finds differ by more.
  const auto wanted_count = static_cast<std::size_t>(std::max(features, 0));
  if (wanted_count == 0 || strengths.size() < plenty * wanted_count) return contrast;
  const auto weakest = strengths.begin() + static_cast<std::ptrdiff_t>(wanted_count + wanted_count / 4);
  std::nth_element(strengths.begin(), weakest, strengths.end(), std::greater<>());
  const double likely = static_cast<double>(*weakest) * layers / 255;
  return likely < worth * contrast ? contrast : likely;
}

Sift strongest(const cv::Mat& grey, const cv::Mat& mask, int features, double contrast) {
  Sift all;
  find_strongest(grey, cv::Mat(), features, contrast, [&](double limit) {
    all = {};
    detector(features, limit)->detectAndCompute(grey, cv::Mat(), all.points, all.descriptors);
    return all.points.size();
  });
  if (mask.empty()) return all;
  Sift kept;
  for (std::size_t i = 0; i < all.points.size(); ++i) {
    if (!wanted(mask, all.points[i])) continue;
    kept.points.push_back(all.points[i]);
    kept.descriptors.push_back(all.descriptors.row(static_cast<int>(i)));
  }
  const auto limit = static_cast<std::size_t>(std::max(features, 0));
  // Fewer than the limit in all: there are no others outside of the mask.
  if (kept.points.size() * 2 >= limit || all.points.size() < limit) return kept;
  kept = {};
  find_strongest(grey, mask, features, contrast, [&](double lowest) {
    kept.points.clear();
    detector(0, lowest)->detect(grey, kept.points, mask);
    return kept.points.size();
  });
  cv::KeyPointsFilter::retainBest(kept.points, features);
  detector(0, contrast)->compute(grey, kept.points, kept.descriptors);
  return kept;
}

}  // namespace sightline::vision
