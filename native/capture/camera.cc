#include "camera.hpp"

#include <atomic>
#include <mutex>
#include <random>
#include <utility>

#include "backoff.hpp"
#include "packet_ring.hpp"
#include "publisher.hpp"
#include "state.hpp"
#include "thread.hpp"

namespace sightline::capture {
namespace {

constexpr std::size_t stack_bytes = 512 * 1024;
constexpr int no_frame_factor = 4;  // packets but no frame for so many stall limits: the connection is made anew

class CameraThread final : public Camera {
 public:
  CameraThread(CameraOptions options, std::shared_ptr<slots::Pool> pool, OnState on_state)
      : options_(std::move(options)),
        on_state_(std::move(on_state)),
        redact_(options_.kind, options_.url),
        ring_(options_.clip_ms, options_.clip_bytes),
        publisher_(options_, std::move(pool), counters_),
        thread_("cap:" + options_.label, stack_bytes, [this](std::stop_token stop) { run(std::move(stop)); }) {}
  CameraThread(const CameraThread&) = delete;
  CameraThread& operator=(const CameraThread&) = delete;
  ~CameraThread() override { stop(); }

  CameraStats stats() const override;
  slots::Picture newest() const override { return publisher_.newest(); }
  void analysis_rate(double fps, double limit) override { publisher_.rate(fps, limit); }
  Clip clip(std::int64_t from_us, std::int64_t to_us) const override { return ring_.clip(from_us, to_us); }
  void request_stop() override { thread_.request_stop(); }
  void stop() override {
    thread_.request_stop();
    thread_.join();
  }

 private:
  /// What a person reads; changes seldom.
  struct Text {
    std::string reason, detail, decoder, codec;
    int width = 0, height = 0;
    double source_fps = 0;
  };

  void run(std::stop_token stop);
  Reason run_guarded(const std::stop_token& stop, std::string* detail);
  Reason run_once(const std::stop_token& stop, std::string* detail);
  void on_frame(FrameReader& reader, FramePtr& frame, const FrameInfo& info);
  bool wait_before_retry(Reason reason, std::string detail, const std::stop_token& stop);
  void on_wait();
  void move_to(State state, const std::string& reason);
  void describe(const FrameReader& reader, int width, int height);
  void explain(const std::string& reason, const std::string& detail);
  double random() { return std::uniform_real_distribution<double>(0, 1)(random_); }

  const CameraOptions options_;
  const OnState on_state_;
  const Redactor redact_;
  Counters counters_;
  PacketRing ring_;
  Publisher publisher_;
  StateMachine state_;
  std::atomic<std::int64_t> retry_at_us_{0};
  mutable std::mutex mutex_;
  Text text_;  // guarded by mutex_

  // The camera's thread only.
  std::minstd_rand random_{std::random_device{}()};
  int attempt_ = 0;
  std::int64_t streaming_since_us_ = 0, last_packet_us_ = 0, last_shown_us_ = 0;
  int width_ = 0, height_ = 0;

