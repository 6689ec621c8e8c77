// What a camera counts. Written by its thread, read by any.
#pragma once
#include <atomic>
#include <cstdint>

#include "camera.hpp"

namespace sightline::capture {

/// One writer: a load and a store are enough and cost no locked instruction.
class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

struct Counters {
  Counter packets, bytes, frames, analysed, corrupt, reconnects, hw_fallbacks;
  Counter drops[static_cast<int>(Drop::count)];
  void drop(Drop reason) { drops[static_cast<int>(reason)].add(); }
};

}  // namespace sightline::capture
