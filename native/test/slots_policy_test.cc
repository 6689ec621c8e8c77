// What the pool promises beyond single steps: newest frame wins, order per camera, fairness, deadlines, holes, signals.
#include <map>
#include <set>
#include <string>

#include "slots_fixture.hpp"

using namespace sightline::slots;
using namespace sightline::slots::testing;

SL_TEST("slots policy: newest frame wins in place, the older one is counted and freed") {
  const auto pool = Pool::create(small(2, 4));
  int alive = 0;
  for (std::uint64_t seq = 1; seq <= 5; ++seq) CHECK(put(*pool, 9, seq, counted(&alive)));
  CHECK_EQ(alive, 1);
  CHECK_EQ(pool->counters().superseded, 4u);
  const std::optional<TakenBatch> taken = pool->take(anything);
  REQUIRE(taken.has_value());
  CHECK_EQ(taken->rows.size(), 1u);
  CHECK_EQ(taken->rows[0].meta.seq, 5u);
  CHECK(intact(*pool, *taken));
  CHECK(balanced(pool->counters()));
}

SL_TEST("slots policy: a camera that is faster than the deadline still meets it") {
  const auto pool = Pool::create(small(2, 4));
  CHECK(put(*pool, 1, 1));
  const std::int64_t since_us = pool->counters().oldest_ready_us;
  for (std::uint64_t seq = 2; seq < 50; ++seq) CHECK(put(*pool, 1, seq));
  CHECK_EQ(pool->counters().oldest_ready_us, since_us);
  const std::optional<TakenBatch> taken = pool->take(since_us + 1);
  REQUIRE(taken.has_value());
  CHECK_EQ(taken->rows[0].meta.seq, 49u);
  CHECK(taken->rows[0].meta.ready_us >= since_us);
  CHECK(put(*pool, 1, 50));
  CHECK(pool->counters().oldest_ready_us >= since_us);
}

SL_TEST("slots policy: batches fill one after the other up to the target") {
  const auto pool = Pool::create(small(3, 4));
  pool->set_target_rows(2);
  for (std::uint32_t camera = 1; camera <= 5; ++camera) CHECK(put(*pool, camera, 1));
  PoolCounters c = pool->counters();
  CHECK_EQ(c.ready, 2);
  CHECK_EQ(c.filling, 1);
  std::optional<TakenBatch> taken = pool->take(full_only);
  REQUIRE(taken.has_value());
  CHECK_EQ(taken->rows.size(), 2u);
  CHECK_EQ(taken->rows[0].meta.camera, 1u);
  taken = pool->take(full_only);
  REQUIRE(taken.has_value());
  CHECK_EQ(taken->rows[0].meta.camera, 3u);
  CHECK(!pool->take(full_only));
  pool->set_target_rows(1);
  CHECK(pool->take(full_only).has_value());
  CHECK(asserts([&] { pool->set_target_rows(0); }));
  CHECK(asserts([&] { pool->set_target_rows(5); }));
}

SL_TEST("slots policy: raising the target opens full batches again") {
  const auto pool = Pool::create(small(2, 4));
  pool->set_target_rows(1);
  CHECK(put(*pool, 1, 1));
  CHECK_EQ(pool->counters().ready, 1);
  pool->set_target_rows(3);
  CHECK_EQ(pool->counters().filling, 1);
  CHECK(!pool->take(full_only));
  CHECK(put(*pool, 2, 1));
  CHECK_EQ(pool->counters().free, 1);
}

