// From libav's frames to what the kernels read.
//
// Threads: view_of() and picture_of() are pure; a FrameAdapter belongs to one thread.
// Owns:    FrameAdapter: a scaler and one scratch frame.
#pragma once
#include <optional>

#include "../slots/pool.hpp"
#include "av_ptr.hpp"

namespace sightline::capture {

/// The planes of a frame in host memory whose pixel format the kernels read directly; nullopt for any other format. Where the
/// frame does not say: matrix BT.709 from 720 lines on and BT.601 below, limited range (full for the JPEG formats).
std::optional<pixels::ImageView> view_of(const AVFrame& frame);

/// A picture that keeps the frame alive; nullopt as view_of().
std::optional<slots::Picture> picture_of(FramePtr frame);

/// Brings frames of any kind into a form that view_of() accepts: hardware surfaces are transferred (NV12), formats that the
/// kernels do not know (10 bit, palettes, ...) are converted one by one, to I420 or, from RGB formats, to RGB24.
class FrameAdapter {
 public:
  FrameAdapter();
  /// `frame` itself, or the scratch frame, valid until the next call; null when it cannot be done.
  const AVFrame* adapt(const AVFrame& frame);

 private:
  const AVFrame* convert(const AVFrame& frame);

  FramePtr transferred_, converted_;
  SwsPtr scaler_;
  int scaler_width_ = 0, scaler_height_ = 0, scaler_format_ = -1;
};

}  // namespace sightline::capture
