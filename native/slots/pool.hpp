// Slots: the process-wide pool of batch slots that capture fills and inference reads. Pixels never cross a thread
// boundary by copy: only slot and row numbers do.
//
//   batch:  Free -> Filling -> Ready -> InUse -> Free        (asserted at each step, also in release builds)
//   row:    Empty -> Filling -> Ready  (a Ready row of a batch that is not InUse may be claimed again by the same camera:
//           newest frame wins, the superseded frame is counted)
//
// README.md beside this file has the whole diagram. A camera has at most one row outside InUse batches, so a newer frame of a
// camera can never be taken before its older one.
//
// Threads: claim() by any number of capture threads; take()/release() by one dispatcher thread; tensor views and
//          pictures by inference threads between take() and release().
// Owns:    the tensor memory, reserved once; a retained Picture per filled row.
// Locks:   one mutex for all transitions, never held while pixels are converted or copied, pictures are freed or callbacks run.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "../pixels/pixels.hpp"
#include "tensor_memory.hpp"

namespace sightline::slots {

constexpr int max_batches = 64;
constexpr int max_rows = 64;
constexpr int max_inputs = 4;
constexpr int max_input_side = 4096;                           ///< pixels
constexpr std::size_t max_bytes = std::size_t{8} << 30;        ///< of all tensors together

/// A decoded picture kept alive by reference (an AVFrame behind `owner`).
struct Picture {
  pixels::ImageView view;
  std::shared_ptr<const void> owner;
};

struct InputSpec {
  std::string name;
  int width = 0, height = 0;  ///< tensor size; the tensor of a batch is uint8 NHWC [rows, height, width, 3]
  pixels::Fit fit = pixels::Fit::letterbox;
  std::uint8_t pad = 0;
};
bool operator==(const InputSpec&, const InputSpec&);

struct PoolOptions {
  int batches = 12;       ///< 2..64 batch slots
  int rows = 16;          ///< 1..64 rows a batch slot (BATCH_SIZE, the upper bound)
  std::vector<InputSpec> inputs;  ///< 1..4 frame-level inputs
};
bool operator==(const PoolOptions&, const PoolOptions&);

/// What is wrong with the options, as `field: expected ..., received ...`; empty when nothing is.
std::string problem(const PoolOptions&);
std::string problem(const InputSpec&, const std::string& where);

/// What is known of a frame besides its pixels. Times ending in _us are CLOCK_MONOTONIC microseconds, except pts_us.
struct RowMeta {
  std::uint32_t camera = 0;      ///< capture handle
  std::uint32_t generation = 0;  ///< counts (re)configurations of the camera
  std::uint64_t seq = 0;         ///< frame counter of the camera
  std::int64_t pts_us = 0;
  std::int64_t packet_us = 0;    ///< when the packet that completed the frame arrived
  std::int64_t wall_ms = 0;      ///< epoch milliseconds of the same instant
  std::int64_t ready_us = 0;     ///< set by commit()
  int width = 0, height = 0;     ///< of the decoded frame
};

enum class ClaimFailure : std::uint8_t { none, no_slot, closed };

class Pool;

/// A row being filled. Either commit()ted or, on destruction, given back as if it had never been claimed.
class RowLease {
 public:
  RowLease(RowLease&&) noexcept;
  RowLease& operator=(RowLease&&) = delete;
  ~RowLease();
  /// Tensor memory of this row for input `i`: height*width*3 bytes.
  std::span<std::uint8_t> tensor(std::size_t input) const;
  /// Hands the row on. `meta.camera` must be the camera that claimed it. The lease is spent.
  void commit(const RowMeta& meta, Picture picture);
  /// True when this claim replaced an older, not yet dispatched frame of the same camera.
  bool superseded() const;

 private:
  friend class Pool;
  RowLease(std::shared_ptr<Pool>, int batch, int row, bool superseded);
  std::shared_ptr<Pool> pool_;
  int batch_ = -1, row_ = -1;
  bool superseded_ = false;
};

struct TakenRow {
  int row = 0;
  RowMeta meta;
};
struct TakenBatch {
  int batch = -1;
  std::vector<TakenRow> rows;  ///< rows 0..n-1, contiguous
};

/// claimed = committed + aborted + rows being filled; committed = superseded + forgotten + rows_taken + waiting_rows
/// (a superseded row that is being filled again has left `waiting_rows`).
struct PoolCounters {
  std::uint64_t claimed = 0, committed = 0, superseded = 0, no_slot = 0, aborted = 0, batches_taken = 0, rows_taken = 0;
  std::uint64_t forgotten = 0;   ///< waiting rows dropped by forget() or close()
  std::uint64_t rows_moved = 0;  ///< rows copied by take() over a hole that an aborted or forgotten row had left
  int free = 0, filling = 0, ready = 0, in_use = 0;  ///< batches by state, now
  /// Since when the longest-waiting camera waits, 0 = none. Kept when its newer frame supersedes the older one.
  std::int64_t oldest_ready_us = 0;
  int waiting_rows = 0;
};

class Pool : public std::enable_shared_from_this<Pool> {
  struct Private {
    explicit Private() = default;
  };

