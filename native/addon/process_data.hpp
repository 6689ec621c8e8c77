// ProcessData: what the whole process shares, however many JavaScript environments load the addon. The dynamic linker maps
// capture.node once, so the one instance behind process_data() serves the main thread and every worker.
//
// Threads: every function from any thread.
// Owns:    the pool, the cameras, the lanes.
// Locks:   one mutex around pool and cameras, never held while a camera is stopped, a callback runs or memory is reserved;
//          a second one that makes opening and closing wait for each other.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "../capture/camera.hpp"
#include "../slots/pool.hpp"
#include "lanes.hpp"

namespace sightline::addon {

constexpr std::size_t max_cameras = 512;

struct StateEvent {
  std::uint32_t handle = 0, generation = 0;
  capture::State state = capture::State::connecting;
  std::string reason;
};

/// Where camera threads and the pool report to. Shared by all of them, so that a listener can change while they run.
///
/// Threads: any. Locks: one mutex, not held while a listener runs.
class Listeners {
 public:
  using OnReady = std::function<void()>;
  using OnState = std::function<bool(const StateEvent&)>;  ///< false: its queue is full
  void set_ready(OnReady);
  void set_state(OnState);
  void ready();
  void state(const StateEvent&);
  std::uint64_t state_events_dropped() const { return state_events_dropped_; }

 private:
  std::atomic<std::uint64_t> state_events_dropped_ = 0;
  std::mutex mutex_;
  std::shared_ptr<const OnReady> ready_;
  std::shared_ptr<const OnState> state_;
};

struct RunningCamera {
  std::uint32_t handle = 0, generation = 0;
  std::shared_ptr<capture::Camera> camera;
};

class ProcessData {
 public:
  /// Selects the SIMD target that SIGHTLINE_SIMD names. Throws Fault NATIVE_SIMD when it is not usable here.
  ProcessData();
  ProcessData(const ProcessData&) = delete;
  ProcessData& operator=(const ProcessData&) = delete;
  ~ProcessData();

  // -- pool
  /// True when a pool was made, false when one with the same options is open. Waits for a close that has begun.
  /// Throws Fault NATIVE_POOL_EXISTS, NATIVE_MEMORY.
  bool open(const slots::PoolOptions&);
  /// The open pool. Throws Fault NATIVE_CLOSED.
  std::shared_ptr<slots::Pool> pool() const;
  bool is_open() const;

  // -- cameras
  /// Starts a camera; `handle` in the options is ignored. Throws Fault NATIVE_CLOSED, CAPTURE_LIMIT, CAPTURE_START_FAILED.
  std::uint32_t add(capture::CameraOptions);
  /// Throws Fault CAPTURE_HANDLE.
  std::shared_ptr<capture::Camera> camera(std::uint32_t handle) const;
  /// Asks a camera to stop and answers the blocking rest of the work (join, forget). Throws Fault CAPTURE_HANDLE.
  std::function<void()> begin_removal(std::uint32_t handle);
  /// In the order they were added; without those that are being removed.
  std::vector<RunningCamera> cameras() const;

  // -- end
  /// From now on the pool counts as closed. Returns at once; finish_close() of the answer does the rest.
  std::shared_ptr<slots::Pool> begin_close();
  /// Stops all cameras, joins their threads, closes the pool; nothing when that pool is gone already. Blocking, idempotent.
  void finish_close(const std::shared_ptr<slots::Pool>&);
  /// Both, if that pool is the open one.
  void close(const std::shared_ptr<slots::Pool>&);
  /// Closes what is open, then ends the lanes: for the end of the process.
  void shut_down();

  Listeners& listeners() { return *listeners_; }
  Lane& stopping() { return stopping_; }
  Lane& encoding() { return encoding_; }
  Lane& probing() { return probing_; }

 private:
  void finish_close_alone(const std::shared_ptr<slots::Pool>&);

  struct Entry {
    RunningCamera running;
    bool removing = false;
  };

  mutable std::mutex mutex_;
  std::shared_ptr<slots::Pool> pool_;
  std::map<std::uint32_t, Entry> cameras_;
  std::uint32_t newest_handle_ = 0;
  bool closing_ = false;
  std::mutex open_close_mutex_;
  const std::shared_ptr<Listeners> listeners_ = std::make_shared<Listeners>();
  Lane stopping_{"stop", 2, 2 * max_cameras}, encoding_{"jpeg", 2, 64}, probing_{"probe", 4, 32};
};

/// The one of this process. Environments keep the answer, so that it outlives the static behind it if need be.
std::shared_ptr<ProcessData> process_data();

}  // namespace sightline::addon
