// Each operation of the pool in each situation a row and a batch can be in.
#include "slots_fixture.hpp"

using namespace sightline::slots;
using namespace sightline::slots::testing;

namespace {

/// A pool in which camera 1 is in the situation that a test names.
struct Situation {
  int alive = 0;                  ///< pictures that are referenced
  std::shared_ptr<Pool> pool = Pool::create(small(2, 2));
  std::optional<RowLease> lease;  ///< situation "filling"
  TakenBatch taken;               ///< situation "in use"

  static Situation empty() { return {}; }
  static Situation filling() {
    Situation s;
    s.lease.emplace(*s.pool->claim(1, nullptr));
    return s;
  }
  void ready() { CHECK(put(*pool, 1, 1, counted(&alive))); }
  void in_use() {
    ready();
    taken = *pool->take(anything);
  }
};

}  // namespace

SL_TEST("slots matrix: claim x (no row, filling, ready, in use, closed)") {
  ClaimFailure why = ClaimFailure::closed;
  Situation none;
  const std::optional<RowLease> first = none.pool->claim(1, &why);
  REQUIRE(first.has_value());
  CHECK(why == ClaimFailure::none);
  CHECK(!first->superseded());
  CHECK_EQ(first->tensor(0).size(), 8u * 4 * 3);
  CHECK_EQ(first->tensor(1).size(), 5u * 5 * 3);

  Situation filling = Situation::filling();
  CHECK(asserts([&] { static_cast<void>(filling.pool->claim(1, nullptr)); }));

  Situation ready;
  ready.ready();
  const std::optional<RowLease> again = ready.pool->claim(1, &why);
  CHECK(again && again->superseded());
  CHECK_EQ(ready.alive, 0);

  Situation in_use;
  in_use.in_use();
  const std::optional<RowLease> beside = in_use.pool->claim(1, &why);
  CHECK(beside && !beside->superseded());
  CHECK_EQ(in_use.alive, 1);

  Situation closed;
  closed.pool->close();
  CHECK(!closed.pool->claim(1, &why));
  CHECK(why == ClaimFailure::closed);
}

SL_TEST("slots matrix: commit x (filling, forgotten, closed, spent, wrong camera)") {
  int alive = 0;
  Situation filling = Situation::filling();
  filling.lease->commit(meta(1, 1), counted(&alive));
  CHECK_EQ(alive, 1);
  CHECK_EQ(filling.pool->counters().waiting_rows, 1);
  CHECK(filling.pool->counters().oldest_ready_us > 0);
  CHECK(asserts([&] { filling.lease->commit(meta(1, 2), {}); }));
  CHECK(asserts([&] { static_cast<void>(filling.lease->tensor(0)); }));

  Situation forgotten = Situation::filling();
  forgotten.pool->forget(1);
  int dropped = 0;
  forgotten.lease->commit(meta(1, 1), counted(&dropped));
  CHECK_EQ(dropped, 0);
  CHECK_EQ(forgotten.pool->counters().waiting_rows, 0);
  CHECK_EQ(forgotten.pool->counters().aborted, 1u);
  CHECK_EQ(forgotten.pool->counters().free, 2);

  Situation closed = Situation::filling();
  closed.pool->close();
  closed.lease->commit(meta(1, 1), counted(&dropped));
  CHECK_EQ(dropped, 0);
  CHECK_EQ(closed.pool->counters().free, 2);

  Situation wrong = Situation::filling();
  CHECK(asserts([&] { wrong.lease->commit(meta(2, 1), {}); }));
}

SL_TEST("slots matrix: abort x (new row, superseding row, row beside ready ones, closed, moved lease)") {
  Situation fresh = Situation::filling();
  CHECK_EQ(fresh.pool->counters().filling, 1);
  fresh.lease.reset();
  CHECK_EQ(fresh.pool->counters().free, 2);
  CHECK_EQ(fresh.pool->counters().aborted, 1u);

  Situation superseding;
  superseding.ready();
  superseding.pool->claim(1, nullptr).reset();
  CHECK_EQ(superseding.pool->counters().free, 2);
  CHECK_EQ(superseding.pool->counters().superseded, 1u);
  CHECK(!superseding.pool->take(anything));
  CHECK(balanced(superseding.pool->counters()));

  Situation beside;
  beside.ready();
  beside.pool->claim(2, nullptr).reset();
  const std::optional<TakenBatch> taken = beside.pool->take(anything);
  REQUIRE(taken.has_value());
  CHECK_EQ(taken->rows.size(), 1u);
  CHECK(intact(*beside.pool, *taken));

  Situation closed = Situation::filling();
  closed.pool->close();
  closed.lease.reset();
  CHECK_EQ(closed.pool->counters().free, 2);

  Situation moved = Situation::filling();
  {
    const RowLease other = std::move(*moved.lease);
    moved.lease.reset();
    CHECK_EQ(moved.pool->counters().aborted, 0u);
  }
  CHECK_EQ(moved.pool->counters().aborted, 1u);
}

