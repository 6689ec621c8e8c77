// The dispatcher and inference side of the pool.
#include <algorithm>
#include <utility>

#include "../common/assert.hpp"
#include "pool.hpp"

namespace sightline::slots {

// -- signalling

void Pool::on_ready(std::function<void()> callback) {
  auto shared = callback ? std::make_shared<const std::function<void()>>(std::move(callback)) : nullptr;
  const std::lock_guard lock(callback_mutex_);
  on_ready_.swap(shared);
}

void Pool::arm() {
  bool call = false;
  {
    const std::lock_guard lock(mutex_);
    armed_ = true;
    call = unseen_ && row_became_ready();
  }
  if (call) call_on_ready();
}

/// True when the caller has to call the callback, after releasing the mutex.
bool Pool::row_became_ready() {
  unseen_ = !armed_;  // what is signalled will be seen
  return std::exchange(armed_, false);
}

void Pool::call_on_ready() {
  std::shared_ptr<const std::function<void()>> callback;
  {
    const std::lock_guard lock(callback_mutex_);
    callback = on_ready_;
  }
  if (callback) (*callback)();
}

// -- dispatcher side

void Pool::set_target_rows(int rows) {
  SL_ASSERT(rows >= 1 && rows <= options_.rows, "target rows are 1..rows");
  const std::lock_guard lock(mutex_);
  target_rows_ = rows;
  for (int batch = 0; batch < options_.batches; ++batch) {
    if (batch_at(batch).state != BatchState::in_use) settle(batch);
  }
}

/// The batch to take. Seals those that would be taken but for a row that is still Filling.
std::optional<int> Pool::choose(std::int64_t ready_before_us) {
  std::optional<int> best;
  std::int64_t best_since_us = 0;
  for (int batch = 0; batch < options_.batches; ++batch) {
    Batch& b = batch_at(batch);
    if (b.state == BatchState::in_use || b.used == 0) continue;
    std::int64_t since_us = 0;
    for (int row = 0; row < options_.rows; ++row) {
      const std::int64_t row_us = cell({batch, row}).waiting_since_us;
      if (row_us != 0 && (since_us == 0 || row_us < since_us)) since_us = row_us;
    }
    const bool due = b.used >= target_rows_ || (since_us != 0 && since_us < ready_before_us);
    if (!due) continue;
    if (b.filling > 0) {
      b.sealed = true;
      continue;
    }
    if (!best || since_us < best_since_us) {
      best = batch;
      best_since_us = since_us;
    }
  }
  return best;
}

/// Moves what is known of the last rows into the holes; the caller copies the tensors after the mutex is released.
std::vector<Pool::Move> Pool::close_holes(int batch) {
  std::vector<Move> moves;
  int last = options_.rows - 1;
  for (int hole = 0; hole < batch_at(batch).used; ++hole) {
    if (cell({batch, hole}).state != RowState::empty) continue;
    while (cell({batch, last}).state == RowState::empty) --last;
    SL_ASSERT(last > hole, "a row after the hole");
    std::swap(cell({batch, hole}), cell({batch, last}));
    std::swap(frame({batch, hole}), frame({batch, last}));
    moves.push_back({last, hole});
  }
  return moves;
}

std::optional<TakenBatch> Pool::take(std::int64_t ready_before_us) {
  TakenBatch taken;
  std::vector<Move> moves;
  {
    const std::lock_guard lock(mutex_);
    unseen_ = false;
    const std::optional<int> chosen = closed_ ? std::nullopt : choose(ready_before_us);
    if (!chosen) return std::nullopt;
    taken.batch = *chosen;
    transition(*chosen, BatchState::ready);
    transition(*chosen, BatchState::in_use);
    moves = close_holes(*chosen);
    for (int row = 0; row < batch_at(*chosen).used; ++row) {
      SL_ASSERT(cell({*chosen, row}).state == RowState::ready, "rows 0..n-1 of a taken batch are Ready");
      taken.rows.push_back({row, frame({*chosen, row}).meta});
    }
    ++counters_.batches_taken;
    counters_.rows_taken += taken.rows.size();
    counters_.rows_moved += moves.size();
  }
  // No race: nobody but the dispatcher touches the tensors of a batch that is InUse and not yet handed on.
  for (const Move& move : moves) {
    for (std::size_t input = 0; input < memory_.inputs(); ++input) {
      std::ranges::copy(memory_.row(taken.batch, move.from, input), memory_.row(taken.batch, move.to, input).begin());
    }
  }
  return taken;
}

bool Pool::release(int batch) {
  if (batch < 0 || batch >= options_.batches) return false;
  std::vector<Picture> dropped;
  dropped.reserve(static_cast<std::size_t>(options_.rows));
  const std::lock_guard lock(mutex_);
  if (batch_at(batch).state != BatchState::in_use) return false;
  for (int row = 0; row < options_.rows; ++row) {
    if (cell({batch, row}).state != RowState::empty) dropped.push_back(empty({batch, row}));
  }
  transition(batch, BatchState::free);
  return true;
}

// -- inference side

std::span<std::uint8_t> Pool::tensor(int batch, std::size_t input) const { return memory_.batch(batch, input); }

std::optional<Picture> Pool::picture(int batch, int row) const {
  if (batch < 0 || batch >= options_.batches || row < 0 || row >= options_.rows) return std::nullopt;
  const std::lock_guard lock(mutex_);
  const bool in_use = batches_[static_cast<std::size_t>(batch)].state == BatchState::in_use;
  if (!in_use || cells_[index(batch, row)].state != RowState::ready) return std::nullopt;
  return frames_[index(batch, row)].picture;
}

}  // namespace sightline::slots