SL_TEST("slots policy: no_slot only when there are more cameras than rows, whatever the target") {
  const auto pool = Pool::create(small(3, 4));
  pool->set_target_rows(1);
  for (std::uint32_t camera = 1; camera <= 12; ++camera) CHECK(put(*pool, camera, 1));
  ClaimFailure why{};
  CHECK(!pool->claim(13, &why));
  CHECK(why == ClaimFailure::no_slot);
  CHECK_EQ(pool->counters().no_slot, 1u);
  // With everything full each camera's newest frame still gets in.
  for (std::uint32_t camera = 1; camera <= 12; ++camera) CHECK(put(*pool, camera, 2));
  std::set<std::uint32_t> cameras;
  while (const std::optional<TakenBatch> taken = pool->take(full_only)) {
    CHECK(intact(*pool, *taken));
    for (const TakenRow& row : taken->rows) {
      CHECK_EQ(row.meta.seq, 2u);
      cameras.insert(row.meta.camera);
    }
  }
  CHECK_EQ(cameras.size(), 12u);
  // All rows are in use now: nobody gets one, until a batch comes back.
  CHECK(!pool->claim(1, &why));
  CHECK(pool->release(0));
  CHECK(put(*pool, 1, 3));
}

SL_TEST("slots policy: beyond the target rows are spread over the batches") {
  const auto pool = Pool::create(small(2, 4));
  pool->set_target_rows(1);
  for (std::uint32_t camera = 1; camera <= 6; ++camera) CHECK(put(*pool, camera, 1));
  for (int i = 0; i < 2; ++i) {
    const std::optional<TakenBatch> taken = pool->take(full_only);
    REQUIRE(taken.has_value());
    CHECK_EQ(taken->rows.size(), 3u);
  }
}

SL_TEST("slots policy: the batch whose camera waits longest goes first, wherever it lies") {
  const auto pool = Pool::create(small(3, 2));
  const auto put_later = [&](std::uint32_t camera) {
    CHECK(put(*pool, camera, 1));
    ::usleep(50);  // distinct ready_us
  };
  for (std::uint32_t camera = 1; camera <= 6; ++camera) put_later(camera);
  CHECK(put(*pool, 1, 2));  // a newer frame doesn't cost the camera its place
  std::optional<TakenBatch> taken = pool->take(full_only);
  REQUIRE(taken.has_value());
  CHECK_EQ(taken->rows[0].meta.camera, 1u);
  CHECK_EQ(taken->rows[0].meta.seq, 2u);
  CHECK(pool->release(taken->batch));
  put_later(7);
  put_later(8);  // the first batch is full again, with the youngest frames
  for (const std::uint32_t camera : {3u, 5u, 7u}) {
    taken = pool->take(full_only);
    REQUIRE(taken.has_value());
    CHECK_EQ(taken->rows[0].meta.camera, camera);
  }
}

SL_TEST("slots policy: a batch being filled is passed over and sealed, its cameras move on") {
  const auto pool = Pool::create(small(2, 2));
  CHECK(put(*pool, 1, 1));
  std::optional<RowLease> slow = pool->claim(2, nullptr);
  REQUIRE(slow.has_value());
  const std::int64_t since_us = pool->counters().oldest_ready_us;
  CHECK(!pool->take(anything));
  // Camera 1 supersedes, but elsewhere: otherwise two fast cameras could keep a batch from leaving for ever.
  CHECK(put(*pool, 1, 2));
  CHECK_EQ(pool->counters().superseded, 1u);
  CHECK_EQ(pool->counters().oldest_ready_us, since_us);  // it doesn't lose its place in the queue
  const std::optional<TakenBatch> first = pool->take(anything);
  REQUIRE(first.has_value());
  CHECK_EQ(first->rows.size(), 1u);
  CHECK_EQ(first->rows[0].meta.seq, 2u);
  fill(*slow, 2, 1);
  slow->commit(meta(2, 1), {});
  // The sealed batch had camera 2 in row 1 and a hole in row 0.
  const std::optional<TakenBatch> second = pool->take(anything);
  REQUIRE(second.has_value());
  CHECK_EQ(second->rows.size(), 1u);
  CHECK_EQ(second->rows[0].meta.camera, 2u);
  CHECK(intact(*pool, *second));
  CHECK_EQ(pool->counters().rows_moved, 1u);
  CHECK(balanced(pool->counters()));
}

