// What the tests of the slots share: small pools, rows with a recognisable content, and a check for asserted faults.
#pragma once
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "../slots/pool.hpp"
#include "check.hpp"

namespace sightline::slots::testing {

constexpr std::int64_t anything = std::numeric_limits<std::int64_t>::max();  ///< take(): every row has waited long enough
constexpr std::int64_t full_only = 0;                                        ///< take(): no row has waited long enough

inline PoolOptions small(int batches, int rows) {
  return {batches, rows, {{"wide", 8, 4, pixels::Fit::letterbox, 0}, {"square", 5, 5, pixels::Fit::stretch, 114}}};
}

/// Byte `i` of the row that holds frame `seq` of `camera`.
inline std::uint8_t pattern(std::uint32_t camera, std::uint64_t seq, std::size_t input, std::size_t i) {
  return static_cast<std::uint8_t>(camera * 131 + seq * 31 + input * 17 + i * 7);
}

inline void fill(const RowLease& lease, std::uint32_t camera, std::uint64_t seq) {
  for (std::size_t input = 0; input < 2; ++input) {
    const std::span<std::uint8_t> tensor = lease.tensor(input);
    for (std::size_t i = 0; i < tensor.size(); ++i) tensor[i] = pattern(camera, seq, input, i);
  }
}

/// A picture whose release can be seen: the owner's count is `*alive`.
inline Picture counted(int* alive) {
  ++*alive;
  return {{}, std::shared_ptr<const void>(alive, [](const void* count) { --*const_cast<int*>(static_cast<const int*>(count)); })};
}

inline RowMeta meta(std::uint32_t camera, std::uint64_t seq) {
  RowMeta m;
  m.camera = camera;
  m.generation = 1;
  m.seq = seq;
  m.width = 640;
  m.height = 360;
  return m;
}

/// One frame of a camera into the pool; false when it was refused.
inline bool put(Pool& pool, std::uint32_t camera, std::uint64_t seq, Picture picture = {}) {
  ClaimFailure why{};
  std::optional<RowLease> lease = pool.claim(camera, &why);
  if (!lease) return false;
  fill(*lease, camera, seq);
  lease->commit(meta(camera, seq), std::move(picture));
  return true;
}

/// True when each row of a taken batch holds the bytes of the frame that its meta names.
inline bool intact(const Pool& pool, const TakenBatch& taken) {
  int expected = 0;
  for (const TakenRow& row : taken.rows) {
    if (row.row != expected++) return false;
    for (std::size_t input = 0; input < 2; ++input) {
      const std::span<std::uint8_t> tensor = pool.tensor(taken.batch, input);
      const std::size_t bytes = tensor.size() / static_cast<std::size_t>(pool.options().rows);
      for (std::size_t i = 0; i < bytes; ++i) {
        if (tensor[static_cast<std::size_t>(row.row) * bytes + i] != pattern(row.meta.camera, row.meta.seq, input, i)) return false;
      }
    }
  }
  return true;
}

/// What must hold of the counters at any time, with `filling` leases open.
inline bool balanced(const PoolCounters& c, std::uint64_t filling = 0) {
  return c.claimed == c.committed + c.aborted + filling &&
         c.committed == c.superseded + c.forgotten + c.rows_taken + static_cast<std::uint64_t>(c.waiting_rows);
}

/// True when `act` ends in SL_ASSERT (SIGABRT), tried in a child process.
template <class Act>
bool asserts(Act act) {
  const pid_t child = ::fork();
  if (child == 0) {
    static_cast<void>(std::freopen("/dev/null", "w", stderr));
    act();
    ::_exit(0);
  }
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

}  // namespace sightline::slots::testing
