// Why a camera is not streaming: stable codes, the same in native code, TypeScript and HTTP.
//
// Threads: pure.
#pragma once
#include <cstdint>
#include <string_view>

namespace sightline::capture {

enum class Reason : std::uint8_t {
  none,
  auth,          ///< CAPTURE_AUTH: 401 or 403
  timeout,       ///< CAPTURE_TIMEOUT: the peer did not answer within open_timeout_ms
  refused,       ///< CAPTURE_REFUSED: connection refused
  unreachable,   ///< CAPTURE_UNREACHABLE: no route to the host or network
  dns,           ///< CAPTURE_DNS: the host name has no address
  not_found,     ///< CAPTURE_NOT_FOUND: no such stream, file or device
  denied,        ///< CAPTURE_DENIED: the file or device may not be read
  busy,          ///< CAPTURE_BUSY: the device is in use
  eof,           ///< CAPTURE_EOF: the stream ended
  closed,        ///< CAPTURE_CLOSED: the peer broke the connection
  no_video,      ///< CAPTURE_NO_VIDEO: there is no video stream
  decoder,       ///< CAPTURE_DECODER: packets come, no decodable frame does
  unsupported,   ///< CAPTURE_UNSUPPORTED: unknown scheme, format or codec; retrying cannot mend it
  stalled,       ///< CAPTURE_STALLED: no packet for stall_limit_ms
  open_failed,   ///< CAPTURE_OPEN_FAILED: anything else while opening or reading
  internal,      ///< CAPTURE_INTERNAL: a fault of ours or no memory
  stopped        ///< asked to stop: not a failure
};

/// Stable code, "" for none and stopped.
const char* code(Reason);

/// Only what another attempt cannot mend.
constexpr bool is_final(Reason reason) { return reason == Reason::unsupported; }

/// The reason behind an AVERROR of an open or read call. `words` is libav's last message; some failures of RTSP can be told
/// apart by it alone, because libav drops the return code on the way.
Reason reason_of(int av_error, std::string_view words);

}  // namespace sightline::capture
