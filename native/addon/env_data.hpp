// EnvData: what one JavaScript environment (the main thread, a worker) has of the addon. No reference to a JavaScript object is
// kept anywhere else.
//
// Threads: the JavaScript thread of its environment, but for the work handed to lanes.
// Owns:    its views of the batch tensors, its pending promises, its channels.
// Locks:   none.
#pragma once
#include <napi.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "channel.hpp"
#include "fault.hpp"
#include "lanes.hpp"
#include "process_data.hpp"

namespace sightline::addon {

/// Makes the value that a promise resolves with; runs on the JavaScript thread. Owns all it needs.
using Answer = std::function<Napi::Value(Napi::Env)>;
/// What a lane does for a promise; may throw Fault. Owns all it needs.
using Work = std::function<Answer(const std::stop_token&)>;

class EnvData {
 public:
  explicit EnvData(Napi::Env);
  EnvData(const EnvData&) = delete;
  EnvData& operator=(const EnvData&) = delete;
  static EnvData& of(Napi::Env env) { return *env.GetInstanceData<EnvData>(); }

  ProcessData& process() { return *process_; }
  /// From now on this pool ends with this environment.
  void own(const std::shared_ptr<slots::Pool>& pool) { owned_pool_ = pool; }
  /// Runs work on a lane; rejected with NATIVE_BUSY when the lane is full.
  Napi::Promise promise(Napi::Env, Lane&, Work);
  /// The view of a batch tensor: the same object each time, as long as the same pool is open.
  Napi::Value view(Napi::Env, int batch, std::size_t input);
  void on_ready(Napi::Env, const Napi::Function&);
  void on_state(Napi::Env, const Napi::Function&);

 private:
  struct Done {
    std::uint64_t id = 0;
    Answer answer;              ///< empty when it failed
    const char* code = nullptr; ///< of the failure
    std::string message;
  };
  struct Ready {};
  static void settle(Napi::Env, Napi::Function, Done&);
  static void tell_ready(Napi::Env, Napi::Function, Ready&);
  static void tell_state(Napi::Env, Napi::Function, StateEvent&);
  using DoneChannel = Channel<Done, &EnvData::settle>;
  using ReadyChannel = Channel<Ready, &EnvData::tell_ready>;
  using StateChannel = Channel<StateEvent, &EnvData::tell_state>;
  static Done run(const Work&, const std::stop_token&);

  const std::shared_ptr<ProcessData> process_;
  std::weak_ptr<slots::Pool> owned_pool_;
  std::shared_ptr<slots::Pool> viewed_pool_;
  std::map<std::pair<int, std::size_t>, Napi::Reference<Napi::Uint8Array>> views_;
  std::shared_ptr<DoneChannel> done_;
  std::shared_ptr<ReadyChannel> ready_;
  std::shared_ptr<StateChannel> state_;
  std::map<std::uint64_t, Napi::Promise::Deferred> pending_;
  std::uint64_t newest_id_ = 0;
};

}  // namespace sightline::addon
