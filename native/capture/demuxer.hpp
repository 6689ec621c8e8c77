// One opened input: the video stream's packets of an RTSP camera, a webcam, a file or a filter graph.
//
// Threads: not thread-safe; one camera's thread.
// Owns:    the AVFormatContext.
#pragma once
#include <string>

#include "av_log.hpp"
#include "av_ptr.hpp"
#include "camera.hpp"
#include "interrupt.hpp"
#include "reason.hpp"
#include "url.hpp"

namespace sightline::capture {

class Demuxer {
 public:
  // -- opening
  Demuxer(const CameraOptions& options, Interrupt& interrupt, LogSink& log);
  Demuxer(const Demuxer&) = delete;
  Demuxer& operator=(const Demuxer&) = delete;
  /// Says goodbye to the peer (bounded) and closes.
  ~Demuxer();
  /// Bounded by `deadline_us`. `detail` becomes libav's words, not redacted.
  Reason open(std::int64_t deadline_us, std::string* detail);

  // -- metadata, after open()
  const AVCodecParameters& parameters() const { return *stream_->codecpar; }
  AVRational time_base() const { return stream_->time_base; }
  /// What the container says, 0/1 = unknown.
  AVRational frame_rate() const;
  const char* transport() const;

  // -- reading
  /// Next packet of the video stream, or an AVERROR (AVERROR_EXIT when interrupted). AVERROR_EOF ends a pass over a file.
  int read(AVPacket& packet);
  /// Back to the start of a recording: seeks, or opens it anew. False when neither works.
  bool rewind(std::int64_t deadline_us);

 private:
  Reason open_rtsp(const Source& source, std::string* detail);
  Reason open_input(const Source& source, const std::string& url, std::string* detail);
  Reason choose_stream(const Source& source, std::string* detail);
  Reason failure(int av_error, std::string* detail) const;
  void set_options(const Source& source, Dictionary& options) const;
  void close();

  const CameraOptions& options_;
  Interrupt& interrupt_;
  LogSink& log_;
  FormatPtr format_;
  AVStream* stream_ = nullptr;  ///< borrowed from format_
};

}  // namespace sightline::capture
