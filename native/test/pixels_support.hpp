// Pictures for the pixel tests: exact-size heap planes (so that AddressSanitizer sees an overrun by one byte), awkward strides
// and starts, and references in double precision that share no code with the kernels.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "check.hpp"
#include "pixels/pixels.hpp"

namespace pixel_test {

using namespace sightline::pixels;
using std::size_t;

inline constexpr std::array<Layout, 8> all_layouts = {Layout::i420,  Layout::i422,    Layout::i444,  Layout::nv12,
                                                      Layout::gray8, Layout::yuyv422, Layout::rgb24, Layout::bgr24};
inline constexpr std::array<Range, 2> all_ranges = {Range::limited, Range::full};
inline constexpr std::array<Matrix, 3> all_matrices = {Matrix::bt601, Matrix::bt709, Matrix::bt2020};

inline const char* name(Layout layout) {
  constexpr std::array<const char*, 8> names = {"i420", "i422", "i444", "nv12", "gray8", "yuyv422", "rgb24", "bgr24"};
  return names[static_cast<size_t>(layout)];
}
inline bool holds_rgb(Layout layout) { return layout == Layout::rgb24 || layout == Layout::bgr24; }

/// Small deterministic generator (xorshift32), the same on every platform.
class Random {
 public:
  explicit Random(std::uint32_t seed) : state_(seed * 2654435761u + 88675123u) {}
  std::uint32_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return state_;
  }
  int between(int low, int high) { return low + static_cast<int>(next() % static_cast<std::uint32_t>(high - low + 1)); }
  double unit() { return next() / 4294967296.0; }

 private:
  std::uint32_t state_;
};

struct PictureOptions {
  int extra_stride = 0;       ///< bytes between the end of a line and the next one
  bool bottom_up = false;     ///< negative strides
  int misalign = 0;           ///< bytes before the first sample
};

enum class Content : std::uint8_t { noise, natural, extremes };

/// A picture that owns its planes. Each plane is its own heap block that ends with the last sample.
class Picture {
 public:
  Picture(Layout layout, int width, int height, Range range = Range::limited, Matrix matrix = Matrix::bt601,
          PictureOptions options = {}) {
    view.layout = layout;
    view.width = width;
    view.height = height;
    view.range = range;
    view.matrix = matrix;
    const int half_w = (width + 1) / 2;
    const int half_h = (height + 1) / 2;
    switch (layout) {
      case Layout::i420: add(width, height, options), add(half_w, half_h, options), add(half_w, half_h, options); break;
      case Layout::i422: add(width, height, options), add(half_w, height, options), add(half_w, height, options); break;
      case Layout::i444: add(width, height, options), add(width, height, options), add(width, height, options); break;
      case Layout::nv12: add(width, height, options), add(half_w * 2, half_h, options); break;
      case Layout::gray8: add(width, height, options); break;
      case Layout::yuyv422: add(half_w * 4, height, options); break;
      default: add(width * 3, height, options);
    }
  }

  ImageView view;

  /// Component k (Y, U, V or R, G, B) at its own resolution, written out per layout.
  std::uint8_t& sample(int k, int x, int y) {
    const auto byte = [&](int plane, int offset) -> std::uint8_t& {
      const size_t i = static_cast<size_t>(plane);
      return first_[i][view.stride[i] * y + offset];
    };
    switch (view.layout) {
      case Layout::nv12: return k == 0 ? byte(0, x) : byte(1, x * 2 + k - 1);
      case Layout::yuyv422: return k == 0 ? byte(0, x * 2) : byte(0, x * 4 + (k == 1 ? 1 : 3));
      case Layout::rgb24: return byte(0, x * 3 + k);
      case Layout::bgr24: return byte(0, x * 3 + 2 - k);
      default: return byte(k, x);
    }
  }
  int components() const { return view.layout == Layout::gray8 ? 1 : 3; }
  bool half_width(int k) const {
    const Layout l = view.layout;
    return k > 0 && (l == Layout::i420 || l == Layout::i422 || l == Layout::nv12 || l == Layout::yuyv422);
  }
  bool half_height(int k) const { return k > 0 && (view.layout == Layout::i420 || view.layout == Layout::nv12); }
  int width_of(int k) const { return half_width(k) ? (view.width + 1) / 2 : view.width; }
  int height_of(int k) const { return half_height(k) ? (view.height + 1) / 2 : view.height; }

