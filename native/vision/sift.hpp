// SIFT: the strongest features of a picture, without describing or orienting those that would be dropped anyway.
#pragma once
#include <opencv2/core.hpp>
#include <opencv2/core/types.hpp>
#include <vector>

namespace sightline::vision {

struct Sift {
  std::vector<cv::KeyPoint> points;
  cv::Mat descriptors;  ///< a row of 128 bytes for each point
};

/// The `features` strongest of a grey picture whose contrast is at least `contrast` (OpenCV's scale), and those outside of `mask` (0 = not wanted;
/// empty = everything is) of them; where the mask takes more than half of them, the strongest outside of it. More than `features` only when the last
/// ones are equally strong. The order is not told.
Sift strongest(const cv::Mat& grey, const cv::Mat& mask, int features, double contrast);

/// A contrast that more than `features` of the picture outside of `mask` are likely to have, at least `contrast`. A guess from one scale of the
/// picture at its own size, for about a twentieth of what SIFT costs.
double likely_contrast(const cv::Mat& grey, const cv::Mat& mask, int features, double contrast);

}  // namespace sightline::vision
