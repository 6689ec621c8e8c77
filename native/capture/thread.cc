#include "thread.hpp"

#include <chrono>
#include <condition_variable>
#include <system_error>
#include <utility>

#include "../common/assert.hpp"

namespace sightline::capture {
namespace {

struct Start {
  std::function<void()> body;
};

extern "C" void* sightline_thread_main(void* argument) {
  const std::unique_ptr<Start> start(static_cast<Start*>(argument));
  start->body();
  return nullptr;
}

int create(pthread_t* handle, std::size_t stack_bytes, bool detached, std::function<void()> body) {
  pthread_attr_t attributes;
  if (const int failed = pthread_attr_init(&attributes); failed != 0) return failed;
  pthread_attr_setstacksize(&attributes, stack_bytes);
  if (detached) pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  auto start = std::make_unique<Start>(Start{std::move(body)});
  const int failed = pthread_create(handle, &attributes, sightline_thread_main, start.get());
  if (failed == 0) static_cast<void>(start.release());  // the new thread owns it
  pthread_attr_destroy(&attributes);
  return failed;
}

}  // namespace

Thread::Thread(const std::string& name, std::size_t stack_bytes, std::function<void(std::stop_token)> body) {
  const std::string short_name = name.substr(0, 15);
  const int failed = create(&handle_, stack_bytes, false, [short_name, body = std::move(body), token = stop_.get_token()] {
    pthread_setname_np(pthread_self(), short_name.c_str());
    body(token);
  });
  if (failed != 0) throw std::system_error(failed, std::generic_category(), "pthread_create");
}

Thread::~Thread() {
  request_stop();
  join();
}

void Thread::join() {
  const std::lock_guard lock(join_mutex_);
  if (joined_) return;
  SL_ASSERT(pthread_equal(handle_, pthread_self()) == 0, "a capture thread must not stop itself");
  pthread_join(handle_, nullptr);
  joined_ = true;
}

bool start_detached(std::size_t stack_bytes, std::function<void()> body) {
  pthread_t handle{};
  return create(&handle, stack_bytes, true, std::move(body)) == 0;
}

bool sleep_for_us(std::int64_t duration_us, const std::stop_token& stop) {
  if (duration_us <= 0) return !stop.stop_requested();
  std::mutex mutex;
  std::condition_variable_any woken;
  std::unique_lock lock(mutex);
  woken.wait_for(lock, stop, std::chrono::microseconds(duration_us), [] { return false; });
  return !stop.stop_requested();
}

}  // namespace sightline::capture
