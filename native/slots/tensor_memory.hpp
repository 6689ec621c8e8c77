// The tensor memory of the pool: one block, reserved and touched once, so that no frame pays for a page fault.
//
// Threads: immutable after construction; the bytes themselves are guarded by the row states of the pool.
// Owns:    the block.
// Locks:   none.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace sightline::slots {

struct PoolOptions;

class TensorMemory {
 public:
  /// Throws std::bad_alloc when the memory is not there.
  explicit TensorMemory(const PoolOptions& options);
  /// Tensor [rows, height, width, 3] of one batch and input; starts at a multiple of 64.
  std::span<std::uint8_t> batch(int batch, std::size_t input) const;
  std::span<std::uint8_t> row(int batch, int row, std::size_t input) const;
  std::size_t inputs() const { return row_bytes_.size(); }
  std::size_t bytes() const { return bytes_; }

 private:
  struct Free {
    void operator()(std::uint8_t* block) const noexcept;
  };
  std::vector<std::size_t> row_bytes_;  ///< by input
  std::vector<std::size_t> offset_;     ///< of an input's tensor within a batch
  std::size_t rows_ = 0, batch_bytes_ = 0, bytes_ = 0;
  std::unique_ptr<std::uint8_t[], Free> block_;
};

}  // namespace sightline::slots