 public:
  /// Reserves the memory. The options must be free of problems (asserted). Throws std::bad_alloc.
  static std::shared_ptr<Pool> create(const PoolOptions&);
  Pool(Private, const PoolOptions&);
  const PoolOptions& options() const { return options_; }
  std::size_t bytes() const { return memory_.bytes(); }

  // -- capture side
  /// A row for one frame of `camera`: its own waiting row if it has one, else an empty row of the oldest batch with fewer than
  /// target rows (holes first), else of a free batch, else beyond the target. `no_slot` only when every row outside InUse
  /// batches belongs to another camera. A camera holds one lease at a time (asserted).
  std::optional<RowLease> claim(std::uint32_t camera, ClaimFailure* why);
  /// Drops the waiting row of a camera that is removed or reconfigured; a row it is filling is dropped when committed.
  void forget(std::uint32_t camera);

  // -- dispatcher side
  /// Called (from a capture thread or from arm(), no lock held) when a row became Ready since the last take() and arm() was
  /// called since the last call. Any order of take() and arm() is free of lost wake-ups.
  void on_ready(std::function<void()>);
  void arm();
  /// How many rows close a batch (1..rows, asserted); the dispatcher adapts it to the measured batch size. A batch gets more
  /// rows than this, up to `rows`, only when no other batch has room.
  void set_target_rows(int);
  /// The longest-waiting batch among those that are full (>= target rows) or whose oldest row waits since before
  /// `ready_before_us`; it becomes InUse. Batches with a row still Filling are passed over; they are sealed, which means
  /// that no frame is added any more, so that they become takeable within the time of one conversion.
  std::optional<TakenBatch> take(std::int64_t ready_before_us);
  /// InUse -> Free. False (and no change) when the batch is not InUse.
  bool release(int batch);

  // -- inference side, between take() and release()
  /// The whole batch tensor; the address never changes and stays valid as long as the pool is referenced.
  std::span<std::uint8_t> tensor(int batch, std::size_t input) const;
  /// The decoded frame of a row, kept alive by the answer; empty when the batch is not InUse or has no such row.
  std::optional<Picture> picture(int batch, int row) const;

  PoolCounters counters() const;
  void close();  ///< claim() fails and take() finds nothing from now on; waiting rows are dropped; idempotent

 private:
  friend class RowLease;
  enum class BatchState : std::uint8_t { free, filling, ready, in_use };
  enum class RowState : std::uint8_t { empty, filling, ready };
  /// The part of a row that every claim() looks at, apart from the rest so that a full scan stays within the L1 cache.
  struct Cell {
    RowState state = RowState::empty;
    bool forgotten = false;              ///< Filling, and to be dropped when committed
    std::uint32_t camera = 0;
    std::int64_t waiting_since_us = 0;   ///< first ready_us since the camera's last dispatch, 0 = none
  };
  struct Frame {
    RowMeta meta;
    Picture picture;
  };
  struct Batch {
    BatchState state = BatchState::free;
    bool sealed = false;
    int used = 0;     ///< rows Filling or Ready
    int filling = 0;
    std::uint64_t opened = 0;  ///< order in which batches left Free
  };
  struct Place {
    int batch = 0, row = 0;
  };
  struct Move {
    int from = 0, to = 0;
  };

  std::size_t index(int batch, int row) const;
  Cell& cell(Place at) { return cells_[index(at.batch, at.row)]; }
  Frame& frame(Place at) { return frames_[index(at.batch, at.row)]; }
  Batch& batch_at(int batch) { return batches_[static_cast<std::size_t>(batch)]; }
  std::optional<Place> own_row(std::uint32_t camera) const;
  struct Room {
    Place at;
    bool sealed = false;  ///< taking it would delay a batch that is about to leave
  };
  std::optional<Room> room() const;
  Picture empty(Place at);
  void transition(int batch, BatchState to);
  void settle(int batch);
  bool row_became_ready();
  void call_on_ready();
  void commit_row(Place at, const RowMeta& meta, Picture picture);
  void abort_row(Place at);
  std::optional<int> choose(std::int64_t ready_before_us);
  std::vector<Move> close_holes(int batch);

  const PoolOptions options_;
  const TensorMemory memory_;

  mutable std::mutex mutex_;  // guards everything below up to callback_mutex_
  std::vector<Cell> cells_;
  std::vector<Frame> frames_;
  std::vector<Batch> batches_;
  PoolCounters counters_;
  int target_rows_;
  std::uint64_t opened_ = 0;
  bool closed_ = false;
  bool armed_ = true;    ///< the next row that becomes Ready is signalled
  bool unseen_ = false;  ///< a row became Ready since the last take()

  std::mutex callback_mutex_;
  std::shared_ptr<const std::function<void()>> on_ready_;
};

}  // namespace sightline::slots
