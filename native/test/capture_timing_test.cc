// The pure parts of capture: due frames, media time, pacing, backoff, the rate meter, the states.
#include <vector>

#include "../capture/backoff.hpp"
#include "../capture/due.hpp"
#include "../capture/fps_meter.hpp"
#include "../capture/pacing.hpp"
#include "../capture/state.hpp"
#include "check.hpp"

namespace {

using namespace sightline::capture;

struct Case {
  const char* name;
  double source_fps, analysis_fps;
  double jitter;     ///< of a frame distance, either way
  int seconds;
  int least, most;   ///< frames due
};

/// A fixed, even spread over [-1, 1) that has no period in common with the frames.
double wobble(int i) { return 2 * ((i * 7'919) % 1'000) / 1'000.0 - 1; }

std::vector<std::int64_t> due_times(const Case& c) {
  DueClock clock(c.analysis_fps);
  std::vector<std::int64_t> due;
  std::int64_t last = -1;
  const int frames = static_cast<int>(c.source_fps * c.seconds + 0.5);
  for (int i = 0; i < frames; ++i) {
    const double at = 1e6 * (i + c.jitter * wobble(i)) / c.source_fps;
    const std::int64_t time = std::max(last + 1, static_cast<std::int64_t>(at));
    last = time;
    if (clock.due(time)) due.push_back(time);
  }
  return due;
}

SL_TEST("capture due: a limit below the rate takes its frames from those that are due") {
  DueClock due(6);
  DueClock limited(2);
  int analysed = 0;
  int withheld = 0;
  for (int i = 0; i < 25 * 60; ++i) {
    const std::int64_t time = i * 40'000;
    if (!due.due(time)) continue;
    ++(limited.due(time) ? analysed : withheld);
  }
  CHECK(analysed >= 119 && analysed <= 122);
  CHECK(withheld >= 238 && withheld <= 242);
}

SL_TEST("capture due: how many frames of a source are analysed") {
  const Case cases[] = {
      {"25 -> 5", 25, 5, 0, 20, 100, 100},
      {"6 -> 6", 6, 6, 0, 60, 360, 360},
      {"6 -> 6 with jitter", 6, 6, 0.3, 60, 360, 360},
      {"6.2 -> 6, a camera that runs fast", 6.2, 6, 0.2, 60, 372, 372},
      {"5.9 -> 6, a camera that runs slow", 5.9, 6, 0.2, 60, 354, 354},
      {"30 -> 7", 30, 7, 0, 60, 418, 422},
      {"30 -> 7 with jitter", 30, 7, 0.3, 60, 412, 428},
      {"25 -> 5 with jitter", 25, 5, 0.3, 60, 298, 302},
      {"29.97 -> 5", 29.97, 5, 0, 60, 298, 302},
      {"1 -> 5, slower than asked", 1, 5, 0, 60, 60, 60},
      {"25 -> 25", 25, 25, 0.2, 20, 500, 500},
      {"25 -> 0 (all)", 25, 0, 0.2, 20, 500, 500},
      {"60 -> 0.5", 60, 0.5, 0, 60, 30, 31},
  };
  for (const Case& c : cases) {
    const int due = static_cast<int>(due_times(c).size());
    if (due < c.least || due > c.most) {
      FAIL(std::string(c.name) + ": " + std::to_string(due) + " due, expected " + std::to_string(c.least) + ".." + std::to_string(c.most));
    }
  }
}

SL_TEST("capture due: every fifth frame of 25 at 5, evenly") {
  const std::vector<std::int64_t> due = due_times({"", 25, 5, 0, 20, 0, 0});
  for (std::size_t i = 1; i < due.size(); ++i) CHECK_EQ(due[i] - due[i - 1], 200'000);
}

SL_TEST("capture due: after a gap one frame is due, not the missed ones") {
  DueClock clock(5);
  int due = 0;
  for (int i = 0; i < 25; ++i) due += clock.due(i * 40'000) ? 1 : 0;
  CHECK_EQ(due, 5);
  due = 0;
  for (int i = 0; i < 25; ++i) due += clock.due(30'000'000 + i * 40'000) ? 1 : 0;
  CHECK_EQ(due, 5);
}

SL_TEST("capture media time: follows good time stamps, whatever their origin") {
  MediaClock clock(true);
  CHECK_EQ(clock.advance(987'654'321, 5'000'000, 40'000), 0);
  CHECK_EQ(clock.advance(987'694'321, 5'090'000, 40'000), 40'000);
  CHECK_EQ(clock.advance(987'734'321, 5'095'000, 40'000), 80'000);
}

SL_TEST("capture media time: absent and backward time stamps fall back on arrival") {
  MediaClock clock(true);
  clock.advance(std::nullopt, 0, 40'000);
  CHECK_EQ(clock.advance(std::nullopt, 41'000, 40'000), 41'000);
  CHECK_EQ(clock.advance(100'000, 80'000, 40'000), 80'000);
  CHECK_EQ(clock.advance(60'000, 121'000, 40'000), 121'000);       // backwards
  CHECK_EQ(clock.advance(90'060'000, 160'000, 40'000), 160'000);   // a jump of 90 s
  CHECK_EQ(clock.advance(90'100'000, 203'000, 40'000), 200'000);   // and on from there
}

int due_per_second(bool live, std::int64_t pts_step_us, int seconds) {
  MediaClock media(live);
  DueClock due(5);
  int count = 0;
  for (int i = 0; i < 25 * seconds; ++i) count += due.due(media.advance(i * pts_step_us, i * std::int64_t{40'000}, 40'000)) ? 1 : 0;
  return count;
}

SL_TEST("capture media time: a clock that stands still or races does not change how often frames are due") {
  CHECK_NEAR(due_per_second(true, 40'000, 100), 500, 2);
  CHECK_NEAR(due_per_second(true, 11, 100), 500, 50);        // one tick a frame
  CHECK_NEAR(due_per_second(true, 400'000, 100), 500, 50);   // ten times too fast
  CHECK_NEAR(due_per_second(true, 4'000, 100), 500, 50);     // ten times too slow
}

SL_TEST("capture media time: a burst of old frames after a stall is not analysed as if it were new") {
  MediaClock media(true);
  DueClock due(5);
  for (int i = 0; i < 50; ++i) due.due(media.advance(i * 40'000, i * 40'000, 40'000));
  int in_burst = 0;
  for (int i = 50; i < 150; ++i) in_burst += due.due(media.advance(i * 40'000, 6'000'000 + i, 40'000)) ? 1 : 0;
  CHECK(in_burst >= 1);
  CHECK(in_burst <= 2);
}

SL_TEST("capture media time: a recording read fast goes by its time stamps alone, never backwards") {
  MediaClock clock(false);
  CHECK_EQ(clock.advance(0, 0, 40'000), 0);
  CHECK_EQ(clock.advance(40'000, 1, 40'000), 40'000);
  CHECK_EQ(clock.advance(1'040'000, 2, 40'000), 1'040'000);
  CHECK_EQ(clock.advance(std::nullopt, 3, 40'000), 1'080'000);
  clock.restart();  // looped
  CHECK_EQ(clock.advance(0, 4, 40'000), 1'120'000);
  CHECK_EQ(clock.advance(40'000, 5, 40'000), 1'160'000);
}

SL_TEST("capture pacing: waits for the media time, and does not catch up in a burst") {
  Pacer pacer;
  CHECK_EQ(pacer.wait_us(0, 1'000'000), 0);
  CHECK_EQ(pacer.wait_us(40'000, 1'010'000), 30'000);
  CHECK_EQ(pacer.wait_us(80'000, 1'090'000), 0);
  CHECK_EQ(pacer.wait_us(120'000, 9'000'000), 0);            // the machine slept: the clock starts anew
  CHECK_EQ(pacer.wait_us(160'000, 9'000'000), 40'000);
  CHECK_EQ(pacer.wait_us(500'000'000, 9'000'000), 0);        // a jump of the recording: likewise
}

SL_TEST("capture backoff: doubles up to the limit, with jitter below it") {
  const BackoffLimits limits{1'000, 60'000};
  const std::int64_t full[] = {1'000, 2'000, 4'000, 8'000, 16'000, 32'000, 60'000, 60'000};
  for (int attempt = 0; attempt < 8; ++attempt) {
    CHECK_EQ(backoff_ms(attempt, limits, 0), full[attempt]);
    CHECK_EQ(backoff_ms(attempt, limits, 1), full[attempt] / 2);
  }
  CHECK_EQ(backoff_ms(1'000'000, limits, 0.5), 45'000);
  CHECK_EQ(backoff_ms(3, {0, 0}, 0), 1);                     // never a busy loop
  CHECK_EQ(backoff_ms(3, {5'000, 1'000}, 0), 5'000);
  CHECK_EQ(slow_retry_ms(300'000, 0), 300'000);
  CHECK_EQ(slow_retry_ms(300'000, 1), 330'000);
}

SL_TEST("capture fps: measured over the last seconds, and falling when frames stop") {
  FpsMeter meter;
  CHECK_EQ(meter.fps(0), 0.0);
  std::int64_t now = 10'000'000;
  meter.add(now);
  CHECK_EQ(meter.fps(now), 0.0);
  for (int i = 0; i < 100; ++i) meter.add(now += 40'000);
  CHECK_NEAR(meter.fps(now), 25, 0.01);
  CHECK_NEAR(meter.fps(now + 40'000), 25, 0.3);
  CHECK(meter.fps(now + 2'000'000) < 15);
  CHECK_EQ(meter.fps(now + 5'000'000), 0.0);
  for (int i = 0; i < 2'000; ++i) meter.add(now += 1'000);   // more than the meter remembers
  CHECK_NEAR(meter.fps(now), 1'000, 1);
  for (int i = 0; i < 40; ++i) meter.add(now += 166'667);
  CHECK_NEAR(meter.fps(now), 6, 0.01);
}

SL_TEST("capture states: the arrows of the diagram, and no others") {
  const State all[] = {State::connecting, State::streaming, State::stalled, State::backing_off, State::disabled, State::failed};
  int arrows = 0;
  for (const State from : all) {
    CHECK(!legal(from, from));
    CHECK(!legal(State::disabled, from));
    CHECK(from == State::disabled || legal(from, State::disabled));
    for (const State to : all) arrows += legal(from, to) ? 1 : 0;
  }
  CHECK_EQ(arrows, 16);
  CHECK(legal(State::streaming, State::stalled));
  CHECK(legal(State::stalled, State::streaming));
  CHECK(!legal(State::connecting, State::stalled));
  CHECK(!legal(State::backing_off, State::streaming));
  CHECK(!legal(State::streaming, State::connecting));
}

}  // namespace
