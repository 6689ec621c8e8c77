#include "reason.hpp"

#include <cerrno>

#include "av_compat.hpp"

namespace sightline::capture {

const char* code(Reason reason) {
  switch (reason) {
    case Reason::none:
    case Reason::stopped: return "";
    case Reason::auth: return "CAPTURE_AUTH";
    case Reason::timeout: return "CAPTURE_TIMEOUT";
    case Reason::refused: return "CAPTURE_REFUSED";
    case Reason::unreachable: return "CAPTURE_UNREACHABLE";
    case Reason::dns: return "CAPTURE_DNS";
    case Reason::not_found: return "CAPTURE_NOT_FOUND";
    case Reason::denied: return "CAPTURE_DENIED";
    case Reason::busy: return "CAPTURE_BUSY";
    case Reason::eof: return "CAPTURE_EOF";
    case Reason::closed: return "CAPTURE_CLOSED";
    case Reason::no_video: return "CAPTURE_NO_VIDEO";
    case Reason::decoder: return "CAPTURE_DECODER";
    case Reason::unsupported: return "CAPTURE_UNSUPPORTED";
    case Reason::stalled: return "CAPTURE_STALLED";
    case Reason::open_failed: return "CAPTURE_OPEN_FAILED";
    case Reason::internal: return "CAPTURE_INTERNAL";
  }
  return "CAPTURE_INTERNAL";
}

Reason reason_of(int av_error, std::string_view words) {
  switch (av_error) {
    case AVERROR_HTTP_UNAUTHORIZED:
    case AVERROR_HTTP_FORBIDDEN: return Reason::auth;
    case AVERROR_HTTP_NOT_FOUND:
    case AVERROR(ENOENT):
    case AVERROR(ENODEV):
    case AVERROR(ENXIO): return Reason::not_found;
    case AVERROR(ECONNREFUSED): return Reason::refused;
    case AVERROR(ENETUNREACH):
    case AVERROR(EHOSTUNREACH):
    case AVERROR(EHOSTDOWN):
    case AVERROR(ENETDOWN): return Reason::unreachable;
    case AVERROR(ETIMEDOUT): return Reason::timeout;
    case AVERROR(EACCES):
    case AVERROR(EPERM): return Reason::denied;
    case AVERROR(EBUSY): return Reason::busy;
    case AVERROR(ECONNRESET):
    case AVERROR(EPIPE): return Reason::closed;
    case AVERROR(ENOMEM): return Reason::internal;
    case AVERROR_EOF: return Reason::eof;
    case AVERROR_DEMUXER_NOT_FOUND:
    case AVERROR_PROTOCOL_NOT_FOUND:
    case AVERROR_DECODER_NOT_FOUND:
    case AVERROR_FILTER_NOT_FOUND:
    case AVERROR_PATCHWELCOME: return Reason::unsupported;
    default: break;
  }
  if (words.find("Failed to resolve") != std::string_view::npos) return Reason::dns;
  return Reason::open_failed;
}

}  // namespace sightline::capture