  void fill(std::uint8_t a, std::uint8_t b, std::uint8_t c) {
    each([&](int k, int, int) { return k == 0 ? a : k == 1 ? b : c; });
  }
  void fill(Content content, std::uint32_t seed) {
    Random random(seed);
    const double w = view.width, h = view.height;
    each([&](int k, int x, int y) {
      if (content == Content::noise) return static_cast<std::uint8_t>(random.next() >> 24);
      if (content == Content::extremes) return static_cast<std::uint8_t>(random.next() >> 31 ? 255 : 0);
      const double u = x * (half_width(k) ? 2 : 1) / w;
      const double v = y * (half_height(k) ? 2 : 1) / h;
      double value = 128 + 60 * std::sin(6 * u + 2 * k) * std::cos(5 * v + k) + 25 * std::sin(40 * u * v + 9 * v);
      if (std::hypot(u - 0.5, v - 0.4) < 0.2) value = k == 0 ? value * 0.5 + 20 : value + 20;
      return static_cast<std::uint8_t>(std::clamp(value + random.unit() * 4, 16.0, 235.0));
    });
  }

 private:
  template <class Value>
  void each(const Value& value) {
    for (int k = 0; k < components(); ++k) {
      for (int y = 0; y < height_of(k); ++y) {
        for (int x = 0; x < width_of(k); ++x) sample(k, x, y) = value(k, x, y);
      }
    }
  }
  void add(int bytes, int lines, const PictureOptions& options) {
    const size_t i = memory_.size();
    const int stride = bytes + options.extra_stride;
    const size_t size = static_cast<size_t>(options.misalign) + static_cast<size_t>(stride) * static_cast<size_t>(lines - 1) +
                        static_cast<size_t>(bytes);
    memory_.push_back(std::make_unique<std::uint8_t[]>(size));
    std::uint8_t* top = memory_.back().get() + options.misalign;
    first_[i] = options.bottom_up ? top + static_cast<std::ptrdiff_t>(stride) * (lines - 1) : top;
    view.plane[i] = first_[i];
    view.stride[i] = options.bottom_up ? -stride : stride;
  }

  std::vector<std::unique_ptr<std::uint8_t[]>> memory_;
  std::array<std::uint8_t*, 3> first_{};
};

/// The plain per-pixel formula of ITU-R BT.601, BT.709 and BT.2020 in double precision, unclamped.
inline std::array<double, 3> formula(const ImageView& view, double a, double b, double c) {
  if (holds_rgb(view.layout)) return {a, b, c};
  const bool limited = view.range == Range::limited;
  const double y = limited ? (a - 16) * 255 / 219 : a;
  if (view.layout == Layout::gray8) return {y, y, y};
  const double pb = (b - 128) / (limited ? 224.0 : 255.0) * 255;
  const double pr = (c - 128) / (limited ? 224.0 : 255.0) * 255;
  switch (view.matrix) {
    case Matrix::bt601: return {y + 1.402 * pr, y - 0.114 * 1.772 / 0.587 * pb - 0.299 * 1.402 / 0.587 * pr, y + 1.772 * pb};
    case Matrix::bt709: return {y + 1.5748 * pr, y - 0.0722 * 1.8556 / 0.7152 * pb - 0.2126 * 1.5748 / 0.7152 * pr, y + 1.8556 * pb};
    default: return {y + 1.4746 * pr, y - 0.0593 * 1.8814 / 0.6780 * pb - 0.2627 * 1.4746 / 0.6780 * pr, y + 1.8814 * pb};
  }
}

inline double level(double value) { return std::floor(std::clamp(value, 0.0, 255.0) + 0.5); }

