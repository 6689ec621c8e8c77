// Channel: items from any thread to one callback on the JavaScript thread of an environment.
//
// Threads: send() from any thread; open(), hold(), let_go() and close() on the JavaScript thread of its environment.
// Owns:    the thread-safe function; items on their way.
// Locks:   one leaf mutex, held around the non-blocking call. It is there because Node frees a thread-safe function when its
//          environment ends, also while other threads call it; the JavaScript thread takes it only to flip a flag, so it can
//          never wait for a lock that a caller of send() holds.
#pragma once
#include <napi.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

namespace sightline::addon {

enum class Sent : std::uint8_t { yes, full, closed };

/// `deliver(env, callback, item)` runs on the JavaScript thread; `callback` is empty when the channel was opened without one.
template <class Item, void (*deliver)(Napi::Env, Napi::Function, Item&)>
class Channel {
 public:
  /// Does not keep the process alive. `queue_max` 0 = bounded by what is sent.
  static std::shared_ptr<Channel> open(Napi::Env env, const Napi::Function& callback, const char* name, std::size_t queue_max) {
    auto channel = std::make_shared<Channel>();
    auto holder = std::make_unique<std::shared_ptr<Channel>>(channel);
    channel->function_ = ThreadSafe::New(env, callback, name, queue_max, 1, channel.get(), &Channel::finalize, holder.get());
    static_cast<void>(holder.release());  // finalize() has it now
    channel->function_.Unref(env);
    channel->open_ = true;
    return channel;
  }

  Sent send(std::unique_ptr<Item> item) {
    const std::lock_guard lock(mutex_);
    if (!open_) return Sent::closed;
    const napi_status status = function_.NonBlockingCall(item.get());
    if (status == napi_ok) {
      static_cast<void>(item.release());  // call() has it now
      return Sent::yes;
    }
    return status == napi_queue_full ? Sent::full : Sent::closed;
  }

  /// Keeps the process alive, or no longer.
  void hold(Napi::Env env) { function_.Ref(env); }
  void let_go(Napi::Env env) { function_.Unref(env); }

  /// Nothing is delivered any more, not even what is on its way. Idempotent.
  void close() {
    const std::lock_guard lock(mutex_);
    if (std::exchange(open_, false)) function_.Abort();
  }

 private:
  static void call(Napi::Env env, Napi::Function callback, Channel* channel, Item* item) {
    const std::unique_ptr<Item> own(item);
    if (napi_env(env) == nullptr || !channel->is_open()) return;  // the environment is ending
    const Napi::HandleScope scope(env);
    try {
      deliver(env, callback, *own);
    } catch (const Napi::Error& error) {
      // What a callback throws is an uncaught exception like any other; Node would only print a deprecation warning.
      napi_fatal_exception(env, error.Value());
    }
  }
  static void finalize(Napi::Env, std::shared_ptr<Channel>* holder, Channel*) {
    const std::unique_ptr<std::shared_ptr<Channel>> own(holder);
    const std::lock_guard lock((*own)->mutex_);
    (*own)->open_ = false;
  }
  bool is_open() {
    const std::lock_guard lock(mutex_);
    return open_;
  }

  using ThreadSafe = Napi::TypedThreadSafeFunction<Channel, Item, &Channel::call>;
  ThreadSafe function_;
  std::mutex mutex_;
  bool open_ = false;
};

}  // namespace sightline::addon
