// Capture: one thread per camera demuxes, decodes every frame it must and converts the frames that are due straight into
// batch slots. The thread owns the reconnect loop; nothing a camera does can delay another camera or hang a stop.
//
// Threads: construction, stop() and stats() from any thread; the work runs on its own thread, named cap:<id>.
// Owns:    its thread, its demuxer and decoder, a reference to the newest decoded frame.
// Locks:   a small mutex around the newest frame and the state text; counters are atomics.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "../slots/pool.hpp"
#include "clip.hpp"

namespace sightline::capture {

enum class SourceKind : std::uint8_t { rtsp, v4l2, file, lavfi };
enum class Transport : std::uint8_t { tcp, udp };
enum class State : std::uint8_t { connecting, streaming, stalled, backing_off, disabled, failed };
const char* name(State);

struct CameraOptions {
  std::uint32_t handle = 0;
  std::uint32_t generation = 0;
  std::string label;               ///< for the thread name and errors, never the URL
  SourceKind kind = SourceKind::rtsp;
  std::string url;                 ///< already normalised, credentials percent-encoded
  Transport transport = Transport::tcp;
  bool loop = true;                ///< file: start again at the end; and pace it by its time stamps (`realtime`)
  bool realtime = true;
  double analysis_fps = 5;         ///< frames per second that are converted and queued; 0 = every frame
  bool analyse = true;             ///< false: its frames are only shown, none is queued
  int open_timeout_ms = 10'000;
  int read_timeout_ms = 5'000;     ///< no packet for so long: stalled
  int stall_limit_ms = 15'000;     ///< stalled for so long: reconnect
  int backoff_min_ms = 1'000, backoff_max_ms = 60'000, backoff_auth_ms = 300'000;
  int healthy_after_ms = 10'000;   ///< streaming for so long resets the backoff
  int max_width = 8192, max_height = 8192;
  int clip_ms = 0;                 ///< packets kept for clips; 0 = none
  std::int64_t clip_bytes = 0;     ///< of them, at most
  std::string hw_device;           ///< "" = software; "cuda:0" = NVDEC with a counted fallback
};

/// Drop reasons, in the order of `CameraStats::drops`.
enum class Drop : std::uint8_t { no_slot, superseded, decode_error, waiting_key, too_large, unsupported, withheld, count };
const char* name(Drop);

struct CameraStats {
  State state = State::connecting;
  std::string reason;              ///< stable code of the last failure, e.g. CAPTURE_AUTH, CAPTURE_TIMEOUT; "" = none
  std::string detail;              ///< libav's words, URL and credentials removed
  std::string decoder;             ///< e.g. "h264", "h264 (nvdec)"; "" = none open
  std::string codec;
  int width = 0, height = 0;
  double fps = 0;                  ///< decoded frames per second, measured over the last seconds
  double source_fps = 0;           ///< what the container says, 0 = unknown
  std::int64_t newest_frame_us = 0;  ///< CLOCK_MONOTONIC, 0 = none yet
  std::int64_t newest_wall_ms = 0;
  std::uint64_t packets = 0, bytes = 0, frames = 0, analysed = 0, corrupt = 0, reconnects = 0, hw_fallbacks = 0;
  std::uint64_t drops[static_cast<int>(Drop::count)] = {};
  std::int64_t retry_at_us = 0;    ///< when backing off
};

class Camera {
 public:
  using OnState = std::function<void(std::uint32_t handle, std::uint32_t generation, State, const std::string& reason)>;
  /// Starts the thread. `on_state` is called from it, never with a lock held.
  static std::shared_ptr<Camera> start(CameraOptions, std::shared_ptr<slots::Pool>, OnState on_state);
  virtual ~Camera() = default;  ///< stops and joins
  virtual CameraStats stats() const = 0;
  /// Newest decoded frame (reference, no copy), empty before the first one.
  virtual slots::Picture newest() const = 0;
  /// From now on `fps` instead of `analysis_fps`, and at most `limit` of them (0 = all), what is beyond it counted as `withheld`. The stream
  /// goes on as it is. Any thread.
  virtual void analysis_rate(double fps, double limit) = 0;
  /// The packets that arrived in that time (CLOCK_MONOTONIC), as a file. Blocking.
  virtual Clip clip(std::int64_t from_us, std::int64_t to_us) const = 0;
  /// Asks the thread to end; returns at once. Any blocking call inside libav is interrupted.
  virtual void request_stop() = 0;
  /// request_stop() and join; bounded by the interrupt deadline. Idempotent.
  virtual void stop() = 0;
};

/// One-off connection test: opens, reads the first decodable frame, closes. Blocking; bounded by open_timeout_ms, and by `stop`.
struct ProbeResult {
  bool ok = false;
  std::string reason, detail, codec, pixel_format, transport;
  int width = 0, height = 0;
  double source_fps = 0;
  int open_ms = 0, first_frame_ms = 0;
};
ProbeResult probe(const CameraOptions&, const std::stop_token& stop = {});

/// Encodes a picture as JPEG (4:2:0, full range). Blocking. `max_width` 0 = as it is. Empty on failure.
std::string encode_jpeg(const slots::Picture&, int quality_1_100, int max_width);

/// FFmpeg's versions, "libavcodec 59.37.100, libavformat ...".
std::string libav_versions();

}  // namespace sightline::capture
