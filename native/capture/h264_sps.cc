#include "h264_sps.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace sightline::capture {
namespace {

constexpr std::size_t sps_max_bytes = 1024;
constexpr unsigned nal_sps = 7;

/// Reads bits; past the end it gives zeros and remembers it.
class Bits {
 public:
  explicit Bits(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  unsigned bit() {
    if (at_ >= bytes_.size() * 8) {
      overrun_ = true;
      return 0;
    }
    const unsigned value = (unsigned{bytes_[at_ / 8]} >> (7 - at_ % 8)) & 1U;
    ++at_;
    return value;
  }
  std::uint32_t bits(int n) {
    std::uint32_t value = 0;
    for (int i = 0; i < n; ++i) value = (value << 1) | bit();
    return value;
  }
  std::uint32_t ue() {
    int zeros = 0;
    while (zeros < 32 && bit() == 0 && !overrun_) ++zeros;
    if (zeros >= 32) overrun_ = true;
    return overrun_ ? 0 : (1U << zeros) - 1 + bits(zeros);
  }
  std::int32_t se() {
    const std::uint32_t k = ue();
    const auto half = static_cast<std::int32_t>((k + 1) / 2);
    return k % 2 == 1 ? half : -half;
  }
  bool overrun() const { return overrun_; }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
  bool overrun_ = false;
};

void skip_scaling_list(Bits& in, int size) {
  std::int32_t last = 8, next = 8;
  for (int i = 0; i < size && !in.overrun(); ++i) {
    if (next != 0) next = (last + in.se() + 256) % 256;
    last = next == 0 ? last : next;
  }
}

bool has_chroma_format(std::uint32_t profile) {
  constexpr std::array<std::uint32_t, 13> profiles = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135};
  return std::find(profiles.begin(), profiles.end(), profile) != profiles.end();
}

void skip_chroma_and_scaling(Bits& in) {
  const std::uint32_t chroma = in.ue();
  if (chroma == 3) in.bit();  // separate_colour_plane_flag
  in.ue();                    // bit_depth_luma_minus8
  in.ue();                    // bit_depth_chroma_minus8
  in.bit();                   // qpprime_y_zero_transform_bypass_flag
  if (in.bit() == 0) return;  // seq_scaling_matrix_present_flag
  const int lists = chroma == 3 ? 12 : 8;
  for (int i = 0; i < lists; ++i) {
    if (in.bit() != 0) skip_scaling_list(in, i < 6 ? 16 : 64);
  }
}

/// Calls `nal` for each unit behind a start code 00 00 01.
template <class F>
void each_annex_b(std::span<const std::uint8_t> data, F nal) {
  constexpr std::array<std::uint8_t, 3> code = {0, 0, 1};
  auto at = std::search(data.begin(), data.end(), code.begin(), code.end());
  while (at != data.end()) {
    const auto begin = at + 3;
    at = std::search(begin, data.end(), code.begin(), code.end());
    if (!nal(std::span(begin, at))) return;
  }
}

}  // namespace

std::optional<bool> sps_allows_gaps(std::span<const std::uint8_t> nal) {
  if (nal.size() < 4 || (nal[0] & 0x1fU) != nal_sps) return std::nullopt;
  std::vector<std::uint8_t> raw;
  const std::size_t size = std::min(nal.size(), sps_max_bytes);
  for (std::size_t i = 1; i < size; ++i) {
    const bool escape = i >= 3 && nal[i] == 3 && nal[i - 1] == 0 && nal[i - 2] == 0;
    if (!escape) raw.push_back(nal[i]);
  }
  Bits in(raw);
  const std::uint32_t profile = in.bits(8);
  in.bits(16);  // constraint flags, level
  in.ue();      // seq_parameter_set_id
  if (has_chroma_format(profile)) skip_chroma_and_scaling(in);
  in.ue();  // log2_max_frame_num_minus4
  const std::uint32_t order = in.ue();
  if (order == 0) {
    in.ue();  // log2_max_pic_order_cnt_lsb_minus4
  } else if (order == 1) {
    in.bit();
    in.se();
    in.se();
    const std::uint32_t cycle = in.ue();
    for (std::uint32_t i = 0; i < cycle && !in.overrun(); ++i) in.se();
  }
  in.ue();  // max_num_ref_frames
  const bool allowed = in.bit() != 0;
  if (in.overrun()) return std::nullopt;
  return allowed;
}

void H264Gaps::extradata(std::span<const std::uint8_t> data) {
  if (data.size() < 8 || data[0] != 1) return packet(data);
  std::size_t at = 6;  // avcC: 5 bytes of header, the number of sets in the low 5 bits of the sixth
  for (unsigned left = data[5] & 0x1fU; left > 0 && at + 2 <= data.size(); --left) {
    const std::size_t size = std::size_t{data[at]} << 8 | data[at + 1];
    at += 2;
    if (size > data.size() - at) return;
    sps(data.subspan(at, size));
    at += size;
  }
}

void H264Gaps::packet(std::span<const std::uint8_t> data) {
  each_annex_b(data, [this](std::span<const std::uint8_t> nal) {
    const unsigned type = nal.empty() ? 0 : nal[0] & 0x1fU;
    if (type == nal_sps) sps(nal);
    return type == 0 || type > 5;  // parameter sets come before the slices, which are long
  });
}

void H264Gaps::sps(std::span<const std::uint8_t> nal) {
  if (const std::optional<bool> found = sps_allows_gaps(nal)) allowed_ = found;
}

}  // namespace sightline::capture
