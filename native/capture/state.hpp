// The states of a camera. The diagram is in README.md; legal() is the diagram.
//
// Threads: move_to() on the camera's thread; state() on any.
// Owns:    nothing.
#pragma once
#include <atomic>

#include "../common/assert.hpp"
#include "camera.hpp"

namespace sightline::capture {

/// Whether the diagram has an arrow from one state to another.
constexpr bool legal(State from, State to) {
  switch (from) {
    case State::connecting:
      return to == State::streaming || to == State::backing_off || to == State::failed || to == State::disabled;
    case State::streaming:
      return to == State::stalled || to == State::backing_off || to == State::failed || to == State::disabled;
    case State::stalled:
      return to == State::streaming || to == State::backing_off || to == State::failed || to == State::disabled;
    case State::backing_off:
    case State::failed: return to == State::connecting || to == State::disabled;
    case State::disabled: return false;
  }
  return false;
}

class StateMachine {
 public:
  State state() const { return state_.load(std::memory_order_acquire); }
  /// The only way to change the state.
  void move_to(State next) {
    SL_ASSERT(legal(state(), next), (std::string(name(state())) + " -> " + name(next)).c_str());
    state_.store(next, std::memory_order_release);
  }

 private:
  std::atomic<State> state_{State::connecting};
};

}  // namespace sightline::capture
