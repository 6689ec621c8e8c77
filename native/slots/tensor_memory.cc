#include "tensor_memory.hpp"

#include <sys/mman.h>

#include <cstring>
#include <new>

#include "../common/assert.hpp"
#include "pool.hpp"

namespace sightline::slots {
namespace {

constexpr std::size_t tensor_alignment = 64;           // a cache line; what ONNX Runtime's kernels like best
constexpr std::size_t block_alignment = 2 * 1024 * 1024;  // lets the kernel use huge pages

std::size_t round_up(std::size_t value, std::size_t to) { return (value + to - 1) / to * to; }

}  // namespace

void TensorMemory::Free::operator()(std::uint8_t* block) const noexcept {
  ::operator delete(block, std::align_val_t{block_alignment});
}

TensorMemory::TensorMemory(const PoolOptions& options) : rows_(static_cast<std::size_t>(options.rows)) {
  for (const InputSpec& input : options.inputs) {
    row_bytes_.push_back(static_cast<std::size_t>(input.width) * static_cast<std::size_t>(input.height) * 3);
    offset_.push_back(batch_bytes_);
    batch_bytes_ += round_up(row_bytes_.back() * rows_, tensor_alignment);
  }
  bytes_ = batch_bytes_ * static_cast<std::size_t>(options.batches);
  block_.reset(static_cast<std::uint8_t*>(::operator new(bytes_, std::align_val_t{block_alignment})));
  // Fewer TLB misses when a row is written; the answer does not matter.
  static_cast<void>(::madvise(block_.get(), bytes_, MADV_HUGEPAGE));
  std::memset(block_.get(), 0, bytes_);
}

std::span<std::uint8_t> TensorMemory::batch(int batch, std::size_t input) const {
  SL_ASSERT(input < row_bytes_.size(), "an input of the pool");
  const std::size_t start = static_cast<std::size_t>(batch) * batch_bytes_ + offset_[input];
  const std::size_t length = row_bytes_[input] * rows_;
  SL_ASSERT(batch >= 0 && start + length <= bytes_, "a batch of the pool");
  return {block_.get() + start, length};
}

std::span<std::uint8_t> TensorMemory::row(int batch_index, int row, std::size_t input) const {
  SL_ASSERT(row >= 0 && static_cast<std::size_t>(row) < rows_, "a row of the batch");
  return batch(batch_index, input).subspan(static_cast<std::size_t>(row) * row_bytes_[input], row_bytes_[input]);
}

}  // namespace sightline::slots
