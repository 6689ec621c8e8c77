#include <algorithm>
#include <span>
#include <vector>

#include "av_log.hpp"
#include "av_ptr.hpp"
#include "camera.hpp"

namespace sightline::capture {
namespace {

constexpr int jpeg_side_max = 8'192;  // as pictures have

/// The MJPEG encoder's quantiser (1 best .. 31 worst) whose tables are as coarse as those of the usual quality scale: that
/// scale multiplies the standard tables by (200 - 2q) % above 50 and 5000 / q % below, the encoder by quantiser / 8.
int quantiser_of(int quality) {
  const int q = std::clamp(quality, 1, 100);
  const double percent = q >= 50 ? 200.0 - 2.0 * q : 5'000.0 / q;
  return std::clamp(static_cast<int>(percent * 8.0 / 100.0 + 0.5), 1, 31);
}

/// The picture as full-range BT.601 4:2:0, which is what JPEG means by YUV. By way of RGB, because the matrix may differ.
FramePtr to_jpeg_planes(const pixels::ImageView& view, int width, int height) {
  const std::size_t bytes = static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3;
  // libswscale reads up to a register beyond the last pixel, which may be the end of what is mapped.
  std::vector<std::uint8_t> rgb(bytes + AV_INPUT_BUFFER_PADDING_SIZE);
  pixels::to_rgb(view, std::span(rgb).first(bytes), width, height, pixels::place(view.width, view.height, width, height, pixels::Fit::stretch), 0);
  FramePtr frame = make_frame();
  frame->format = AV_PIX_FMT_YUV420P;
  frame->width = width;
  frame->height = height;
  frame->color_range = AVCOL_RANGE_JPEG;
  frame->colorspace = AVCOL_SPC_BT470BG;
  if (av_frame_get_buffer(frame.get(), 0) < 0) return nullptr;
  const SwsPtr scaler(sws_getContext(width, height, AV_PIX_FMT_RGB24, width, height, AV_PIX_FMT_YUV420P,
                                     SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP, nullptr, nullptr, nullptr));
  if (!scaler) return nullptr;
  const int* bt601 = sws_getCoefficients(SWS_CS_ITU601);
  sws_setColorspaceDetails(scaler.get(), bt601, 1, bt601, 1, 0, 1 << 16, 1 << 16);
  const std::uint8_t* plane[4] = {rgb.data(), nullptr, nullptr, nullptr};
  const int stride[4] = {width * 3, 0, 0, 0};
  if (sws_scale(scaler.get(), plane, stride, 0, height, frame->data, frame->linesize) < 0) return nullptr;
  return frame;
}

std::string encode(AVFrame& frame, int quantiser) {
  const AVCodec* codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
  const CodecPtr context(codec == nullptr ? nullptr : avcodec_alloc_context3(codec));
  if (!context) return {};
  context->width = frame.width;
  context->height = frame.height;
  context->pix_fmt = AV_PIX_FMT_YUV420P;
  context->color_range = AVCOL_RANGE_JPEG;
  context->colorspace = AVCOL_SPC_BT470BG;
  context->time_base = {1, 25};
  context->thread_count = 1;
  context->flags |= AV_CODEC_FLAG_QSCALE;
  context->global_quality = quantiser * FF_QP2LAMBDA;
  context->qmin = 1;
  if (avcodec_open2(context.get(), codec, nullptr) < 0) return {};
  frame.quality = context->global_quality;
  frame.pts = 0;
  const PacketPtr packet = make_packet();
  if (avcodec_send_frame(context.get(), &frame) < 0 || avcodec_receive_packet(context.get(), packet.get()) < 0) return {};
  return {reinterpret_cast<const char*>(packet->data), static_cast<std::size_t>(packet->size)};
}

}  // namespace

std::string encode_jpeg(const slots::Picture& picture, int quality_1_100, int max_width) {
  const pixels::ImageView& view = picture.view;
  if (view.width < 1 || view.height < 1 || view.plane[0] == nullptr) return {};
  initialise_libav();
  LogSink log;
  const LogScope scope(log);
  const int width = std::min(max_width > 0 ? std::min(max_width, view.width) : view.width, jpeg_side_max);
  const std::int64_t scaled = (std::int64_t{view.height} * width + view.width / 2) / view.width;
  const int height = static_cast<int>(std::clamp<std::int64_t>(scaled, 1, jpeg_side_max));
  try {
    const FramePtr frame = to_jpeg_planes(view, width, height);
    return frame ? encode(*frame, quantiser_of(quality_1_100)) : std::string{};
  } catch (const std::bad_alloc&) {
    return {};
  }
}

}  // namespace sightline::capture
