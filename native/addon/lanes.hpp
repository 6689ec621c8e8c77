// Lanes: a few named threads for what may not run on the JavaScript thread: joins, JPEG encoding, connection tests.
// They are our own because libuv's four threads also carry file access and name lookups, and because process.exit() waits for
// those: a connection test of ten seconds would hold both up.
//
// Threads: post() and stop() from any thread.
// Owns:    its threads, started when first needed, joined by stop().
// Locks:   one mutex around the queue, never held while a job runs.
#pragma once
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace sightline::addon {

class Lane {
 public:
  /// A job must not throw; it is given a token that is triggered when the lane stops.
  using Job = std::function<void(const std::stop_token&)>;
  Lane(std::string name, std::size_t threads_max, std::size_t queue_max);
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;
  ~Lane();
  /// False when the queue is full, the lane has stopped, or the system has no more threads.
  bool post(Job job);
  /// Drops what is queued, asks what runs to end, and joins. Idempotent.
  void stop();

 private:
  void work();

  const std::string name_;
  const std::size_t threads_max_, queue_max_;
  std::stop_source stop_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Job> queue_;
  std::vector<std::jthread> threads_;
  std::size_t idle_ = 0;
};

}  // namespace sightline::addon
