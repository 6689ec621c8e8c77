// The capture side of the pool, and what both sides share. The dispatcher side is take.cc.
#include "pool.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "../common/assert.hpp"
#include "../common/clock.hpp"

namespace sightline::slots {

std::shared_ptr<Pool> Pool::create(const PoolOptions& options) {
  SL_ASSERT(problem(options).empty(), "pool options are checked by the caller");
  return std::make_shared<Pool>(Private{}, options);
}

Pool::Pool(Private, const PoolOptions& options)
    : options_(options),
      memory_(options),
      cells_(static_cast<std::size_t>(options.batches * options.rows)),
      frames_(cells_.size()),
      batches_(static_cast<std::size_t>(options.batches)),
      target_rows_(options.rows) {}

std::size_t Pool::index(int batch, int row) const {
  return static_cast<std::size_t>(batch) * static_cast<std::size_t>(options_.rows) + static_cast<std::size_t>(row);
}

// -- what a batch and a row may do; all of it under the mutex

void Pool::transition(int batch, BatchState to) {
  using enum BatchState;
  BatchState& state = batch_at(batch).state;
  if (state == to) return;
  switch (to) {
    case filling: SL_ASSERT(state == free || state == ready, "Filling comes after Free or Ready"); break;
    case ready: SL_ASSERT(state == filling, "Ready comes after Filling"); break;
    case in_use: SL_ASSERT(state == ready, "InUse comes after Ready"); break;
    case free: SL_ASSERT(batch_at(batch).used == 0, "a Free batch has no rows"); break;
  }
  if (state == free) batch_at(batch).opened = ++opened_;
  if (to == free) batch_at(batch).sealed = false;
  state = to;
}

/// Brings the state of a batch that is not InUse in line with its rows.
void Pool::settle(int batch) {
  const Batch& b = batch_at(batch);
  SL_ASSERT(b.state != BatchState::in_use, "rows of a batch in use do not change");
  SL_ASSERT(b.filling >= 0 && b.filling <= b.used && b.used <= options_.rows, "the row counts of a batch");
  if (b.used == 0) {
    transition(batch, BatchState::free);
  } else {
    transition(batch, b.filling == 0 && b.used >= target_rows_ ? BatchState::ready : BatchState::filling);
  }
}

/// Empties a row; the caller destroys the answer after the mutex is released.
Picture Pool::empty(Place at) {
  Cell& c = cell(at);
  Batch& b = batch_at(at.batch);
  SL_ASSERT(c.state != RowState::empty, "a row is emptied once");
  --b.used;
  if (c.state == RowState::filling) --b.filling;
  c = Cell{};
  frame(at).meta = RowMeta{};
  return std::exchange(frame(at).picture, Picture{});
}

std::optional<Pool::Place> Pool::own_row(std::uint32_t camera) const {
  for (int batch = 0; batch < options_.batches; ++batch) {
    const Batch& b = batches_[static_cast<std::size_t>(batch)];
    if (b.state == BatchState::in_use || b.used == 0) continue;
    for (int row = 0; row < options_.rows; ++row) {
      const Cell& c = cells_[index(batch, row)];
      if (c.state != RowState::empty && c.camera == camera && !c.forgotten) return Place{batch, row};
    }
  }
  return std::nullopt;
}

/// The best empty row. In this order: the oldest batch below its target, a free batch, the emptiest batch above its target,
/// the emptiest sealed batch. So batches fill one after the other, and no row is refused while one is empty.
std::optional<Pool::Room> Pool::room() const {
  using Rank = std::tuple<int, int, std::uint64_t>;
  std::optional<std::pair<Rank, int>> best;
  for (int batch = 0; batch < options_.batches; ++batch) {
    const Batch& b = batches_[static_cast<std::size_t>(batch)];
    if (b.state == BatchState::in_use || b.used == options_.rows) continue;
    Rank rank{2, b.used, b.opened};
    if (b.state == BatchState::free) {
      rank = {1, 0, static_cast<std::uint64_t>(batch)};
    } else if (b.sealed) {
      rank = {3, b.used, b.opened};
    } else if (b.used < target_rows_) {
      rank = {0, 0, b.opened};
    }
    if (!best || rank < best->first) best = {rank, batch};
  }
  if (!best) return std::nullopt;
  for (int row = 0; row < options_.rows; ++row) {
    if (cells_[index(best->second, row)].state == RowState::empty) {
      return Room{{best->second, row}, std::get<0>(best->first) == 3};
    }
  }
  SL_ASSERT(false, "a batch with fewer rows used than it has, has an empty row");
}

// -- capture side

std::optional<RowLease> Pool::claim(std::uint32_t camera, ClaimFailure* why) {
  Picture dropped;  // freed after the mutex is released
  Place at;
  bool superseded = false;
  {
    const std::lock_guard lock(mutex_);
    if (why != nullptr) *why = closed_ ? ClaimFailure::closed : ClaimFailure::none;
    if (closed_) return std::nullopt;
    const std::optional<Place> own = own_row(camera);
    const bool move_out = own && batch_at(own->batch).sealed;
    const std::optional<Room> free_row = own && !move_out ? std::nullopt : room();
    if (!own && !free_row) {
      ++counters_.no_slot;
      if (why != nullptr) *why = ClaimFailure::no_slot;
      return std::nullopt;
    }
    std::int64_t waiting_since_us = 0;
    if (own) {
      SL_ASSERT(cell(*own).state == RowState::ready, "a camera holds one lease at a time");
      waiting_since_us = cell(*own).waiting_since_us;
      dropped = empty(*own);
      superseded = true;
      ++counters_.superseded;
    }
    at = own && (!free_row || free_row->sealed) ? *own : free_row->at;
    cell(at) = Cell{RowState::filling, false, camera, waiting_since_us};
    ++batch_at(at.batch).used;
    ++batch_at(at.batch).filling;
    settle(at.batch);
    if (own && own->batch != at.batch) settle(own->batch);
    ++counters_.claimed;
  }
  return RowLease(shared_from_this(), at.batch, at.row, superseded);
}

void Pool::commit_row(Place at, const RowMeta& meta, Picture picture) {
  bool call = false;
  {
    const std::lock_guard lock(mutex_);
    Cell& c = cell(at);
    SL_ASSERT(c.state == RowState::filling, "only a Filling row is committed");
    SL_ASSERT(c.camera == meta.camera, "a row is committed by the camera that claimed it");
    if (c.forgotten || closed_) {
      static_cast<void>(empty(at));  // no picture in it yet
      ++counters_.aborted;
    } else {
      c.state = RowState::ready;
      --batch_at(at.batch).filling;
      Frame& f = frame(at);
      f.meta = meta;
      f.meta.ready_us = monotonic_us();
      f.picture = std::exchange(picture, Picture{});
      if (c.waiting_since_us == 0) c.waiting_since_us = f.meta.ready_us;
      ++counters_.committed;
    }
    settle(at.batch);
    call = batch_at(at.batch).state != BatchState::free && row_became_ready();
  }
  if (call) call_on_ready();
}

void Pool::abort_row(Place at) {
  bool call = false;
  {
    const std::lock_guard lock(mutex_);
    SL_ASSERT(cell(at).state == RowState::filling, "only a Filling row is given back");
    static_cast<void>(empty(at));
    ++counters_.aborted;
    settle(at.batch);
    // The batch may have waited for nothing but this row.
    call = batch_at(at.batch).state != BatchState::free && row_became_ready();
  }
  if (call) call_on_ready();
}

void Pool::forget(std::uint32_t camera) {
  Picture dropped;
  const std::lock_guard lock(mutex_);
  const std::optional<Place> own = own_row(camera);
  if (!own) return;
  if (cell(*own).state == RowState::filling) {
    cell(*own).forgotten = true;
    return;
  }
  dropped = empty(*own);
  ++counters_.forgotten;
  settle(own->batch);
}

void Pool::close() {
  std::vector<Picture> dropped;
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (int batch = 0; batch < options_.batches; ++batch) {
    if (batch_at(batch).state == BatchState::in_use) continue;
    for (int row = 0; row < options_.rows; ++row) {
      if (cell({batch, row}).state != RowState::ready) continue;
      dropped.push_back(empty({batch, row}));
      ++counters_.forgotten;
    }
    settle(batch);
  }
}

PoolCounters Pool::counters() const {
  const std::lock_guard lock(mutex_);
  PoolCounters now = counters_;
  for (int batch = 0; batch < options_.batches; ++batch) {
    const BatchState state = batches_[static_cast<std::size_t>(batch)].state;
    now.free += state == BatchState::free;
    now.filling += state == BatchState::filling;
    now.ready += state == BatchState::ready;
    now.in_use += state == BatchState::in_use;
    if (state == BatchState::in_use) continue;
    for (int row = 0; row < options_.rows; ++row) {
      const Cell& c = cells_[index(batch, row)];
      now.waiting_rows += c.state == RowState::ready;
      if (c.waiting_since_us == 0) continue;
      now.oldest_ready_us = now.oldest_ready_us == 0 ? c.waiting_since_us : std::min(now.oldest_ready_us, c.waiting_since_us);
    }
  }
  return now;
}

}  // namespace sightline::slots
