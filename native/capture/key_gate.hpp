// Decides which decoded frames may be shown: none before a key frame, none that is damaged, and after a loss none until a key
// frame has made the references whole again. Pure.
//
// Threads: one camera's thread.
//
// Packets are numbered in decode order; a frame carries the number of its packet. Damage at packet n spoils every frame from n
// on, but not the frames before it that the decoder still holds back for reordering.
#pragma once
#include <algorithm>
#include <cstdint>
#include <limits>

namespace sightline::capture {

class KeyGate {
 public:
  enum class Verdict : std::uint8_t { show, damaged, waiting_key };

  /// `inter`: frames refer to other frames (H.264, HEVC, ...); false for MJPEG and raw video, where damage ends with its frame.
  explicit KeyGate(bool inter) : inter_(inter) {}

  /// A packet goes to the decoder. `key`: flagged as random access point.
  void packet(std::uint64_t number, bool key) {
    if (!key || !closed() || number <= last_damage_) return;
    // The first access point after the damage may only begin a gradual refresh; when the second comes, a whole refresh is over.
    if (++access_points_ == 2) refreshed_from_ = number;
  }
  /// Data of this packet, or data before it, was lost or is damaged.
  void damage(std::uint64_t number) {
    closed_from_ = closed() ? std::min(closed_from_, number) : number;
    last_damage_ = closed_from_ == number ? number : std::max(last_damage_, number);
    refreshed_from_ = none;
    access_points_ = 0;
  }
  /// A frame came out of the decoder, in display order.
  Verdict frame(std::uint64_t number, bool key, bool damaged) {
    if (damaged) {
      damage(number);
      return Verdict::damaged;
    }
    if (!closed() || number < closed_from_) return Verdict::show;
    if (number == last_damage_) return Verdict::damaged;
    if (number > last_damage_ && (!inter_ || key || number >= refreshed_from_)) {
      closed_from_ = refreshed_from_ = none;
      return Verdict::show;
    }
    return Verdict::waiting_key;
  }
  bool closed() const { return closed_from_ != none; }

 private:
  static constexpr std::uint64_t none = std::numeric_limits<std::uint64_t>::max();

  bool inter_;
  std::uint64_t closed_from_ = none;  ///< first packet that is spoilt
  std::uint64_t last_damage_ = 0;     ///< newest damage while closed: only a key frame after it heals
  std::uint64_t refreshed_from_ = none;
  int access_points_ = 0;
};

}  // namespace sightline::capture
