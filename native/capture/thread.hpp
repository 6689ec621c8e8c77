// A thread with a small stack, a name and a cooperative stop: std::jthread's manners, and the stack size it cannot set.
//
// Threads: request_stop() from any thread; join() from any thread but its own, by several at once.
// Owns:    the thread and its stop source.
#pragma once
#include <pthread.h>

#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>

namespace sightline::capture {

class Thread {
 public:
  /// Starts the thread; `name` is cut at 15 bytes. Throws std::system_error when the system has no more threads.
  Thread(const std::string& name, std::size_t stack_bytes, std::function<void(std::stop_token)> body);
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;
  ~Thread();
  void request_stop() { stop_.request_stop(); }
  /// Waits for the end; idempotent.
  void join();

 private:
  std::stop_source stop_;
  std::mutex join_mutex_;
  bool joined_ = false;
  pthread_t handle_{};
};

/// A thread that nobody waits for: only for calls that cannot be interrupted (name lookups). `body` must own all it touches.
/// False when the system has no more threads.
bool start_detached(std::size_t stack_bytes, std::function<void()> body);

/// Sleeps until the time has passed or the stop is requested. True when it slept to the end.
bool sleep_for_us(std::int64_t duration_us, const std::stop_token& stop);

}  // namespace sightline::capture
