#include "env_data.hpp"

#include "entry.hpp"

namespace sightline::addon {
namespace {

constexpr std::size_t state_queue_max = 4096;

}  // namespace

EnvData::EnvData(Napi::Env env) : process_(process_data()) {
  // Promises in flight are bounded by the queues of the lanes, so this queue needs no bound of its own.
  done_ = DoneChannel::open(env, Napi::Function(), "sightline.done", 0);
  env.AddCleanupHook(
      [](EnvData* self) {
        if (const auto pool = self->owned_pool_.lock()) self->process_->close(pool);
      },
      this);
}

// -- promises

EnvData::Done EnvData::run(const Work& work, const std::stop_token& stop) {
  Done done;
  try {
    done.answer = faults_only([&] { return work(stop); });
  } catch (const Fault& fault) {
    done.code = fault.code();
    done.message = fault.what();
  }
  return done;
}

Napi::Promise EnvData::promise(Napi::Env env, Lane& lane, Work work) {
  const std::uint64_t id = ++newest_id_;
  const bool posted = lane.post([id, channel = done_, todo = std::move(work)](const std::stop_token& stop) {
    auto done = std::make_unique<Done>(run(todo, stop));
    done->id = id;
    channel->send(std::move(done));
  });
  if (!posted) throw Fault("NATIVE_BUSY", "too many native jobs of this kind are waiting: try again later");
  if (pending_.empty()) done_->hold(env);
  return pending_.emplace(id, Napi::Promise::Deferred::New(env)).first->second.Promise();
}

void EnvData::settle(Napi::Env env, Napi::Function, Done& done) {
  EnvData& self = of(env);
  const auto found = self.pending_.find(done.id);
  if (found == self.pending_.end()) return;
  const Napi::Promise::Deferred deferred = found->second;
  self.pending_.erase(found);
  if (self.pending_.empty()) self.done_->let_go(env);
  try {
    if (!done.answer) throw Fault(done.code, done.message);
    deferred.Resolve(faults_only([&] { return done.answer(env); }));
  } catch (const Fault& fault) {
    deferred.Reject(to_error(env, fault).Value());
  } catch (const Napi::Error& error) {
    deferred.Reject(error.Value());
  }
}

// -- views

Napi::Value EnvData::view(Napi::Env env, int batch, std::size_t input) {
  std::shared_ptr<slots::Pool> pool = process_->pool();
  if (pool != viewed_pool_) {
    views_.clear();
    viewed_pool_ = pool;
  }
  const auto key = std::make_pair(batch, input);
  if (const auto found = views_.find(key); found != views_.end()) return found->second.Value();
  const std::span<std::uint8_t> tensor = pool->tensor(batch, input);
  // The buffer, not the view, keeps the pool: scripts may pass the buffer on.
  auto holder = std::make_unique<std::shared_ptr<slots::Pool>>(std::move(pool));
  const auto buffer = Napi::ArrayBuffer::New(
      env, tensor.data(), tensor.size(),
      [](Napi::BasicEnv, void*, std::shared_ptr<slots::Pool>* held) { const std::unique_ptr<std::shared_ptr<slots::Pool>> own(held); },
      holder.get());
  static_cast<void>(holder.release());
  const auto array = Napi::Uint8Array::New(env, tensor.size(), buffer, 0);
  views_.emplace(key, Napi::Reference<Napi::Uint8Array>::New(array, 1));
  return array;
}

// -- callbacks

void EnvData::on_ready(Napi::Env env, const Napi::Function& callback) {
  if (ready_) ready_->close();
  ready_ = ReadyChannel::open(env, callback, "sightline.ready", 1);
  // Full means that a call is on its way, which is as good.
  process_->listeners().set_ready([channel = ready_] { channel->send(std::make_unique<Ready>()); });
}

void EnvData::on_state(Napi::Env env, const Napi::Function& callback) {
  if (state_) state_->close();
  state_ = StateChannel::open(env, callback, "sightline.state", state_queue_max);
  process_->listeners().set_state(
      [channel = state_](const StateEvent& event) { return channel->send(std::make_unique<StateEvent>(event)) != Sent::full; });
}

void EnvData::tell_ready(Napi::Env env, Napi::Function callback, Ready&) {
  // A call may still be on its way when the pool closes; there is nothing to take any more.
  if (of(env).process_->is_open()) callback.Call({});
}

void EnvData::tell_state(Napi::Env env, Napi::Function callback, StateEvent& event) {
  Napi::Object told = Napi::Object::New(env);
  told.Set("handle", event.handle);
  told.Set("generation", event.generation);
  told.Set("state", capture::name(event.state));
  told.Set("reason", event.reason);
  callback.Call({told});
}

}  // namespace sightline::addon
