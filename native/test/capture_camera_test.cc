// Cameras over files and filter graphs: frames, loops, formats, snapshots, what is left behind.
#include <dirent.h>
#include <sys/stat.h>

#include <cmath>
#include <cstring>
#include <set>

#include "capture_witness.hpp"

namespace {

using namespace sightline;
using namespace sightline::witness;
using capture::Camera;
using capture::Drop;
using capture::SourceKind;
using capture::State;

std::uint64_t drops(const capture::CameraStats& stats, Drop reason) { return stats.drops[static_cast<int>(reason)]; }

std::vector<std::uint64_t> hashes(const std::vector<Seen>& seen) {
  std::vector<std::uint64_t> all;
  for (const Seen& one : seen) all.push_back(one.hash);
  return all;
}

int entries(const char* folder) {
  DIR* dir = opendir(folder);
  int count = 0;
  while (readdir(dir) != nullptr) ++count;
  closedir(dir);
  return count;
}

SL_TEST("capture file: every frame reaches the pool, in order, as a bare decoder gives it") {
  const media::TempDir dir;
  for (const int b_frames : {0, 3}) {
    const media::Stream stream = media::encode(media::h264(60, 20, b_frames));
    media::write_file(stream, dir.file("a.mkv"));
    Witness camera(once(dir.file("a.mkv")));
    CHECK(camera.finished());
    CHECK(hashes(camera.seen()) == media::decode_clean(stream));
    CHECK(camera.states() == (std::vector<std::string>{"streaming", "disabled:CAPTURE_EOF"}));
    CHECK(camera.identified());
    const capture::CameraStats stats = camera.stats();
    CHECK_EQ(stats.frames, 60U);
    CHECK_EQ(stats.packets, 60U);
    CHECK_EQ(stats.analysed, 60U);
    CHECK_EQ(stats.corrupt, 0U);
    CHECK_EQ(stats.width, 320);
    CHECK_EQ(stats.height, 192);
    CHECK_EQ(stats.codec, std::string("h264"));
    CHECK_EQ(stats.decoder, std::string("h264"));
    CHECK_NEAR(stats.source_fps, 25, 0.01);
    CHECK_EQ(stats.reason, std::string("CAPTURE_EOF"));
    for (const std::uint64_t dropped : stats.drops) CHECK_EQ(dropped, 0U);
    std::int64_t before_us = -1;
    std::uint64_t seq = 0;
    for (const Seen& one : camera.seen()) {
      CHECK_EQ(one.meta.camera, 7U);
      CHECK_EQ(one.meta.generation, 3U);
      CHECK_EQ(one.meta.seq, ++seq);
      CHECK(one.meta.pts_us > before_us);
      before_us = one.meta.pts_us;
      CHECK(one.meta.packet_us > 0 && one.meta.packet_us <= one.meta.ready_us);
      CHECK(one.meta.wall_ms > 1'500'000'000'000);
    }
  }
}

SL_TEST("capture file: five of 25 frames a second are converted, all are decoded") {
  const media::TempDir dir;
  const media::Stream stream = media::encode(media::h264(250, 50));
  media::write_file(stream, dir.file("a.mp4"));
  capture::CameraOptions options = once(dir.file("a.mp4"));
  options.analysis_fps = 5;
  Witness camera(options);
  CHECK(camera.finished());
  CHECK_EQ(camera.stats().frames, 250U);
  const std::vector<Seen> seen = camera.seen();
  CHECK_EQ(seen.size(), 50U);
  const std::vector<std::uint64_t> clean = media::decode_clean(stream);
  for (std::size_t i = 0; i < seen.size(); ++i) CHECK_EQ(seen[i].hash, clean[i * 5]);
}

SL_TEST("capture file: looped without a seam, time stamps keep growing") {
  const media::TempDir dir;
  const media::Stream with_header = media::encode(media::h264(30, 10, 2, true));
  const media::Stream in_band = media::encode(media::h264(30, 10, 2, false));
  for (const std::string name : {"a.mp4", "a.mkv", "a.ts", "a.h264"}) {
    const media::Stream& stream = name == "a.mp4" || name == "a.mkv" ? with_header : in_band;
    const std::vector<std::uint64_t> clean = media::decode_clean(stream);
    media::write_file(stream, dir.file(name));
    capture::CameraOptions options = once(dir.file(name));
    options.loop = true;
    Witness camera(options);
    CHECK(eventually([&] { return camera.stats().frames >= 200; }));
    camera.camera().stop();
    const std::vector<Seen> seen = camera.seen();
    REQUIRE(seen.size() >= 200);
    int strange = 0, steps = 0;
    for (std::size_t i = 0; i < seen.size(); ++i) {
      strange += seen[i].hash == clean[i % clean.size()] ? 0 : 1;
      const std::int64_t step_us = i == 0 ? 40'000 : seen[i].meta.pts_us - seen[i - 1].meta.pts_us;
      steps += step_us > 38'000 && step_us < 42'000 ? 0 : 1;
    }
    if (strange + steps > 0) FAIL(name + ": " + std::to_string(strange) + " frames out of place, " + std::to_string(steps) + " odd steps");
    CHECK_EQ(camera.stats().corrupt, 0U);
    CHECK_EQ(camera.stats().reconnects, 0U);
    CHECK_EQ(camera.stats().state == State::disabled, true);
  }
}

SL_TEST("capture file: paced by its time stamps when it plays in real time") {
  const media::TempDir dir;
  media::write_file(media::encode(media::h264(25, 10)), dir.file("a.mp4"));
  capture::CameraOptions options = once(dir.file("a.mp4"));
  options.realtime = true;
  const std::int64_t start_us = monotonic_us();
  Witness camera(options);
  CHECK(camera.finished());
  CHECK(monotonic_us() - start_us >= 940'000);  // 24 distances of 40 ms; never sooner, however slow the machine
  CHECK_EQ(camera.stats().frames, 25U);
}

SL_TEST("capture file: codecs and pixel formats") {
  const media::TempDir dir;
  const struct {
    const char* encoder;
    AVPixelFormat format;
    const char* file;
    const char* codec;
  } cases[] = {
      {"mjpeg", AV_PIX_FMT_YUVJ420P, "a.avi", "mjpeg"},   {"mjpeg", AV_PIX_FMT_YUVJ422P, "b.avi", "mjpeg"},
      {"libx264", AV_PIX_FMT_YUV422P, "c.mkv", "h264"},   {"libx264", AV_PIX_FMT_YUV444P, "d.mkv", "h264"},
      {"libx264", AV_PIX_FMT_GRAY8, "e.mkv", "h264"},     {"libx264", AV_PIX_FMT_YUV420P10LE, "f.mkv", "h264"},
      {"libx265", AV_PIX_FMT_YUV420P, "g.mkv", "hevc"},   {"mpeg4", AV_PIX_FMT_YUV420P, "h.mkv", "mpeg4"},
  };
  for (const auto& c : cases) {
    if (avcodec_find_encoder_by_name(c.encoder) == nullptr) {
      check::note(std::string("no encoder ") + c.encoder);
      continue;
    }
    media::Recipe recipe;
    recipe.encoder = c.encoder;
    recipe.format = c.format;
    recipe.frames = 8;
    recipe.gop = 4;
    recipe.global_header = std::string(c.file).ends_with("mkv");
    if (recipe.encoder == "libx265") recipe.options = {{"x265-params", "log-level=none:pools=none:frame-threads=1"}};
    media::write_file(media::encode(recipe), dir.file(c.file));
    Witness camera(once(dir.file(c.file)));
    CHECK(camera.finished());
    const capture::CameraStats stats = camera.stats();
    if (stats.analysed != 8 || stats.corrupt != 0 || stats.codec != c.codec) {
      FAIL(std::string(c.encoder) + " " + c.file + ": analysed " + std::to_string(stats.analysed) + ", corrupt " +
           std::to_string(stats.corrupt) + ", codec " + stats.codec + ", " + stats.reason);
    }
    const std::string jpeg = capture::encode_jpeg(camera.camera().newest(), 80, 0);
    CHECK(jpeg.size() > 500);
  }
}

SL_TEST("capture lavfi: every raw pixel format is shown with its colours") {
  for (const char* format : {"yuv420p", "yuvj420p", "yuv422p", "yuv444p", "nv12", "nv21", "yuyv422", "uyvy422", "rgb24", "bgr24", "rgba",
                             "bgr0", "gbrp", "yuv420p10le", "p010le", "yuv422p12le", "yuv410p", "yuva420p"}) {
    capture::CameraOptions options =
        witness::options(SourceKind::lavfi, std::string("color=c=0xd03020:size=322x182:rate=25:duration=0.1,format=") + format);
    options.loop = options.realtime = false;
    Witness camera(options);
    CHECK(camera.finished());
    const slots::Picture picture = camera.camera().newest();
    if (picture.owner == nullptr || camera.stats().analysed != camera.stats().frames) {
      FAIL(std::string(format) + " is not shown; " + std::to_string(drops(camera.stats(), Drop::unsupported)) + " unsupported");
      continue;
    }
    std::vector<std::uint8_t> rgb(3 * 16 * 16);
    pixels::to_rgb(picture.view, rgb, 16, 16, pixels::place(322, 182, 16, 16, pixels::Fit::stretch), 0);
    const int error = std::max({std::abs(rgb[300] - 0xd0), std::abs(rgb[301] - 0x30), std::abs(rgb[302] - 0x20)});
    if (error > 6) FAIL(std::string(format) + ": " + std::to_string(rgb[300]) + " " + std::to_string(rgb[301]) + " " + std::to_string(rgb[302]));
  }
}

SL_TEST("capture lavfi: streams at its rate, also with a device that is not here") {
  capture::CameraOptions options = witness::options(SourceKind::lavfi, "testsrc2=size=320x180:rate=20");
  options.hw_device = "cuda:99";
  options.analysis_fps = 5;
  Witness camera(options);
  CHECK(eventually([&] { return camera.stats().frames >= 30; }));
  const capture::CameraStats stats = camera.stats();
  CHECK_EQ(stats.hw_fallbacks, 1U);
  CHECK_EQ(stats.decoder, std::string("rawvideo"));
  CHECK(stats.state == State::streaming);
  CHECK(stats.fps > 1 && stats.fps < 21);
  CHECK(stats.analysed >= stats.frames / 4 - 2 && stats.analysed <= stats.frames / 4 + 2);
  CHECK(stats.newest_frame_us > 0 && stats.newest_frame_us <= monotonic_us());
  CHECK(stats.newest_wall_ms > 0);
}

SL_TEST("capture hardware: a device of any name falls back to software, counted once") {
  const media::TempDir dir;
  media::write_file(media::encode(media::h264(20, 10)), dir.file("a.mp4"));
  for (const char* device : {"cuda:99", "cuda:x", "nonsense:0", "cuda"}) {
    capture::CameraOptions options = once(dir.file("a.mp4"));
    options.hw_device = device;
    Witness camera(options);
    CHECK(camera.finished());
    const capture::CameraStats stats = camera.stats();
    CHECK_EQ(stats.frames, 20U);
    const bool on_hardware = stats.decoder == "h264 (nvdec)";  // "cuda" is a real device where there is a GPU
    CHECK_EQ(stats.hw_fallbacks, on_hardware ? 0U : 1U);
    CHECK(on_hardware || stats.decoder == "h264");
  }
}

SL_TEST("capture: a source that is none fails for good, others back off and come again") {
  const media::TempDir dir;
  std::ofstream(dir.file("noise.mp4")) << std::string(50'000, 'x');
  std::ofstream(dir.file("empty.mp4")) << "";
  mkfifo(dir.file("fifo").c_str(), 0600);
  const struct {
    capture::CameraOptions options;
    const char* state;
  } cases[] = {
      {witness::options(SourceKind::rtsp, "gopher://x/y"), "failed:CAPTURE_UNSUPPORTED"},
      {witness::options(SourceKind::lavfi, "nosuchfilter=1"), "backing_off:CAPTURE_OPEN_FAILED"},
      {witness::options(SourceKind::v4l2, "/dev/video97"), "backing_off:CAPTURE_NOT_FOUND"},
      {once(dir.file("missing.mp4")), "backing_off:CAPTURE_NOT_FOUND"},
      {once(dir.file("fifo")), "failed:CAPTURE_UNSUPPORTED"},
      {once(dir.file("noise.mp4")), "backing_off:CAPTURE_OPEN_FAILED"},
      {once(dir.file("empty.mp4")), "backing_off:CAPTURE_OPEN_FAILED"},
  };
  for (const auto& c : cases) {
    Witness camera(c.options);
    if (!eventually([&] { return camera.reached(c.state); })) {
      const auto states = camera.states();
      FAIL(std::string(c.state) + " was not reached, but " + (states.empty() ? "nothing" : states.front()) + " (" + camera.stats().detail + ")");
    }
    const capture::CameraStats stats = camera.stats();
    CHECK(stats.detail.find(dir.file("")) == std::string::npos);
    if (std::string(c.state).starts_with("failed")) {
      CHECK(stats.retry_at_us > monotonic_us() + 200'000'000);
    } else {
      CHECK(eventually([&] { return camera.stats().reconnects >= 2; }));
    }
    CHECK(camera.stats().newest_frame_us == 0);
    CHECK(camera.camera().newest().owner == nullptr);
  }
}

SL_TEST("capture file: one that appears later is picked up") {
  const media::TempDir dir;
  capture::CameraOptions options = once(dir.file("late.mp4"));
  Witness camera(options);
  CHECK(eventually([&] { return camera.reached("backing_off:CAPTURE_NOT_FOUND"); }));
  media::write_file(media::encode(media::h264(10, 5)), dir.file("made.mp4"));
  std::filesystem::rename(dir.file("made.mp4"), dir.file("late.mp4"));
  CHECK(camera.finished());
  CHECK_EQ(camera.stats().frames, 10U);
  CHECK(camera.stats().reconnects >= 1);
}

SL_TEST("capture: pictures that are too large are dropped and counted") {
  const media::TempDir dir;
  media::write_file(media::encode(media::h264(10, 5)), dir.file("a.mp4"));
  capture::CameraOptions options = once(dir.file("a.mp4"));
  options.max_width = 300;
  Witness camera(options);
  CHECK(camera.finished() || true);
  const capture::CameraStats stats = camera.stats();
  CHECK_EQ(stats.frames, 0U);
  CHECK(drops(stats, Drop::too_large) >= 10);
  CHECK(camera.seen().empty());
  CHECK(camera.camera().newest().owner == nullptr);
}

SL_TEST("capture snapshot: a JPEG of the newest frame has its size and its colours") {
  Witness camera(witness::options(SourceKind::lavfi, "color=c=0xd03020:size=320x180:rate=25"));
  REQUIRE(eventually([&] { return camera.camera().newest().owner != nullptr; }));
  const slots::Picture picture = camera.camera().newest();
  camera.camera().stop();  // the picture outlives the camera's work
  const media::TempDir dir;
  for (const int max_width : {0, 100, 5'000}) {
    const std::string jpeg = capture::encode_jpeg(picture, 90, max_width);
    std::ofstream(dir.file("a.jpg"), std::ios::binary) << jpeg;
    Witness reader(once(dir.file("a.jpg")));
    CHECK(reader.finished());
    const capture::CameraStats stats = reader.stats();
    CHECK_EQ(stats.width, max_width == 100 ? 100 : 320);
    CHECK_EQ(stats.height, max_width == 100 ? 56 : 180);
    const slots::Picture back = reader.camera().newest();
    REQUIRE(back.owner != nullptr);
    CHECK(back.view.range == pixels::Range::full);
    std::vector<std::uint8_t> rgb(3 * 16 * 16);
    pixels::to_rgb(back.view, rgb, 16, 16, pixels::place(stats.width, stats.height, 16, 16, pixels::Fit::stretch), 0);
    CHECK_NEAR(rgb[3 * 100], 0xd0, 6);
    CHECK_NEAR(rgb[3 * 100 + 1], 0x30, 6);
    CHECK_NEAR(rgb[3 * 100 + 2], 0x20, 6);
  }
  CHECK(capture::encode_jpeg({}, 80, 0).empty());
}

/// A grey picture of which one row serves for all, so that the test itself maps little.
slots::Picture grey(int width, int height) {
  const auto row = std::make_shared<std::vector<std::uint8_t>>(static_cast<std::size_t>(width), 90);
  slots::Picture picture{{}, row};
  picture.view.layout = pixels::Layout::gray8;
  picture.view.width = width;
  picture.view.height = height;
  picture.view.plane[0] = row->data();
  picture.view.stride[0] = 0;
  return picture;
}

SL_TEST("capture snapshot: pictures wider than a model's input are encoded as any other") {
  for (const int width : {2'048, 2'560, 3'840, 8'192}) CHECK(!capture::encode_jpeg(grey(width, 512), 80, 0).empty());
}

SL_TEST("capture snapshot: higher quality is a larger JPEG") {
  const media::TempDir dir;
  media::write_file(media::encode(media::h264(3, 3)), dir.file("a.mp4"));
  Witness camera(once(dir.file("a.mp4")));
  CHECK(camera.finished());
  std::size_t before = 0;
  for (const int quality : {-5, 20, 50, 80, 90, 400}) {
    const std::size_t size = capture::encode_jpeg(camera.camera().newest(), quality, 0).size();
    CHECK(size > before);
    before = size;
  }
}

SL_TEST("capture probe: says what a source is, or why not") {
  const media::TempDir dir;
  media::write_file(media::encode(media::h264(10, 5)), dir.file("a.mkv"));
  const capture::ProbeResult good = capture::probe(witness::options(SourceKind::file, dir.file("a.mkv")));
  CHECK(good.ok);
  CHECK_EQ(good.codec, std::string("h264"));
  CHECK_EQ(good.pixel_format, std::string("yuv420p"));
  CHECK_EQ(good.width, 320);
  CHECK_EQ(good.height, 192);
  CHECK_NEAR(good.source_fps, 25, 0.01);
  CHECK(good.first_frame_ms >= good.open_ms);
  const capture::ProbeResult bad = capture::probe(witness::options(SourceKind::file, dir.file("b.mkv")));
  CHECK(!bad.ok);
  CHECK_EQ(bad.reason, std::string("CAPTURE_NOT_FOUND"));
  CHECK(bad.detail.find(dir.file("")) == std::string::npos);
  CHECK(capture::libav_versions().starts_with("libavcodec "));
}

SL_TEST("capture: fifty opens and closes leave threads and descriptors as they were") {
  const media::TempDir dir;
  media::write_file(media::encode(media::h264(10, 5)), dir.file("a.mp4"));
  { Witness warm_up(witness::options(SourceKind::file, dir.file("a.mp4"))); }
  const int threads = entries("/proc/self/task"), descriptors = entries("/proc/self/fd");
  for (int i = 0; i < 50; ++i) {
    Witness camera(witness::options(SourceKind::file, dir.file("a.mp4")));
    if (i % 2 == 0) CHECK(eventually([&] { return camera.stats().frames > 0; }));
    if (i % 3 == 0) camera.camera().request_stop();
    if (i % 5 == 0) {
      camera.camera().stop();
      camera.camera().stop();  // idempotent
      CHECK(camera.state() == State::disabled);
    }
  }
  CHECK(eventually([&] { return entries("/proc/self/task") <= threads; }));
  CHECK_EQ(entries("/proc/self/fd"), descriptors);
}

SL_TEST("capture: stops at once while pacing, backing off and failed") {
  const media::TempDir dir;
  media::Recipe slow = media::h264(5, 5);
  slow.fps = 1;
  media::write_file(media::encode(slow), dir.file("slow.mp4"));
  capture::CameraOptions waiting = once(dir.file("missing.mp4"));
  waiting.backoff_min_ms = waiting.backoff_max_ms = 60'000;
  const std::pair<capture::CameraOptions, const char*> cases[] = {
      {witness::options(SourceKind::file, dir.file("slow.mp4")), "streaming"},
      {waiting, "backing_off:CAPTURE_NOT_FOUND"},
      {witness::options(SourceKind::rtsp, "x://y"), "failed:CAPTURE_UNSUPPORTED"},
  };
  for (const auto& [options, state] : cases) {
    Witness camera(options);
    CHECK(eventually([&, wanted = state] { return camera.reached(wanted); }));
    const std::int64_t start_us = monotonic_us();
    camera.camera().stop();
    CHECK(monotonic_us() - start_us < 1'000'000);
    CHECK(camera.state() == State::disabled);
    CHECK_EQ(camera.states().back(), std::string("disabled"));
  }
}

}  // namespace