SL_TEST("slots policy: a sealed batch takes no new camera while another has room, but does rather than refuse") {
  const auto pool = Pool::create(small(2, 3));
  std::optional<RowLease> slow = pool->claim(1, nullptr);
  CHECK(put(*pool, 2, 1));
  CHECK(!pool->take(anything));  // seals batch 0, which has one row left
  for (std::uint32_t camera = 3; camera <= 5; ++camera) CHECK(put(*pool, camera, 1));
  CHECK(put(*pool, 2, 2));       // nowhere to move to: in place
  CHECK(put(*pool, 6, 1));       // the last row
  CHECK(!pool->claim(7, nullptr));
  fill(*slow, 1, 1);
  slow->commit(meta(1, 1), {});
  std::set<std::uint32_t> cameras;
  while (const std::optional<TakenBatch> taken = pool->take(anything)) {
    CHECK(intact(*pool, *taken));
    for (const TakenRow& row : taken->rows) cameras.insert(row.meta.camera);
  }
  CHECK_EQ(cameras.size(), 6u);
}

SL_TEST("slots policy: holes are filled first, and closed by take when no frame comes") {
  const auto pool = Pool::create(small(2, 4));
  std::optional<RowLease> first = pool->claim(1, nullptr);
  for (std::uint32_t camera = 2; camera <= 3; ++camera) CHECK(put(*pool, camera, 1));
  first.reset();
  CHECK(put(*pool, 4, 1));  // into the hole
  CHECK_EQ(pool->counters().free, 1);
  pool->forget(2);
  CHECK(put(*pool, 5, 1));
  pool->forget(4);          // hole at 0
  pool->forget(5);          // hole at 1; camera 3 is left in row 2
  const std::optional<TakenBatch> taken = pool->take(anything);
  REQUIRE(taken.has_value());
  CHECK_EQ(taken->rows.size(), 1u);
  CHECK_EQ(taken->rows[0].meta.camera, 3u);
  CHECK(intact(*pool, *taken));
  CHECK_EQ(pool->counters().rows_moved, 1u);
  CHECK(pool->picture(taken->batch, 0).has_value());
  CHECK(!pool->picture(taken->batch, 2).has_value());
}

SL_TEST("slots policy: every pattern of holes leaves rows 0..n-1 intact") {
  for (unsigned kept = 0; kept < 64; ++kept) {
    const auto pool = Pool::create(small(2, 6));
    int alive = 0;
    for (std::uint32_t camera = 0; camera < 6; ++camera) CHECK(put(*pool, camera, kept, counted(&alive)));
    for (std::uint32_t camera = 0; camera < 6; ++camera) {
      if ((kept >> camera & 1) == 0) pool->forget(camera);
    }
    const std::optional<TakenBatch> taken = pool->take(anything);
    CHECK_EQ(taken.has_value(), kept != 0);
    if (!taken) continue;
    CHECK_EQ(static_cast<int>(taken->rows.size()), __builtin_popcount(kept));
    CHECK(intact(*pool, *taken));
    CHECK(pool->release(taken->batch));
    CHECK_EQ(alive, 0);
  }
}

SL_TEST("slots policy: signals are coalesced and none is lost, in any order of arm and take") {
  const auto pool = Pool::create(small(4, 4));
  int calls = 0;
  pool->on_ready([&] { ++calls; });
  CHECK(put(*pool, 1, 1));
  CHECK(put(*pool, 2, 1));
  CHECK_EQ(calls, 1);
  pool->arm();  // row 2 has not been looked for
  CHECK_EQ(calls, 2);
  pool->arm();
  CHECK_EQ(calls, 2);
  CHECK(put(*pool, 3, 1));
  CHECK_EQ(calls, 3);
  CHECK(pool->take(anything).has_value());
  pool->arm();
  CHECK_EQ(calls, 3);
  CHECK(put(*pool, 4, 1));
  CHECK_EQ(calls, 4);
  CHECK(!pool->take(full_only));
  CHECK(put(*pool, 5, 1));  // between take() and arm()
  CHECK_EQ(calls, 4);
  pool->arm();
  CHECK_EQ(calls, 5);
}