  Thread thread_;  // last: starts when all else is there, and is joined before anything is gone
};

void CameraThread::run(std::stop_token stop) {
  initialise_libav();
  for (;;) {
    std::string detail;
    streaming_since_us_ = 0;
    const Reason reason = run_guarded(stop, &detail);
    if (stop.stop_requested() || reason == Reason::stopped) break;
    const bool recording = options_.kind == SourceKind::file || options_.kind == SourceKind::lavfi;
    if (reason == Reason::eof && recording && !options_.loop) {
      explain(code(reason), detail);
      move_to(State::disabled, code(reason));
      return;
    }
    if (!wait_before_retry(reason, std::move(detail), stop)) break;
    counters_.reconnects.add();
    move_to(State::connecting, "");
  }
  explain("", "");
  move_to(State::disabled, "");
}

/// No exception leaves the thread; what is left of them (no memory) is one more reason to try again later.
Reason CameraThread::run_guarded(const std::stop_token& stop, std::string* detail) {
  try {
    return run_once(stop, detail);
  } catch (const std::exception& error) {
    *detail = error.what();
  } catch (...) {
    *detail = "unknown exception";
  }
  return Reason::internal;
}

Reason CameraThread::run_once(const std::stop_token& stop, std::string* detail) {
  LogSink log;
  const LogScope scope(log);
  Interrupt interrupt(stop);
  interrupt.on_poll([this] { on_wait(); });
  FrameReader reader(options_, interrupt, log, counters_, ring_, [this] { last_packet_us_ = monotonic_us(); });
  const Reason opened = reader.open(detail);
  if (opened != Reason::none) return opened;
  describe(reader, 0, 0);
  last_packet_us_ = last_shown_us_ = monotonic_us();
  publisher_.restart();
  width_ = height_ = 0;
  FramePtr frame = make_frame();
  const std::int64_t no_frame_us = std::int64_t{no_frame_factor} * options_.stall_limit_ms * 1'000;
  for (;;) {
    FrameInfo info;
    const Reason reason = reader.next(*frame, info, detail, last_shown_us_ + no_frame_us);
    if (reason != Reason::none) return reason;
    if (reader.take_restart()) publisher_.restart();
    on_frame(reader, frame, info);
  }
}

void CameraThread::on_frame(FrameReader& reader, FramePtr& frame, const FrameInfo& info) {
  const int width = frame->width, height = frame->height;
  if (!publisher_.show(frame, info, reader.step_us())) return;
  av_frame_unref(frame.get());  // the frame that was the newest until now
  last_shown_us_ = monotonic_us();
  if (width != width_ || height != height_) {
    width_ = width;
    height_ = height;
    describe(reader, width, height);
    ring_.size(width, height);
  }
  if (state_.state() == State::streaming) return;
  streaming_since_us_ = last_shown_us_;
  explain("", "");
  move_to(State::streaming, "");
}

/// Asked at least every 100 ms while libav waits for a packet.
void CameraThread::on_wait() {
  if (state_.state() != State::streaming) return;
  if (monotonic_us() - last_packet_us_ < std::int64_t{options_.read_timeout_ms} * 1'000) return;
  explain(code(Reason::stalled), "no packet for " + std::to_string(options_.read_timeout_ms) + " ms");
  move_to(State::stalled, code(Reason::stalled));
}

bool CameraThread::wait_before_retry(Reason reason, std::string detail, const std::stop_token& stop) {
  const std::int64_t now_us = monotonic_us();
  const std::int64_t healthy_us = std::int64_t{options_.healthy_after_ms} * 1'000;
  if (streaming_since_us_ != 0 && now_us - streaming_since_us_ >= healthy_us) attempt_ = 0;
  std::int64_t wait_ms = 0;
  if (is_final(reason)) {
    wait_ms = slow_retry_ms(std::max(options_.backoff_auth_ms, options_.backoff_max_ms), random());
  } else if (reason == Reason::auth) {
    wait_ms = slow_retry_ms(options_.backoff_auth_ms, random());
  } else {
    wait_ms = backoff_ms(attempt_++, {options_.backoff_min_ms, options_.backoff_max_ms}, random());
  }
  explain(code(reason), redact_(detail));
  retry_at_us_.store(now_us + wait_ms * 1'000, std::memory_order_relaxed);
  move_to(is_final(reason) ? State::failed : State::backing_off, code(reason));
  const bool slept = sleep_for_us(wait_ms * 1'000, stop);
  retry_at_us_.store(0, std::memory_order_relaxed);
  return slept;
}

void CameraThread::move_to(State state, const std::string& reason) {
  state_.move_to(state);
  if (!on_state_) return;
  try {
    on_state_(options_.handle, options_.generation, state, reason);
  } catch (...) {  // a listener's fault must not end the camera
  }
}

void CameraThread::describe(const FrameReader& reader, int width, int height) {
  const std::lock_guard lock(mutex_);
  text_.decoder = reader.decoder().name();
  text_.codec = reader.decoder().codec();
  text_.source_fps = reader.source_fps();
  if (width > 0) {
    text_.width = width;
    text_.height = height;
  }
}

void CameraThread::explain(const std::string& reason, const std::string& detail) {
  const std::lock_guard lock(mutex_);
  text_.reason = reason;
  text_.detail = detail;
}

CameraStats CameraThread::stats() const {
  CameraStats stats;
  {
    const std::lock_guard lock(mutex_);
    stats.reason = text_.reason;
    stats.detail = text_.detail;
    stats.decoder = text_.decoder;
    stats.codec = text_.codec;
    stats.width = text_.width;
    stats.height = text_.height;
    stats.source_fps = text_.source_fps;
  }
  stats.state = state_.state();
  stats.fps = publisher_.fps(monotonic_us());
  stats.newest_frame_us = publisher_.newest_us();
  stats.newest_wall_ms = publisher_.newest_wall_ms();
  stats.packets = counters_.packets.value();
  stats.bytes = counters_.bytes.value();
  stats.frames = counters_.frames.value();
  stats.analysed = counters_.analysed.value();
  stats.corrupt = counters_.corrupt.value();
  stats.reconnects = counters_.reconnects.value();
  stats.hw_fallbacks = counters_.hw_fallbacks.value();
  for (std::size_t i = 0; i < std::size(stats.drops); ++i) stats.drops[i] = counters_.drops[i].value();
  stats.retry_at_us = retry_at_us_.load(std::memory_order_relaxed);
  return stats;
}

}  // namespace

const char* name(State state) {
  switch (state) {
    case State::connecting: return "connecting";
    case State::streaming: return "streaming";
    case State::stalled: return "stalled";
    case State::backing_off: return "backing_off";
    case State::disabled: return "disabled";
    case State::failed: return "failed";
  }
  return "unknown";
}

const char* name(Drop drop) {
  switch (drop) {
    case Drop::no_slot: return "no_slot";
    case Drop::superseded: return "superseded";
    case Drop::decode_error: return "decode_error";
    case Drop::waiting_key: return "waiting_key";
    case Drop::too_large: return "too_large";
    case Drop::unsupported: return "unsupported";
    case Drop::withheld: return "withheld";
    case Drop::count: break;
  }
  return "unknown";
}

std::shared_ptr<Camera> Camera::start(CameraOptions options, std::shared_ptr<slots::Pool> pool, OnState on_state) {
  return std::make_shared<CameraThread>(std::move(options), std::move(pool), std::move(on_state));
}

}  // namespace sightline::capture
