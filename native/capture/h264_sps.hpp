// The one thing that must be known of an H.264 sequence parameter set: whether frame numbers may have gaps. Where they may not,
// a gap means that frames were lost, also when nothing else tells (RTSP over TCP through a server that drops packets).
//
// Threads: pure; H264Gaps belongs to one camera's thread.
#pragma once
#include <cstdint>
#include <optional>
#include <span>

namespace sightline::capture {

/// gaps_in_frame_num_value_allowed_flag of an SPS (NAL unit with its header byte, emulation prevention still in); nullopt when
/// it does not parse. ITU-T H.264 7.3.2.1.1.
std::optional<bool> sps_allows_gaps(std::span<const std::uint8_t> nal);

/// Looks for parameter sets in extradata (avcC or Annex B) and in packets.
class H264Gaps {
 public:
  void extradata(std::span<const std::uint8_t> data);
  /// Annex B packets only; in avcC streams the sets are in the extradata.
  void packet(std::span<const std::uint8_t> data);
  /// True when a gap of frame numbers means loss: a parameter set was seen and forbids gaps.
  bool gap_is_loss() const { return allowed_.has_value() && !*allowed_; }

 private:
  void sps(std::span<const std::uint8_t> nal);
  std::optional<bool> allowed_;
};

}  // namespace sightline::capture
