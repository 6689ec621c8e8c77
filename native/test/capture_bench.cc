// CPU time of capture against libav's decode alone, for the bench suite: capture_bench MODE FILE [REPETITIONS]
//
//   decode   a bare libav loop: read, decode on one thread, drop the frame
//   due      the capture path as fast as it goes, analysis_fps 5 of the file's own time
//   convert  the capture path, every frame converted to one 512x512 letterboxed tensor
//
// Prints {"mode", "cpu_s", "wall_s", "frames", "converted", "checksum"}; the checksum samples what came out, so that a run that
// did not do its work shows.
#include <sys/resource.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <semaphore>
#include <string>

#include "../capture/av_ptr.hpp"
#include "../capture/camera.hpp"
#include "../common/clock.hpp"

namespace {

using namespace sightline;

struct Tally {
  std::uint64_t frames = 0, converted = 0, checksum = 0;
};

std::uint64_t mix(std::uint64_t sum, std::uint64_t value) { return (sum ^ value) * 1'099'511'628'211ULL; }

double cpu_s() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "capture_bench: %s\n", what);
  std::exit(1);
}

void decode_alone(const char* file, Tally& tally) {
  AVFormatContext* raw = nullptr;
  if (avformat_open_input(&raw, file, nullptr, nullptr) < 0) give_up("cannot open the file");
  const capture::FormatPtr format(raw);
  if (avformat_find_stream_info(format.get(), nullptr) < 0) give_up("cannot read the file");
  const int index = av_find_best_stream(format.get(), AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
  if (index < 0) give_up("the file has no video stream");
  const AVCodecParameters& parameters = *format->streams[index]->codecpar;
  const AVCodec* codec = avcodec_find_decoder(parameters.codec_id);
  const capture::CodecPtr context(avcodec_alloc_context3(codec));
  avcodec_parameters_to_context(context.get(), &parameters);
  context->thread_count = 1;
  if (avcodec_open2(context.get(), codec, nullptr) < 0) give_up("cannot open the decoder");
  const capture::PacketPtr packet = capture::make_packet();
  const capture::FramePtr frame = capture::make_frame();
  const auto drain = [&] {
    while (avcodec_receive_frame(context.get(), frame.get()) >= 0) {
      ++tally.frames;
      tally.checksum = mix(tally.checksum, frame->data[0][frame->linesize[0] * (frame->height / 2) + frame->width / 2]);
      av_frame_unref(frame.get());
    }
  };
  while (av_read_frame(format.get(), packet.get()) >= 0) {
    const capture::PacketScope scope(*packet);
    if (packet->stream_index != index) continue;
    avcodec_send_packet(context.get(), packet.get());
    drain();
  }
  avcodec_send_packet(context.get(), nullptr);
  drain();
}

void through_capture(const char* file, double analysis_fps, Tally& tally) {
  slots::PoolOptions pool_options;
  pool_options.batches = 4;
  pool_options.rows = 4;
  pool_options.inputs = {{"bench", 512, 512, pixels::Fit::letterbox, 114}};
  const std::shared_ptr<slots::Pool> pool = slots::Pool::create(pool_options);
  pool->set_target_rows(1);
  std::atomic<std::uint64_t> checksum{tally.checksum};
  pool->on_ready([&pool, &checksum] {
    while (const auto batch = pool->take(std::numeric_limits<std::int64_t>::max())) {
      const std::span<std::uint8_t> tensor = pool->tensor(batch->batch, 0);
      checksum = mix(checksum, tensor[512 * 3 * 256 + 256 * 3]);
      pool->release(batch->batch);
    }
    pool->arm();
  });
  capture::CameraOptions options;
  options.handle = 1;
  options.label = "bench";
  options.kind = capture::SourceKind::file;
  options.url = file;
  options.loop = false;
  options.realtime = false;
  options.analysis_fps = analysis_fps;
  std::binary_semaphore ended{0};
  std::string reason;
  const auto camera = capture::Camera::start(
      options, pool, [&](std::uint32_t, std::uint32_t, capture::State state, const std::string& why) {
        if (state == capture::State::streaming) return;
        reason = why;
        ended.release();
      });
  ended.acquire();
  camera->stop();
  const capture::CameraStats stats = camera->stats();
  if (reason != "CAPTURE_EOF") give_up(("the camera ended with " + reason).c_str());
  tally.frames += stats.frames;
  tally.converted += stats.analysed;
  tally.checksum = checksum;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if (argc < 3 || (mode != "decode" && mode != "due" && mode != "convert")) {
    std::fprintf(stderr, "usage: capture_bench decode|due|convert FILE [REPETITIONS]\n");
    return 2;
  }
  const int repetitions = argc > 3 ? std::atoi(argv[3]) : 1;
  if (repetitions < 1) give_up("REPETITIONS: expected a number of 1 or more");
  Tally tally;
  const double cpu_before_s = cpu_s();
  const std::int64_t wall_before_us = sightline::monotonic_us();
  for (int i = 0; i < repetitions; ++i) {
    if (mode == "decode") {
      decode_alone(argv[2], tally);
    } else {
      through_capture(argv[2], mode == "due" ? 5 : 0, tally);
    }
  }
  std::printf("{\"mode\": \"%s\", \"cpu_s\": %.6f, \"wall_s\": %.6f, \"frames\": %llu, \"converted\": %llu, \"checksum\": \"%016llx\"}\n",
              mode.c_str(), cpu_s() - cpu_before_s, static_cast<double>(sightline::monotonic_us() - wall_before_us) / 1e6,
              static_cast<unsigned long long>(tally.frames), static_cast<unsigned long long>(tally.converted),
              static_cast<unsigned long long>(tally.checksum));
  return 0;
}
