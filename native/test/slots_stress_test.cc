// Capture, dispatch and inference at once; worth most under the thread sanitizer.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "slots_fixture.hpp"

using namespace sightline::slots;
using namespace sightline::slots::testing;

namespace {

constexpr int writers = 8;
constexpr int readers = 2;
constexpr std::uint32_t cameras_per_writer = 3;
constexpr std::uint64_t frames_per_writer = 3000;

/// From the dispatcher to the readers; bounded by the number of batches.
class Queue {
 public:
  void push(TakenBatch batch) {
    const std::lock_guard lock(mutex_);
    items_.push_back(std::move(batch));
    changed_.notify_one();
  }
  void end() {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }
  std::optional<TakenBatch> pop() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ended_ || !items_.empty(); });
    if (items_.empty()) return std::nullopt;
    TakenBatch batch = std::move(items_.front());
    items_.pop_front();
    return batch;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<TakenBatch> items_;
  bool ended_ = false;
};

/// What on_ready() wakes.
class Bell {
 public:
  void ring() {
    const std::lock_guard lock(mutex_);
    rung_ = true;
    changed_.notify_one();
  }
  /// False when nothing rang for so long that a wake-up must have been lost.
  bool wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(60), [this] { return std::exchange(rung_, false); });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool rung_ = false;
};

void write_frames(Pool& pool, std::uint32_t writer, std::atomic<int>* alive) {
  const auto count_down = [](const void* count) { --*const_cast<std::atomic<int>*>(static_cast<const std::atomic<int>*>(count)); };
  std::uint64_t random = 0x9E3779B97F4A7C15u * (writer + 1);
  for (std::uint64_t seq = 1; seq <= frames_per_writer; ++seq) {
    random ^= random << 13, random ^= random >> 7, random ^= random << 17;
    const std::uint32_t camera = writer * cameras_per_writer + static_cast<std::uint32_t>(random % cameras_per_writer);
    if (random % 97 == 0) pool.forget(camera);
    std::optional<RowLease> lease = pool.claim(camera, nullptr);
    if (!lease) {
      std::this_thread::yield();
      continue;
    }
    fill(*lease, camera, seq);
    if (random % 53 == 0) continue;  // the decoder failed: the row goes back
    ++*alive;
    const bool crowded = lease->superseded();
    lease->commit(meta(camera, seq), {{}, std::shared_ptr<const void>(alive, count_down)});
    // Otherwise the writers outrun the others on a small machine and the test sees little but superseded frames.
    if (crowded) std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
}

}  // namespace

SL_TEST("slots stress: 8 writers, 1 dispatcher, 2 readers: each taken row holds the frame its meta names") {
  const auto pool = Pool::create(small(4, 5));
  std::atomic<int> alive = 0, writing = writers;
  std::atomic<std::uint64_t> rows = 0, torn = 0, out_of_order = 0;
  Queue queue;
  Bell bell;
  pool->on_ready([&] { bell.ring(); });
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < readers; ++i) {
      threads.emplace_back([&] {
        while (const std::optional<TakenBatch> taken = queue.pop()) {
          torn += !intact(*pool, *taken);
          rows += taken->rows.size();
          for (const TakenRow& row : taken->rows) torn += !pool->picture(taken->batch, row.row).has_value();
          pool->release(taken->batch);
        }
      });
    }
    threads.emplace_back([&] {
      std::vector<std::uint64_t> newest(writers * cameras_per_writer);
      for (int look = 0;; ++look) {
        const bool last = writing == 0;  // read before looking, so that the last look sees everything
        pool->set_target_rows(1 + look % 5);
        while (std::optional<TakenBatch> taken = pool->take(last || look % 3 == 0 ? anything : full_only)) {
          for (const TakenRow& row : taken->rows) {
            out_of_order += row.meta.seq <= newest[row.meta.camera];
            newest[row.meta.camera] = row.meta.seq;
          }
          queue.push(std::move(*taken));
        }
        if (last) break;
        pool->arm();
        if (!bell.wait()) FAIL("lost wake-up");
      }
      queue.end();
    });
    for (std::uint32_t writer = 0; writer < writers; ++writer) {
      threads.emplace_back([&, writer] {
        write_frames(*pool, writer, &alive);
        if (--writing == 0) bell.ring();
      });
    }
  }
  const PoolCounters c = pool->counters();
  CHECK_EQ(torn.load(), 0u);
  CHECK_EQ(out_of_order.load(), 0u);
  CHECK_EQ(rows.load(), c.rows_taken);
  CHECK_EQ(c.waiting_rows, 0);
  CHECK_EQ(c.free, 4);
  CHECK_EQ(alive.load(), 0);
  CHECK(balanced(c));
  CHECK_EQ(c.claimed + c.no_slot, writers * frames_per_writer);
  sightline::check::note("rows " + std::to_string(c.rows_taken) + ", superseded " + std::to_string(c.superseded) + ", refused " +
                         std::to_string(c.no_slot) + ", moved " + std::to_string(c.rows_moved));
}

SL_TEST("slots stress: closing while capture runs leaves nothing behind") {
  for (int round = 0; round < 20; ++round) {
    const auto pool = Pool::create(small(3, 4));
    std::atomic<int> alive = 0;
    {
      std::vector<std::jthread> threads;
      for (std::uint32_t writer = 0; writer < 4; ++writer) {
        threads.emplace_back([&, writer] {
          for (int frames = 0; frames < 50; ++frames) put(*pool, writer, 1);
          write_frames(*pool, writer + 4, &alive);
        });
      }
      while (pool->counters().committed < 100) std::this_thread::yield();
      pool->close();
      CHECK(!pool->take(anything));
    }
    CHECK_EQ(pool->counters().free, 3);
    CHECK_EQ(alive.load(), 0);
    CHECK(balanced(pool->counters()));
  }
}