SL_TEST("slots matrix: forget x (no row, filling, ready, in use, closed, other camera)") {
  Situation none;
  none.pool->forget(1);
  CHECK_EQ(none.pool->counters().forgotten, 0u);

  Situation filling = Situation::filling();
  filling.pool->forget(1);
  CHECK_EQ(filling.pool->counters().filling, 1);
  // The camera may start again under its handle before its old lease is gone.
  CHECK(put(*filling.pool, 1, 7));
  filling.lease->commit(meta(1, 1), {});
  const std::optional<TakenBatch> taken = filling.pool->take(anything);
  REQUIRE(taken.has_value());
  CHECK_EQ(taken->rows.size(), 1u);
  CHECK_EQ(taken->rows[0].meta.seq, 7u);
  CHECK(intact(*filling.pool, *taken));

  Situation ready;
  ready.ready();
  ready.pool->forget(2);
  CHECK_EQ(ready.alive, 1);
  ready.pool->forget(1);
  CHECK_EQ(ready.alive, 0);
  CHECK_EQ(ready.pool->counters().forgotten, 1u);
  CHECK_EQ(ready.pool->counters().free, 2);

  Situation in_use;
  in_use.in_use();
  in_use.pool->forget(1);
  CHECK_EQ(in_use.alive, 1);
  CHECK(in_use.pool->picture(in_use.taken.batch, 0).has_value());

  Situation closed;
  closed.ready();
  closed.pool->close();
  CHECK_EQ(closed.alive, 0);
  closed.pool->forget(1);
  CHECK_EQ(closed.pool->counters().forgotten, 1u);
}

SL_TEST("slots matrix: take x (empty, filling, ready but young, due, full, in use, closed)") {
  Situation none;
  CHECK(!none.pool->take(anything));

  Situation filling = Situation::filling();
  CHECK(!filling.pool->take(anything));

  Situation ready;
  ready.ready();
  CHECK(!ready.pool->take(full_only));
  CHECK(!ready.pool->take(ready.pool->counters().oldest_ready_us));
  const std::optional<TakenBatch> due = ready.pool->take(ready.pool->counters().oldest_ready_us + 1);
  REQUIRE(due.has_value());
  CHECK_EQ(due->rows.size(), 1u);
  CHECK(!ready.pool->take(anything));

  Situation full;
  full.ready();
  CHECK(put(*full.pool, 2, 5));
  CHECK_EQ(full.pool->counters().ready, 1);
  const std::optional<TakenBatch> whole = full.pool->take(full_only);
  REQUIRE(whole.has_value());
  CHECK_EQ(whole->rows.size(), 2u);
  CHECK_EQ(whole->rows[1].meta.camera, 2u);
  CHECK(whole->rows[1].meta.ready_us >= whole->rows[0].meta.ready_us);
  CHECK(intact(*full.pool, *whole));

  Situation closed;
  closed.ready();
  closed.pool->close();
  CHECK(!closed.pool->take(anything));
}

SL_TEST("slots matrix: release x (in use, twice, free, filling, ready, out of range, closed)") {
  Situation s;
  s.in_use();
  CHECK_EQ(s.alive, 1);
  CHECK(s.pool->release(s.taken.batch));
  CHECK_EQ(s.alive, 0);
  CHECK(!s.pool->release(s.taken.batch));
  CHECK(!s.pool->release(-1));
  CHECK(!s.pool->release(2));
  CHECK_EQ(s.pool->counters().free, 2);

  Situation filling = Situation::filling();
  CHECK(!filling.pool->release(0));
  filling.lease->commit(meta(1, 1), {});
  CHECK(!filling.pool->release(0));

  Situation closed;
  closed.in_use();
  closed.pool->close();
  CHECK_EQ(closed.alive, 1);
  CHECK(closed.pool->release(closed.taken.batch));
  CHECK_EQ(closed.alive, 0);
}

