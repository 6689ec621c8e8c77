// Axis: how the samples of one output line come from the samples of one input line; the weights of both resize passes.
//
//   shrinking:  output i is the mean of the interval [i*s, (i+1)*s) of the input, s = input length / output length
//   enlarging:  output i is interpolated linearly at (i + 0.5) * s, sample centres at k + 0.5, edges repeated
//   same size:  a copy
//
// Lengths are rational (chroma of an odd width is half a sample shorter than its plane), so interval edges are computed in
// integers and the weights carry no accumulated error.
#pragma once
#include <cstdint>
#include <vector>

namespace sightline::pixels {

/// What an axis is for: `rows` weighs whole lines (vertical pass), `columns` weighs samples inside a line.
enum class AxisUse : std::uint8_t { rows, columns };

struct AxisKey {
  int length = 0;      ///< input length in luma samples
  int subsample = 1;   ///< 1, or 2 for a chroma axis with half resolution
  int out = 0;         ///< output samples
  AxisUse use = AxisUse::rows;
  bool operator==(const AxisKey&) const = default;
};

/// More taps than this and the 16-bit kernels would lose precision: the scalar kernel takes over (shrinks by more than 32).
inline constexpr int fixed_taps_max = 34;
/// Scale of the fixed-point weights. Rows: unsigned 16 bits; columns: signed 16 bits.
inline constexpr int row_weight_one = 1 << 15;
inline constexpr int column_weight_bits = 14;
/// Outputs of the column tables are padded to a multiple of this, so that kernels need no tail.
inline constexpr int column_group = 16;

/// Table for kernels that pick samples by a byte shuffle within 128 bits. Eight outputs make a group, four in each half; a half
/// picks from 8 samples, or with two windows from 16, in `steps` steps of one sample pair an output.
struct Shuffles {
  int steps = 0;                      ///< 0 = the windows do not fit
  int windows = 1;
  std::vector<std::int32_t> base;     ///< [groups][2] first sample of each half's window
  std::vector<std::uint8_t> index;    ///< [groups][steps][windows][2][16] byte of the window, 128 = none
  std::vector<std::int16_t> weight;   ///< [groups][steps][2][8]
};

struct Axis {
  AxisKey key;
  int in = 0;                            ///< samples of the plane along this axis, ceil(length / subsample)
  int taps = 0;                          ///< most taps of any output, the stride of the weights
  bool copy = false;                     ///< output i is input i
  std::vector<std::int32_t> first;       ///< [out padded] first sample; first + count <= in
  std::vector<std::int32_t> count;       ///< [out] taps that count
  std::vector<float> weight;             ///< [out][taps], sum 1
  std::vector<std::uint16_t> row_weight; ///< [out][taps], sum row_weight_one; for `rows` with fixed()
  int block = 0;                         ///< stride of column_weight, a multiple of 8
  std::vector<std::int16_t> column_weight;  ///< [out padded][block]; for `columns` with fixed()
  Shuffles shuffles;                     ///< for `columns` with fixed()

  bool fixed() const { return taps <= fixed_taps_max; }
};

/// Builds an axis. Needs 1 <= length <= 8192 * 2, subsample 1 or 2, 1 <= out <= 8192 (checked by the caller).
Axis make_axis(const AxisKey& key);

/// The axis for `key` from this thread's cache of the 16 last used ones. The reference stays valid until 15 other keys
/// have been asked for on this thread.
const Axis& cached_axis(const AxisKey& key);

}  // namespace sightline::pixels
