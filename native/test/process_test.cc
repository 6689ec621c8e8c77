// What all JavaScript environments of a process share: lanes, and pool and cameras under concurrent use.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "../addon/fault.hpp"
#include "../addon/process_data.hpp"
#include "check.hpp"

using namespace sightline;
using namespace sightline::addon;

namespace {

slots::PoolOptions small_pool() { return {3, 8, {{"small", 32, 24, pixels::Fit::letterbox, 0}}}; }

capture::CameraOptions pattern() {
  capture::CameraOptions options;
  options.label = "pattern";
  options.kind = capture::SourceKind::lavfi;
  options.url = "testsrc=size=64x48:rate=50";
  options.analysis_fps = 0;
  return options;
}

/// The code that `act` fails with, "" when it does not.
template <class Act>
std::string code_of(Act act) {
  try {
    act();
  } catch (const Fault& fault) {
    return fault.code();
  }
  return "";
}

/// Waits until `look` is true; false when it takes longer than anything should.
template <class Look>
bool soon(Look look) {
  for (int i = 0; i < 60'000; ++i) {
    if (look()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

std::size_t threads_now() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

/// Threads of an earlier test may still be on their way out, although they were joined: the fewest seen over a while.
std::size_t threads_settled() {
  std::size_t fewest = threads_now();
  for (int i = 0; i < 200; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    fewest = std::min(fewest, threads_now());
  }
  return fewest;
}

}  // namespace

SL_TEST("process lanes: jobs run on at most so many threads, and a full queue refuses") {
  Lane lane("test", 2, 3);
  std::latch release(1);
  std::atomic<int> running = 0, most = 0, ran = 0;
  const auto job = [&](const std::stop_token&) {
    const int now = ++running;
    for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) continue;
    release.wait();
    --running;
    ++ran;
  };
  CHECK(lane.post(job));
  CHECK(lane.post(job));
  CHECK(soon([&] { return running == 2; }));
  for (int i = 0; i < 3; ++i) CHECK(lane.post(job));
  CHECK(!lane.post(job));
  release.count_down();
  CHECK(soon([&] { return ran == 5; }));
  CHECK_EQ(most.load(), 2);
}

SL_TEST("process lanes: stop asks what runs to end, drops what waits and refuses more") {
  Lane lane("test", 1, 8);
  std::atomic<bool> started = false, ended = false;
  std::atomic<int> dropped_ran = 0;
  const auto owned = std::make_shared<int>(0);
  CHECK(lane.post([&](const std::stop_token& stop) {
    started = true;
    while (!stop.stop_requested()) std::this_thread::yield();
    ended = true;
  }));
  CHECK(soon([&] { return started.load(); }));
  CHECK(lane.post([&, owned](const std::stop_token&) { ++dropped_ran; }));
  lane.stop();
  lane.stop();
  CHECK(ended.load());
  CHECK_EQ(dropped_ran.load(), 0);
  CHECK_EQ(owned.use_count(), 1);
  CHECK(!lane.post([](const std::stop_token&) {}));
}

SL_TEST("process: pool and cameras x (not open, open, other options, closed, opened again)") {
  ProcessData process;
  CHECK_EQ(code_of([&] { static_cast<void>(process.pool()); }), "NATIVE_CLOSED");
  CHECK_EQ(code_of([&] { process.add(pattern()); }), "NATIVE_CLOSED");
  process.close(nullptr);
  CHECK(process.open(small_pool()));
  CHECK(!process.open(small_pool()));
  slots::PoolOptions other = small_pool();
  other.rows = 4;
  CHECK_EQ(code_of([&] { process.open(other); }), "NATIVE_POOL_EXISTS");
  const std::uint32_t first = process.add(pattern());
  CHECK_EQ(process.cameras().size(), 1u);
  CHECK_EQ(code_of([&] { static_cast<void>(process.camera(first + 1)); }), "CAPTURE_HANDLE");
  CHECK_EQ(code_of([&] { static_cast<void>(process.begin_removal(0)); }), "CAPTURE_HANDLE");
  const auto old_pool = process.pool();
  const auto closing = process.begin_close();
  CHECK_EQ(code_of([&] { static_cast<void>(process.pool()); }), "NATIVE_CLOSED");
  CHECK(process.open(other));  // finishes the close first
  CHECK_EQ(process.cameras().size(), 0u);
  const std::uint32_t second = process.add(pattern());
  CHECK(second > first);
  process.finish_close(closing);  // the job of the old close comes late: it must not end the new pool
  process.close(old_pool);
  CHECK_EQ(process.cameras().size(), 1u);
  CHECK(process.is_open());
  process.close(process.pool());
  CHECK_EQ(process.cameras().size(), 0u);
}

SL_TEST("process: listeners hear of states and rows, and may change while cameras run") {
  ProcessData process;
  std::atomic<int> states = 0, rows = 0, later = 0;
  process.listeners().set_state([&](const StateEvent& event) {
    states += event.state == capture::State::streaming;
    return false;  // as if the queue were full
  });
  process.listeners().set_ready([&] { ++rows; });
  process.open(small_pool());
  process.add(pattern());
  CHECK(soon([&] { return states > 0 && rows > 0; }));
  CHECK(process.listeners().state_events_dropped() > 0);
  process.listeners().set_ready([&] { ++later; });
  process.pool()->arm();
  CHECK(soon([&] { return later > 0; }));
  process.listeners().set_ready(nullptr);
  process.listeners().set_state(nullptr);
  process.shut_down();
  CHECK(!process.is_open());
}

SL_TEST("process: adding, removing, reading and closing at once leaves no camera, row or thread behind") {
  const std::size_t threads_before = threads_settled();
  {
    ProcessData process;
    process.open(small_pool());
    const std::shared_ptr<slots::Pool> pool = process.pool();
    std::atomic<int> added = 0, removed = 0, unexpected = 0;
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&] {
          for (int round = 0; round < 8; ++round) {
            const std::string code = code_of([&] {
              const std::uint32_t handle = process.add(pattern());
              ++added;
              if (round % 2 == 0) soon([&] { return process.camera(handle)->stats().frames > 0; });
              auto rest = process.begin_removal(handle);
              process.stopping().post([rest = std::move(rest), &removed](const std::stop_token&) { rest(), ++removed; });
            });
            unexpected += !code.empty();
          }
        });
      }
      threads.emplace_back([&](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
          for (const RunningCamera& running : process.cameras()) static_cast<void>(running.camera->stats());
          if (const auto taken = pool->take(pool->counters().oldest_ready_us + 1)) pool->release(taken->batch);
          std::this_thread::yield();
        }
      });
      for (int i = 0; i < 3; ++i) threads[static_cast<std::size_t>(i)].join();
      process.add(pattern());  // one that only close() ends
      process.close(pool);
    }
    CHECK_EQ(added.load(), 24);
    CHECK_EQ(unexpected.load(), 0);
    CHECK(soon([&] { return removed == 24; }));
    const slots::PoolCounters c = pool->counters();
    CHECK_EQ(c.free, 3);
    CHECK_EQ(c.waiting_rows, 0);
    CHECK(c.rows_taken > 0);
  }
  CHECK(soon([&] { return threads_now() <= threads_before; }));
}
