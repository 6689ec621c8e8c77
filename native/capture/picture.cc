#include "picture.hpp"

#include <algorithm>
#include <memory>

namespace sightline::capture {
namespace {

using pixels::Layout;
using pixels::Matrix;
using pixels::Range;

std::optional<Layout> layout_of(int format) {
  switch (format) {
    case AV_PIX_FMT_YUV420P:
    case AV_PIX_FMT_YUVJ420P: return Layout::i420;
    case AV_PIX_FMT_YUV422P:
    case AV_PIX_FMT_YUVJ422P: return Layout::i422;
    case AV_PIX_FMT_YUV444P:
    case AV_PIX_FMT_YUVJ444P: return Layout::i444;
    case AV_PIX_FMT_NV12: return Layout::nv12;
    case AV_PIX_FMT_GRAY8: return Layout::gray8;
    case AV_PIX_FMT_YUYV422: return Layout::yuyv422;
    case AV_PIX_FMT_RGB24: return Layout::rgb24;
    case AV_PIX_FMT_BGR24: return Layout::bgr24;
    default: return std::nullopt;
  }
}

bool is_jpeg_format(int format) {
  return format == AV_PIX_FMT_YUVJ420P || format == AV_PIX_FMT_YUVJ422P || format == AV_PIX_FMT_YUVJ444P;
}

Matrix matrix_of(const AVFrame& frame) {
  switch (frame.colorspace) {
    case AVCOL_SPC_BT709: return Matrix::bt709;
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
    case AVCOL_SPC_FCC:
    case AVCOL_SPC_SMPTE240M: return Matrix::bt601;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL: return Matrix::bt2020;
    default: break;
  }
  if (is_jpeg_format(frame.format)) return Matrix::bt601;  // JFIF knows no other
  return frame.height >= 720 ? Matrix::bt709 : Matrix::bt601;
}

Range range_of(const AVFrame& frame) {
  if (frame.color_range == AVCOL_RANGE_JPEG) return Range::full;
  return is_jpeg_format(frame.format) ? Range::full : Range::limited;
}

/// Copies what describes the colours and the time, not the pixels.
bool prepare(AVFrame& to, const AVFrame& from, AVPixelFormat format) {
  av_frame_unref(&to);
  to.format = format;
  to.width = from.width;
  to.height = from.height;
  return av_frame_get_buffer(&to, 0) >= 0;
}

}  // namespace

std::optional<pixels::ImageView> view_of(const AVFrame& frame) {
  const std::optional<Layout> layout = layout_of(frame.format);
  if (!layout || frame.width < 1 || frame.height < 1 || frame.data[0] == nullptr) return std::nullopt;
  pixels::ImageView view;
  view.layout = *layout;
  view.width = frame.width;
  view.height = frame.height;
  for (std::size_t i = 0; i < view.plane.size(); ++i) {
    view.plane[i] = frame.data[i];
    view.stride[i] = frame.linesize[i];
  }
  view.range = range_of(frame);
  view.matrix = matrix_of(frame);
  return view;
}

std::optional<slots::Picture> picture_of(FramePtr frame) {
  if (!frame) return std::nullopt;
  const std::optional<pixels::ImageView> view = view_of(*frame);
  if (!view) return std::nullopt;
  return slots::Picture{*view, std::shared_ptr<const AVFrame>(std::move(frame))};
}

FrameAdapter::FrameAdapter() : transferred_(make_frame()), converted_(make_frame()) {}

const AVFrame* FrameAdapter::adapt(const AVFrame& frame) {
  const AVFrame* host = &frame;
  if (frame.hw_frames_ctx != nullptr) {
    av_frame_unref(transferred_.get());
    if (av_hwframe_transfer_data(transferred_.get(), &frame, 0) < 0) return nullptr;
    if (av_frame_copy_props(transferred_.get(), &frame) < 0) return nullptr;
    host = transferred_.get();
  }
  return layout_of(host->format) ? host : convert(*host);
}

const AVFrame* FrameAdapter::convert(const AVFrame& frame) {
  const auto from = static_cast<AVPixelFormat>(frame.format);
  const AVPixFmtDescriptor* description = av_pix_fmt_desc_get(from);
  if (description == nullptr || sws_isSupportedInput(from) == 0) return nullptr;
  const bool rgb = (description->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL)) != 0;
  const AVPixelFormat to = rgb ? AV_PIX_FMT_RGB24 : AV_PIX_FMT_YUV420P;
  if (!scaler_ || scaler_width_ != frame.width || scaler_height_ != frame.height || scaler_format_ != frame.format) {
    scaler_.reset(sws_getContext(frame.width, frame.height, from, frame.width, frame.height, to,
                                 SWS_BILINEAR | SWS_ACCURATE_RND, nullptr, nullptr, nullptr));
    if (!scaler_) return nullptr;
    scaler_width_ = frame.width;
    scaler_height_ = frame.height;
    scaler_format_ = frame.format;
  }
  // The range stays what it is: the kernels know it from the view. (Between two YUV formats the matrix plays no part.)
  const int full = range_of(frame) == Range::full ? 1 : 0;
  const int* coefficients = sws_getCoefficients(SWS_CS_DEFAULT);
  sws_setColorspaceDetails(scaler_.get(), coefficients, full, coefficients, rgb ? 1 : full, 0, 1 << 16, 1 << 16);
  if (!prepare(*converted_, frame, to)) return nullptr;
  if (sws_scale(scaler_.get(), frame.data, frame.linesize, 0, frame.height, converted_->data, converted_->linesize) < 0) {
    return nullptr;
  }
  if (av_frame_copy_props(converted_.get(), &frame) < 0) return nullptr;
  return converted_.get();
}

}  // namespace sightline::capture