SL_TEST("slots policy: giving a row back signals when the batch waited for nothing else") {
  const auto pool = Pool::create(small(2, 2));
  int calls = 0;
  CHECK(put(*pool, 1, 1));
  std::optional<RowLease> slow = pool->claim(2, nullptr);
  CHECK(!pool->take(anything));
  pool->on_ready([&] { ++calls; });
  pool->arm();
  CHECK_EQ(calls, 0);
  slow.reset();
  CHECK_EQ(calls, 1);
  CHECK(pool->take(anything).has_value());
}

SL_TEST("slots policy: the callback may use the pool, and may be taken away") {
  const auto pool = Pool::create(small(2, 2));
  int rows = 0;
  pool->on_ready([&] {
    while (const std::optional<TakenBatch> taken = pool->take(anything)) {
      rows += static_cast<int>(taken->rows.size());
      pool->release(taken->batch);
    }
    pool->arm();
  });
  for (std::uint64_t seq = 1; seq <= 3; ++seq) CHECK(put(*pool, 1, seq));
  CHECK_EQ(rows, 3);
  pool->on_ready(nullptr);
  CHECK(put(*pool, 1, 4));
  CHECK_EQ(rows, 3);
  CHECK_EQ(pool->counters().waiting_rows, 1);
}

SL_TEST("slots policy: a random walk of all operations keeps the books, the order and the pixels") {
  std::uint64_t random = 88172645463325252u;
  const auto next = [&](std::uint32_t below) {
    random ^= random << 13, random ^= random >> 7, random ^= random << 17;
    return static_cast<std::uint32_t>(random % below);
  };
  const auto pool = Pool::create(small(4, 3));
  std::map<std::uint32_t, RowLease> leases;
  std::map<std::uint32_t, std::uint64_t> newest, dispatched;
  std::vector<int> in_use;
  int alive = 0;
  std::uint64_t seq = 0;
  for (int step = 0; step < 60'000 && !sightline::check::failing(); ++step) {
    const std::uint32_t camera = next(15);
    switch (next(8)) {
      case 0: case 1: case 2:
        if (leases.contains(camera)) break;
        if (std::optional<RowLease> lease = pool->claim(camera, nullptr)) leases.emplace(camera, std::move(*lease));
        break;
      case 3: case 4:
        if (const auto found = leases.find(camera); found != leases.end()) {
          fill(found->second, camera, ++seq);
          found->second.commit(meta(camera, seq), counted(&alive));
          newest[camera] = seq;
          leases.erase(found);
        }
        break;
      case 5:
        if (next(4) == 0) leases.erase(camera);
        else if (next(4) == 0 && !leases.contains(camera)) pool->forget(camera);
        else if (next(8) == 0) pool->set_target_rows(static_cast<int>(1 + next(3)));
        break;
      case 6:
        if (const std::optional<TakenBatch> taken = pool->take(next(2) == 0 ? anything : full_only)) {
          in_use.push_back(taken->batch);
          CHECK(!taken->rows.empty());
          CHECK(intact(*pool, *taken));
          for (const TakenRow& row : taken->rows) {
            CHECK_EQ(row.meta.seq, newest[row.meta.camera]);
            CHECK(row.meta.seq > dispatched[row.meta.camera]);
            dispatched[row.meta.camera] = row.meta.seq;
          }
        }
        break;
      default:
        if (!in_use.empty()) {
          CHECK(pool->release(in_use.back()));
          in_use.pop_back();
        }
    }
    CHECK(balanced(pool->counters(), leases.size()));
  }
  leases.clear();
  for (const int batch : in_use) CHECK(pool->release(batch));
  while (const std::optional<TakenBatch> taken = pool->take(anything)) CHECK(pool->release(taken->batch));
  CHECK_EQ(pool->counters().free, 4);
  CHECK_EQ(alive, 0);
  const PoolCounters c = pool->counters();
  sightline::check::note("rows taken " + std::to_string(c.rows_taken) + ", superseded " + std::to_string(c.superseded) +
                         ", moved " + std::to_string(c.rows_moved) + ", refused " + std::to_string(c.no_slot));
  CHECK(c.rows_taken > 1000 && c.superseded > 1000 && c.rows_moved > 100 && c.no_slot > 100);
}
