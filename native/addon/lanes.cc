#include "lanes.hpp"

#include <pthread.h>

#include <system_error>
#include <utility>

namespace sightline::addon {

Lane::Lane(std::string name, std::size_t threads_max, std::size_t queue_max)
    : name_(std::move(name)), threads_max_(threads_max), queue_max_(queue_max) {}

Lane::~Lane() { stop(); }

bool Lane::post(Job job) {
  const std::lock_guard lock(mutex_);
  if (stop_.stop_requested() || queue_.size() >= queue_max_) return false;
  if (idle_ <= queue_.size() && threads_.size() < threads_max_) {
    try {
      threads_.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
      if (threads_.empty()) return false;  // else the ones that are there will do
    }
  }
  queue_.push_back(std::move(job));
  changed_.notify_one();
  return true;
}

void Lane::work() {
  pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    const bool more = changed_.wait(lock, stop_.get_token(), [this] { return !queue_.empty(); });
    --idle_;
    if (!more || stop_.stop_requested()) return;
    {
      const Job job = std::exchange(queue_.front(), {});
      queue_.pop_front();
      lock.unlock();
      job(stop_.get_token());
    }  // what the job owns is freed without the lock
    lock.lock();
  }
}

void Lane::stop() {
  std::deque<Job> dropped;
  std::vector<std::jthread> ending;
  {
    const std::lock_guard lock(mutex_);
    stop_.request_stop();
    dropped.swap(queue_);
    ending.swap(threads_);
  }
  changed_.notify_all();
  for (std::jthread& thread : ending) thread.join();
}

}  // namespace sightline::addon
