#include <utility>

#include "../common/assert.hpp"
#include "pool.hpp"

namespace sightline::slots {

RowLease::RowLease(std::shared_ptr<Pool> pool, int batch, int row, bool superseded)
    : pool_(std::move(pool)), batch_(batch), row_(row), superseded_(superseded) {}

RowLease::RowLease(RowLease&& other) noexcept
    : pool_(std::move(other.pool_)), batch_(other.batch_), row_(other.row_), superseded_(other.superseded_) {}

RowLease::~RowLease() {
  if (pool_) pool_->abort_row({batch_, row_});
}

std::span<std::uint8_t> RowLease::tensor(std::size_t input) const {
  SL_ASSERT(pool_, "the lease is not spent");
  return pool_->memory_.row(batch_, row_, input);
}

void RowLease::commit(const RowMeta& meta, Picture picture) {
  SL_ASSERT(pool_, "the lease is not spent");
  // Spent first: whatever happens next, the destructor must not give the row back a second time.
  const std::shared_ptr<Pool> pool = std::move(pool_);
  pool->commit_row({batch_, row_}, meta, std::move(picture));
}

bool RowLease::superseded() const { return superseded_; }

}  // namespace sightline::slots