/// The weight of sample k for output i of n, straight from the definition (area when shrinking, else linear).
inline double weight(double length, int samples, int n, int i, int k) {
  const double s = length / n;
  if (s > 1) return std::max(0.0, std::min((i + 1) * s, k + 1.0) - std::max(i * s, double(k))) / s;
  const double at = std::clamp((i + 0.5) * s - 0.5, 0.0, samples - 1.0);
  return std::max(0.0, 1 - std::abs(at - k));
}

/// RGB of output pixel (x, y) of a picture stretched to w x h.
inline std::array<double, 3> resized(Picture& picture, int w, int h, int x, int y) {
  std::array<double, 3> value = {0, 128, 128};
  for (int k = 0; k < picture.components(); ++k) {
    const double length_x = picture.half_width(k) ? picture.view.width / 2.0 : picture.view.width;
    const double length_y = picture.half_height(k) ? picture.view.height / 2.0 : picture.view.height;
    double sum = 0;
    for (int j = 0; j < picture.height_of(k); ++j) {
      const double wy = weight(length_y, picture.height_of(k), h, y, j);
      if (wy == 0) continue;
      for (int i = 0; i < picture.width_of(k); ++i) {
        const double wx = weight(length_x, picture.width_of(k), w, x, i);
        if (wx != 0) sum += wx * wy * picture.sample(k, i, j);
      }
    }
    value[static_cast<size_t>(k)] = sum;
  }
  return formula(picture.view, value[0], value[1], value[2]);
}

/// A destination with canaries on both sides, exact to the byte.
class Output {
 public:
  Output(int w, int h) : width(w), height(h), length_(static_cast<size_t>(w) * static_cast<size_t>(h) * 3) {
    memory_.assign(length_ + 2 * canary, 0xC5);
    std::fill_n(memory_.begin() + canary, length_, std::uint8_t{0x3A});
  }
  std::span<std::uint8_t> span() { return {memory_.data() + canary, length_}; }
  std::uint8_t at(int x, int y, int channel) const {
    return memory_[canary + (static_cast<size_t>(y) * static_cast<size_t>(width) + static_cast<size_t>(x)) * 3 +
                   static_cast<size_t>(channel)];
  }
  bool canaries_alive() const {
    const auto alive = [](std::uint8_t byte) { return byte == 0xC5; };
    return std::all_of(memory_.begin(), memory_.begin() + canary, alive) && std::all_of(memory_.end() - canary, memory_.end(), alive);
  }
  int width, height;

 private:
  static constexpr std::ptrdiff_t canary = 64;
  size_t length_;
  std::vector<std::uint8_t> memory_;
};

inline int worst(const Output& a, const Output& b) {
  int most = 0;
  for (int y = 0; y < a.height; ++y) {
    for (int x = 0; x < a.width; ++x) {
      for (int k = 0; k < 3; ++k) most = std::max(most, std::abs(int{a.at(x, y, k)} - int{b.at(x, y, k)}));
    }
  }
  return most;
}

inline Placement whole(int w, int h) {
  Placement at;
  at.width = w;
  at.height = h;
  return at;
}

/// Selects a target for the length of a scope.
class UseTarget {
 public:
  explicit UseTarget(std::string_view name) : before_(target()) { set_target(name); }
  ~UseTarget() { set_target(before_); }
  UseTarget(const UseTarget&) = delete;
  UseTarget& operator=(const UseTarget&) = delete;

 private:
  std::string_view before_;
};

inline Output stretch(const Picture& picture, int w, int h, std::string_view with) {
  const UseTarget use(with);
  Output out(w, h);
  to_rgb(picture.view, out.span(), w, h, whole(w, h), 0);
  return out;
}

inline Output warp(const Picture& picture, int w, int h, const std::array<float, 6>& m, std::uint8_t pad, std::string_view with) {
  const UseTarget use(with);
  Output out(w, h);
  warp_rgb(picture.view, out.span(), w, h, m, pad);
  return out;
}

inline std::string describe(const ImageView& v, int w, int h) {
  return std::string(name(v.layout)) + " " + std::to_string(v.width) + "x" + std::to_string(v.height) + " to " +
         std::to_string(w) + "x" + std::to_string(h) + (v.range == Range::full ? " full" : " limited") + " matrix " +
         std::to_string(static_cast<int>(v.matrix));
}

}  // namespace pixel_test
