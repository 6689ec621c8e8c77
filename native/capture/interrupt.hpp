// The interrupt callback of libav: no call may outlast the deadline of its phase, and none outlasts a stop.
//
// Threads: begin(), expired() and the callback on the camera's thread; the stop token may be triggered from any thread.
// Owns:    nothing.
#pragma once
#include <cstdint>
#include <functional>
#include <stop_token>
#include <utility>

#include "../common/clock.hpp"
#include "av_compat.hpp"

namespace sightline::capture {

enum class Phase : std::uint8_t { open, read, close };

class Interrupt {
 public:
  explicit Interrupt(std::stop_token stop) : stop_(std::move(stop)) {}
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  /// Starts a phase that may last until `deadline_us`. While closing, a stop is not looked at: the farewell (TEARDOWN) should
  /// still go out, and its deadline is short.
  void begin(Phase phase, std::int64_t deadline_us) {
    phase_ = phase;
    deadline_us_ = deadline_us;
    expired_ = false;
  }
  /// Called each time libav polls (at least every 100 ms while it waits).
  void on_poll(std::function<void()> poll) { poll_ = std::move(poll); }
  bool expired() const { return expired_; }
  bool stopped() const { return stop_.stop_requested(); }
  const std::stop_token& stop() const { return stop_; }
  AVIOInterruptCB callback() { return {&Interrupt::check, this}; }
  /// What libav asks while it waits; also asked by our own waits.
  bool interrupted() {
    if (phase_ != Phase::close && stop_.stop_requested()) return true;
    if (poll_ && phase_ == Phase::read) poll_();
    if (monotonic_us() >= deadline_us_) expired_ = true;
    return expired_;
  }

 private:
  static int check(void* self) { return static_cast<Interrupt*>(self)->interrupted() ? 1 : 0; }

  std::stop_token stop_;
  std::function<void()> poll_;
  std::int64_t deadline_us_ = 0;
  Phase phase_ = Phase::open;
  bool expired_ = false;
};

}  // namespace sightline::capture
