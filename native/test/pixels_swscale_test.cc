// An independent implementation as a witness: libswscale's area scaler on a synthetic natural picture.
extern "C" {
#include <libswscale/swscale.h>
}

#include "pixels_support.hpp"

using namespace pixel_test;

namespace {

double psnr(const Output& a, const Output& b) {
  double sum = 0;
  for (int y = 0; y < a.height; ++y) {
    for (int x = 0; x < a.width; ++x) {
      for (int k = 0; k < 3; ++k) {
        const double d = double(a.at(x, y, k)) - double(b.at(x, y, k));
        sum += d * d;
      }
    }
  }
  const double mean = sum / (3.0 * a.width * a.height);
  return mean == 0 ? 99 : 10 * std::log10(255 * 255 / mean);
}

Output by_swscale(const Picture& picture, AVPixelFormat format, int w, int h) {
  const ImageView& v = picture.view;
  SwsContext* context = sws_getContext(v.width, v.height, format, w, h, AV_PIX_FMT_RGB24,
                                       SWS_AREA | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, nullptr, nullptr, nullptr);
  const int space = v.matrix == Matrix::bt601 ? SWS_CS_ITU601 : v.matrix == Matrix::bt709 ? SWS_CS_ITU709 : SWS_CS_BT2020;
  sws_setColorspaceDetails(context, sws_getCoefficients(space), v.range == Range::full, sws_getCoefficients(SWS_CS_DEFAULT), 1, 0,
                           1 << 16, 1 << 16);
  Output out(w, h);
  const std::array<int, 4> strides = {static_cast<int>(v.stride[0]), static_cast<int>(v.stride[1]), static_cast<int>(v.stride[2]), 0};
  const std::array<const std::uint8_t*, 4> planes = {v.plane[0], v.plane[1], v.plane[2], nullptr};
  // swscale writes whole vectors, so it gets roomy lines of its own.
  const int stride = (w * 3 + 63) / 64 * 64 + 64;
  std::vector<std::uint8_t> lines(static_cast<size_t>(stride) * static_cast<size_t>(h + 1));
  const std::array<std::uint8_t*, 4> to = {lines.data(), nullptr, nullptr, nullptr};
  const std::array<int, 4> to_stride = {stride, 0, 0, 0};
  sws_scale(context, planes.data(), strides.data(), 0, v.height, to.data(), to_stride.data());
  sws_freeContext(context);
  for (int y = 0; y < h; ++y) {
    std::copy_n(lines.begin() + static_cast<std::ptrdiff_t>(stride) * y, w * 3,
                out.span().begin() + static_cast<std::ptrdiff_t>(w) * 3 * y);
  }
  return out;
}

}  // namespace

SL_TEST("pixels swscale: at least 35 dB from libswscale's area scaler, layouts, matrices and ranges") {
  const std::array<std::pair<Layout, AVPixelFormat>, 7> formats = {{{Layout::i420, AV_PIX_FMT_YUV420P},
                                                                    {Layout::i422, AV_PIX_FMT_YUV422P},
                                                                    {Layout::i444, AV_PIX_FMT_YUV444P},
                                                                    {Layout::nv12, AV_PIX_FMT_NV12},
                                                                    {Layout::yuyv422, AV_PIX_FMT_YUYV422},
                                                                    {Layout::rgb24, AV_PIX_FMT_RGB24},
                                                                    {Layout::bgr24, AV_PIX_FMT_BGR24}}};
  double least = 99;
  for (const auto& [layout, format] : formats) {
    for (const Matrix matrix : all_matrices) {
      for (const Range range : all_ranges) {
        // swscale takes RGB to RGB through YUV, so only its default matrix is neutral there.
        if (holds_rgb(layout) && (matrix != Matrix::bt601 || range != Range::limited)) continue;
        Picture picture(layout, 640, 360, range, matrix, {.extra_stride = 64});
        picture.fill(Content::natural, 99);
        for (const auto& [w, h] : {std::array{512, 288}, {256, 144}, {192, 108}}) {
          const Output witness = by_swscale(picture, format, w, h);
          for (const std::string_view kernel : supported_targets()) {
            const double db = psnr(stretch(picture, w, h, kernel), witness);
            least = std::min(least, db);
            if (db < 35) FAIL(std::string(kernel) + " " + describe(picture.view, w, h) + ": " + std::to_string(db) + " dB");
          }
        }
      }
    }
  }
  sightline::check::note("lowest PSNR " + std::to_string(least) + " dB");
}
