// The pool and its batches.
#include "arguments.hpp"
#include "env_data.hpp"
#include "wraps.hpp"

namespace sightline::addon {
namespace {

constexpr std::int64_t number_exact_max = 9'007'199'254'740'991;  // Number.MAX_SAFE_INTEGER

void set(Napi::Object& to, const char* name, std::uint64_t value) { to.Set(name, static_cast<double>(value)); }
void set(Napi::Object& to, const char* name, std::int64_t value) { to.Set(name, static_cast<double>(value)); }
void set(Napi::Object& to, const char* name, int value) { to.Set(name, value); }

Napi::Object row_object(Napi::Env env, const slots::TakenRow& row) {
  Napi::Object out = Napi::Object::New(env);
  set(out, "row", row.row);
  set(out, "camera", std::uint64_t{row.meta.camera});
  set(out, "generation", std::uint64_t{row.meta.generation});
  set(out, "seq", row.meta.seq);
  set(out, "pts_us", row.meta.pts_us);
  set(out, "packet_us", row.meta.packet_us);
  set(out, "wall_ms", row.meta.wall_ms);
  set(out, "ready_us", row.meta.ready_us);
  set(out, "width", row.meta.width);
  set(out, "height", row.meta.height);
  return out;
}

}  // namespace

Napi::Value open_pool(const Napi::CallbackInfo& call) {
  EnvData& data = EnvData::of(call.Env());
  if (data.process().open(pool_options(call[0], "openPool: options"))) data.own(data.process().pool());
  return call.Env().Undefined();
}

Napi::Value close(const Napi::CallbackInfo& call) {
  EnvData& data = EnvData::of(call.Env());
  // Here and not on the lane: no callback may find the pool open that was closed before it was called.
  auto pool = data.process().begin_close();
  return data.promise(call.Env(), data.process().stopping(),
                      [&process = data.process(), pool = std::move(pool)](const std::stop_token&) -> Answer {
                        process.finish_close(pool);
                        return [](Napi::Env env) { return env.Undefined(); };
                      });
}

Napi::Value pool_stats(const Napi::CallbackInfo& call) {
  ProcessData& process = EnvData::of(call.Env()).process();
  const std::shared_ptr<slots::Pool> pool = process.pool();
  const slots::PoolCounters c = pool->counters();
  Napi::Object out = Napi::Object::New(call.Env());
  set(out, "claimed", c.claimed);
  set(out, "committed", c.committed);
  set(out, "superseded", c.superseded);
  set(out, "no_slot", c.no_slot);
  set(out, "aborted", c.aborted);
  set(out, "forgotten", c.forgotten);
  set(out, "batches_taken", c.batches_taken);
  set(out, "rows_taken", c.rows_taken);
  set(out, "rows_moved", c.rows_moved);
  set(out, "free", c.free);
  set(out, "filling", c.filling);
  set(out, "ready", c.ready);
  set(out, "in_use", c.in_use);
  set(out, "oldest_ready_us", c.oldest_ready_us);
  set(out, "waiting_rows", c.waiting_rows);
  set(out, "bytes", std::uint64_t{pool->bytes()});
  set(out, "state_events_dropped", process.listeners().state_events_dropped());
  return out;
}

Napi::Value on_ready(const Napi::CallbackInfo& call) {
  EnvData::of(call.Env()).on_ready(call.Env(), function(call[0], "onReady: callback"));
  return call.Env().Undefined();
}

Napi::Value arm_ready(const Napi::CallbackInfo& call) {
  EnvData::of(call.Env()).process().pool()->arm();
  return call.Env().Undefined();
}

Napi::Value set_target_rows(const Napi::CallbackInfo& call) {
  const std::shared_ptr<slots::Pool> pool = EnvData::of(call.Env()).process().pool();
  pool->set_target_rows(small_integer(call[0], "setTargetRows: rows", 1, pool->options().rows));
  return call.Env().Undefined();
}

Napi::Value take_batch(const Napi::CallbackInfo& call) {
  const std::int64_t ready_before_us = static_cast<std::int64_t>(number(
      call[0], "takeBatch: readyBeforeUs", static_cast<double>(-number_exact_max), static_cast<double>(number_exact_max)));
  const std::optional<slots::TakenBatch> taken = EnvData::of(call.Env()).process().pool()->take(ready_before_us);
  if (!taken) return call.Env().Null();
  Napi::Object out = Napi::Object::New(call.Env());
  Napi::Array rows = Napi::Array::New(call.Env(), taken->rows.size());
  for (std::uint32_t i = 0; i < taken->rows.size(); ++i) rows.Set(i, row_object(call.Env(), taken->rows[i]));
  out.Set("batch", taken->batch);
  out.Set("rows", rows);
  return out;
}

Napi::Value release_batch(const Napi::CallbackInfo& call) {
  const std::shared_ptr<slots::Pool> pool = EnvData::of(call.Env()).process().pool();
  const int batch = small_integer(call[0], "releaseBatch: batch", 0, pool->options().batches - 1);
  if (!pool->release(batch)) {
    throw Fault("NATIVE_BATCH_STATE", "releaseBatch: expected a batch in use, received batch " + std::to_string(batch) + ", which is not");
  }
  return call.Env().Undefined();
}

Napi::Value batch_tensor(const Napi::CallbackInfo& call) {
  EnvData& data = EnvData::of(call.Env());
  const slots::PoolOptions& options = data.process().pool()->options();
  const int batch = small_integer(call[0], "batchTensor: batch", 0, options.batches - 1);
  const int input = small_integer(call[1], "batchTensor: input", 0, static_cast<int>(options.inputs.size()) - 1);
  return data.view(call.Env(), batch, static_cast<std::size_t>(input));
}

}  // namespace sightline::addon
