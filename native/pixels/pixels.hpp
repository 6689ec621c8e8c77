// Pixels: decoded planes -> model input tensors, in one pass, without an intermediate image.
//
// Threads: every function may be called from any thread at the same time; scratch memory and resize tables are thread-local and
//          bounded (typically 0.1 MB a thread; it grows with the sizes of the 16 resizes that were used last).
// Owns:    nothing; all pointers are borrowed for the duration of the call.
// Errors:  arguments a caller could have checked (sizes out of range, a destination of the wrong length, a missing plane) throw
//          std::invalid_argument before anything is written. Nothing else throws, short of memory running out.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace sightline::pixels {

/// Plane layouts that decoders hand out and that the kernels read directly.
enum class Layout : std::uint8_t { i420, i422, i444, nv12, gray8, yuyv422, rgb24, bgr24 };
enum class Range : std::uint8_t { limited, full };
enum class Matrix : std::uint8_t { bt601, bt709, bt2020 };

/// A borrowed picture: `plane[i]` points at the first sample of plane i, `stride[i]` is in bytes (may be negative).
/// 1x1 to 8192x8192. Planes: i420, i422, i444: Y, U, V; nv12: Y, UV; the others one. Chroma planes of odd sizes are rounded up;
/// a yuyv422 line holds (width + 1) / 2 groups of 4 bytes. `matrix` and `range` mean nothing for RGB, `matrix` nothing for gray8.
struct ImageView {
  Layout layout = Layout::i420;
  int width = 0;
  int height = 0;
  std::array<const std::uint8_t*, 3> plane{};
  std::array<std::ptrdiff_t, 3> stride{};
  Range range = Range::limited;
  Matrix matrix = Matrix::bt601;
};

enum class Fit : std::uint8_t { letterbox, stretch };

/// Where the source lands in the destination tensor: dst = src * scale + offset (pixel edges, not centres). The scale is that of
/// the whole-pixel region, so it maps exactly, and differs a little between the axes when the aspect ratio had to be rounded.
struct Placement {
  float scale_x = 1, scale_y = 1;  ///< destination pixels per source pixel
  int x = 0, y = 0;                ///< left/top of the used region, destination pixels
  int width = 0, height = 0;       ///< size of the used region, destination pixels
};

/// The placement of a `src_w`x`src_h` picture in a `dst_w`x`dst_h` tensor. Letterbox keeps the aspect ratio and centres
/// (an odd remainder goes right and below); the region is at least 1x1. Sizes of at least 1x1, else std::invalid_argument.
Placement place(int src_w, int src_h, int dst_w, int dst_h, Fit fit);

/// Resizes (area-weighted when shrinking, bilinear when enlarging), converts YUV->RGB and pads, in one pass.
/// `dst` is uint8 RGB, NHWC, `dst_h * dst_w * 3` bytes, written completely (padding bytes = `pad`); 1x1 to 8192x8192.
/// The picture is stretched into the region of `at`, which must lie inside the destination; the scale in `at` is not read.
void to_rgb(const ImageView& src, std::span<std::uint8_t> dst, int dst_w, int dst_h, const Placement& at, std::uint8_t pad);

/// Samples an affine crop: destination pixel centre (x+0.5, y+0.5) reads the source at
/// (m[0]*(x+.5)+m[1]*(y+.5)+m[2], m[3]*(x+.5)+m[4]*(y+.5)+m[5]), source coordinates with pixel edges at integers.
/// Bilinear; along a source axis that shrinks by more than 2 the picture is first reduced by the whole part of that factor, as
/// means of boxes, so that no source pixel is skipped. A destination pixel whose centre lies outside the picture is `pad`.
/// Positions are rounded to 1/65536 sample per step. `dst` as for to_rgb(); |m[0..1]|, |m[3..4]| <= 16384,
/// |m[2]|, |m[5]| <= 1e7, no NaN.
void warp_rgb(const ImageView& src, std::span<std::uint8_t> dst, int dst_w, int dst_h, const std::array<float, 6>& m,
              std::uint8_t pad);

/// Name of the active SIMD target (`scalar`, `sse4`, `avx2`, `avx512`, `neon`); "" when target_error() says why there is none.
std::string_view target();
/// Why the target that SIGHTLINE_SIMD names cannot be used; "" when all is well. Until set_target() succeeds, to_rgb() and
/// warp_rgb() then throw std::runtime_error.
std::string target_error();
/// All targets this CPU supports, best first; `scalar` is always the last.
std::span<const std::string_view> supported_targets();
/// Selects a target for the whole process. False (and no change) when it is unknown or unsupported here.
/// At the first call of any function here the environment variable SIGHTLINE_SIMD selects one (unset or "" = the best); the
/// addon refuses to load if it names an unusable one, see target_error().
bool set_target(std::string_view name);

}  // namespace sightline::pixels