SL_TEST("slots matrix: picture x (in use, no such row, not in use, released while held, out of range)") {
  Situation s;
  s.ready();
  CHECK(!s.pool->picture(0, 0));
  s.taken = *s.pool->take(anything);
  std::optional<Picture> held = s.pool->picture(s.taken.batch, 0);
  CHECK(held.has_value());
  CHECK(!s.pool->picture(s.taken.batch, 1));
  CHECK(!s.pool->picture(s.taken.batch, 2));
  CHECK(!s.pool->picture(s.taken.batch, -1));
  CHECK(!s.pool->picture(5, 0));
  s.pool->release(s.taken.batch);
  CHECK_EQ(s.alive, 1);
  held.reset();
  CHECK_EQ(s.alive, 0);
}

SL_TEST("slots matrix: close is idempotent and leaves nothing behind") {
  Situation s;
  s.ready();
  s.pool->close();
  s.pool->close();
  const PoolCounters c = s.pool->counters();
  CHECK_EQ(c.free, 2);
  CHECK_EQ(c.forgotten, 1u);
  CHECK_EQ(c.oldest_ready_us, 0);
  CHECK(balanced(c));
}

SL_TEST("slots matrix: a lease keeps the pool alive") {
  std::optional<RowLease> lease;
  {
    const std::shared_ptr<Pool> pool = Pool::create(small(2, 1));
    lease.emplace(*pool->claim(1, nullptr));
  }
  fill(*lease, 1, 1);
  lease->commit(meta(1, 1), {});
  lease.reset();
}

SL_TEST("slots options: what is wrong is said, and a pool is not made of it") {
  const PoolOptions good = small(2, 1);
  CHECK_EQ(problem(good), "");
  PoolOptions bad = good;
  bad.batches = 1;
  CHECK_EQ(problem(bad), "batches: expected 2..64, received 1");
  CHECK(asserts([&] { static_cast<void>(Pool::create(bad)); }));
  bad = good;
  bad.rows = 65;
  CHECK_EQ(problem(bad), "rows: expected 1..64, received 65");
  bad = good;
  bad.inputs.clear();
  CHECK_EQ(problem(bad), "inputs.length: expected 1..4, received 0");
  bad = good;
  bad.inputs[1].height = 4097;
  CHECK_EQ(problem(bad), "inputs[1].height: expected 1..4096, received 4097");
  bad = good;
  bad.inputs[1].width = 0;
  CHECK_EQ(problem(bad), "inputs[1].width: expected 1..4096, received 0");
  bad = good;
  bad.inputs[1].name = "wide";
  CHECK_EQ(problem(bad), "inputs[1].name: expected a name used once, received \"wide\" again");
  bad.inputs[1].name.clear();
  CHECK(!problem(bad).empty());
  bad = {64, 64, {{"huge", 4096, 4096, sightline::pixels::Fit::letterbox, 0}}};
  CHECK(problem(bad).starts_with("batches * rows * inputs: expected at most 8589934592 bytes"));
}

SL_TEST("slots memory: tensors are aligned, apart from each other and complete") {
  const std::shared_ptr<Pool> pool = Pool::create(small(3, 3));
  const std::uint8_t* end = nullptr;
  for (int batch = 0; batch < 3; ++batch) {
    for (std::size_t input = 0; input < 2; ++input) {
      const std::span<std::uint8_t> tensor = pool->tensor(batch, input);
      CHECK_EQ(reinterpret_cast<std::uintptr_t>(tensor.data()) % 64, 0u);
      CHECK_EQ(tensor.size(), (input == 0 ? 8u * 4 : 5u * 5) * 3 * 3);
      if (end != nullptr) CHECK(tensor.data() >= end);
      end = tensor.data() + tensor.size();
      CHECK(std::ranges::all_of(tensor, [](std::uint8_t byte) { return byte == 0; }));
    }
  }
  CHECK(pool->bytes() >= 3u * 3 * 3 * (8 * 4 + 5 * 5));
  CHECK(asserts([&] { static_cast<void>(pool->tensor(3, 0)); }));
  CHECK(asserts([&] { static_cast<void>(pool->tensor(0, 2)); }));
}
