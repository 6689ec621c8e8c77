// libav's log, caught instead of printed. What libav knows of damage and of the cause of a failure it often only logs; the
// callback runs on the thread that called libav, which is the camera's own, so a thread-local sink tells cameras apart.
//
// Threads: LogScope belongs to the thread that made it. Threads without one (filter graph workers) are silent.
// Owns:    the process-wide log callback of libavutil, set once.
#pragma once
#include <string>

namespace sightline::capture {

/// What libav said since the last take_*(); plain members, one per camera thread.
class LogSink {
 public:
  /// Packets of the stream were lost or came damaged (RTP sequence gap, missing reference, wrong continuity).
  bool take_loss();
  /// The frame that is being decoded has damage that libav marks nowhere else.
  bool take_damage();
  /// H.264 frames are missing between two that arrived; normal in streams that allow gaps (temporal layers).
  bool take_frame_gap();
  /// Last words at error level, without line end; not redacted.
  const char* words() const { return words_; }
  void forget_words() { words_[0] = 0; }
  void forget_damage() { damage_ = frame_gap_ = false; }
  void forget() { *this = {}; }

 private:
  friend void note_log(LogSink& sink, int level, const char* format, const char* line);
  char words_[256] = {};
  bool loss_ = false, damage_ = false, frame_gap_ = false;
};

/// Applies one log message to a sink; `line` is the formatted text. Apart from the callback so that it can be tested.
void note_log(LogSink& sink, int level, const char* format, const char* line);

/// Registers devices, starts the network layer and installs the log callback; any number of calls, any thread.
void initialise_libav();

/// Makes `sink` the one of this thread until the end of the scope.
class LogScope {
 public:
  explicit LogScope(LogSink& sink);
  LogScope(const LogScope&) = delete;
  LogScope& operator=(const LogScope&) = delete;
  ~LogScope();

 private:
  LogSink* before_;
};

/// "libav's words" for a return code.
std::string av_error_text(int av_error);

}  // namespace sightline::capture
