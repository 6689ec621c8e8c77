// Kernels: the table of functions that each target (scalar, SSE4, AVX2, AVX-512, NEON) provides, and the checked, fully
// prepared arguments they get. Private to native/pixels.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "axis.hpp"
#include "colour.hpp"
#include "pixels.hpp"

namespace sightline::pixels {

inline constexpr int source_max = 8192;       ///< largest width and height of a source
inline constexpr int destination_max = 8192;  ///< largest width and height of a destination

/// One colour component as strided samples: sample (x, y) is first[y * stride + x * step].
struct Component {
  const std::uint8_t* first = nullptr;
  std::ptrdiff_t stride = 0;
  int step = 1;
  int width = 0, height = 0;                  ///< samples
  int subsample_x = 1, subsample_y = 1;       ///< luma samples per sample
};

/// 1 for gray8, else 3: Y, U, V or R, G, B.
int component_count(Layout layout);
/// Component 0..component_count()-1 of a view.
Component component_of(const ImageView& src, int index);
/// True for the layouts that hold RGB already.
constexpr bool is_rgb(Layout layout) { return layout == Layout::rgb24 || layout == Layout::bgr24; }

/// Lines of signed 16-bit samples with 7 fraction bits (0..255 -> 0..32640). Readable 128 samples past their end.
struct Scratch {
  std::array<std::int16_t*, 3> wide{};   ///< after the vertical pass, as the planes are laid out
  std::array<std::int16_t*, 3> split{};  ///< the same with one component per line
  std::array<std::int16_t*, 3> line{};   ///< after the horizontal pass
};

/// A resize into the used region of a destination; the padding around it is already written.
struct ResizeJob {
  const ImageView* src = nullptr;
  std::uint8_t* first = nullptr;         ///< first byte of the region
  std::ptrdiff_t stride = 0;             ///< bytes per destination line
  int width = 0, height = 0;             ///< of the region
  const Axis* columns = nullptr;         ///< of component 0
  const Axis* rows = nullptr;
  const Axis* chroma_columns = nullptr;  ///< of components 1 and 2
  const Axis* chroma_rows = nullptr;
  Colour colour;
  Scratch scratch;                       ///< only for targets other than scalar
};

/// `count` samples of one component along a line. Positions are 16.16 fixed point in samples of the component, edges at integers
/// (sample k has its centre at k + 0.5): output k reads (u + k * du, v + k * dv). Positions outside are clamped to the edge.
struct WarpRun {
  Component from;
  std::int32_t u = 0, v = 0, du = 0, dv = 0;
  int count = 0;
  float* out = nullptr;   ///< may be written up to 15 samples past `count`
};

/// Sampled components to `count` RGB pixels.
struct WarpLine {
  std::array<const float*, 3> component{};  ///< readable up to 15 samples past `count`
  int count = 0;
  bool rgb = false;                         ///< the components are R, G, B; else Y, U, V
  Colour colour;
  std::uint8_t* out = nullptr;
};

struct Kernels {
  std::string_view name;
  void (*resize)(const ResizeJob&) = nullptr;
  void (*warp_run)(const WarpRun&) = nullptr;
  void (*warp_line)(const WarpLine&) = nullptr;
};

/// warp_rgb() after the checks, with the sampling of `kernels`.
void warp_image(const Kernels& kernels, const ImageView& src, std::uint8_t* dst, int dst_w, int dst_h,
                const std::array<float, 6>& m, std::uint8_t pad);

void resize_scalar(const ResizeJob& job);
void warp_run_scalar(const WarpRun& run);
void warp_line_scalar(const WarpLine& line);

/// Set the compiled SIMD functions of a target; leave them alone when this build has none. Say nothing about the CPU.
void find_simd_resize(std::string_view name, Kernels* to);
void find_simd_warp(std::string_view name, Kernels* to);

/// The selected table; one atomic load. Throws std::runtime_error when SIGHTLINE_SIMD names an unusable target.
const Kernels& active_kernels();

}  // namespace sightline::pixels
