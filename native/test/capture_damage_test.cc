// Loss and damage: whatever happens to a stream, a frame that is shown is bit for bit the frame that was encoded.
#include <algorithm>
#include <set>

#include "capture_peer.hpp"
#include "capture_witness.hpp"

// libx265, which encodes the HEVC streams of these tests, never frees copies of its parameters. libavformat 59 puts the time of the last sender
// report on a packet also when its depacketiser has refused the payload, and forgets it (104 bytes each); and with some
// damaged session descriptions it forgets 128 bytes while it opens the stream. Nothing of ours is suppressed: nothing of ours adds side data to a packet, and an input of ours that
// is not closed would show by its context, which is made before it is opened.
extern "C" __attribute__((visibility("default"))) const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libx265.so\nleak:av_packet_add_side_data\nleak:avformat_open_input\n"; }

namespace {

using namespace sightline;
using namespace sightline::witness;
using capture::Drop;
using capture::Transport;

/// Every frame seen must be one of the clean ones, in their order (a reconnect or a loop begins anew).
void check_all_clean(const std::string& what, const std::vector<Seen>& seen, const std::vector<std::uint64_t>& clean) {
  std::size_t bad = 0;
  for (const Seen& one : seen) bad += std::find(clean.begin(), clean.end(), one.hash) == clean.end() ? 1U : 0U;
  if (bad > 0) FAIL(what + ": " + std::to_string(bad) + " of " + std::to_string(seen.size()) + " frames shown are damaged");
}

bool shows(const std::vector<Seen>& seen, std::uint64_t hash) {
  return std::any_of(seen.begin(), seen.end(), [hash](const Seen& one) { return one.hash == hash; });
}

struct LossCase {
  const char* name;
  Transport transport;
  bool renumber;
  std::function<bool(int, int)> lose;
};

const LossCase loss_cases[] = {
    {"UDP, one fragment", Transport::udp, false, [](int frame, int packet) { return frame == 40 && packet == 1; }},
    {"UDP, first fragment", Transport::udp, false, [](int frame, int packet) { return frame == 40 && packet == 0; }},
    {"UDP, a whole frame", Transport::udp, false, [](int frame, int) { return frame == 40; }},
    {"UDP, ten frames", Transport::udp, false, [](int frame, int) { return frame >= 40 && frame < 50; }},
    {"TCP, one fragment", Transport::tcp, false, [](int frame, int packet) { return frame == 40 && packet == 1; }},
    {"TCP, a whole frame", Transport::tcp, false, [](int frame, int) { return frame == 40; }},
    {"TCP, a whole frame, renumbered", Transport::tcp, true, [](int frame, int) { return frame == 40; }},
    {"TCP, several frames, renumbered", Transport::tcp, true, [](int frame, int) { return frame >= 40 && frame < 45; }},
};

void check_loss(const LossCase& c, const media::Stream& stream, const std::vector<std::uint64_t>& clean) {
  const std::string what = std::string(avcodec_get_name(stream.codec)) + " " + c.name;
  peer::Script script;
  script.stream = &stream;
  script.lose = c.lose;
  script.renumber = c.renumber;
  peer::RtspPeer server(script);
  capture::CameraOptions options = witness::options(capture::SourceKind::rtsp, server.url());
  options.transport = c.transport;
  Witness camera(options);
  CHECK(eventually([&] { return shows(camera.seen(), clean[112]); }));
  camera.camera().stop();
  const std::vector<Seen> seen = camera.seen();
  const capture::CameraStats stats = camera.stats();
  check_all_clean(what, seen, clean);
  if (stats.corrupt == 0) FAIL(what + ": the loss was not counted");
  for (int i = 42; i < 60; ++i) {
    if (shows(seen, clean[static_cast<std::size_t>(i)])) FAIL(what + ": frame " + std::to_string(i) + " was shown before a key frame");
  }
  for (const int whole : {0, 20, 38, 60, 61, 90, 112}) {
    if (!shows(seen, clean[static_cast<std::size_t>(whole)])) FAIL(what + ": frame " + std::to_string(whole) + " is missing");
  }
  CHECK_EQ(stats.reconnects, 0U);
  CHECK_EQ(stats.frames, seen.size());
}

SL_TEST("capture loss: after RTP packets are lost nothing is shown until the next key frame, H.264") {
  const media::Stream stream = media::encode(media::h264(120, 30, 0, false));
  const std::vector<std::uint64_t> clean = media::decode_clean(stream);
  for (const LossCase& c : loss_cases) check_loss(c, stream, clean);
}

SL_TEST("capture loss: after RTP packets are lost nothing is shown until the next key frame, HEVC") {
  const media::Stream stream = media::encode(media::hevc(120, 30, 0, false));
  const std::vector<std::uint64_t> clean = media::decode_clean(stream);
  for (const LossCase& c : loss_cases) check_loss(c, stream, clean);
}

SL_TEST("capture loss: random losses never show a damaged frame") {
  const media::Stream stream = media::encode(media::h264(200, 12, 2, false));
  const std::vector<std::uint64_t> clean = media::decode_clean(stream);
  for (unsigned seed = 1; seed <= 4; ++seed) {
    std::mt19937 random(seed);
    peer::Script script;
    script.stream = &stream;
    script.lose = [&random](int frame, int) { return frame > 2 && random() % 100 == 0; };
    script.packet_us = 2'000;
    peer::RtspPeer server(script);
    capture::CameraOptions options = witness::options(capture::SourceKind::rtsp, server.url());
    options.transport = seed % 2 == 0 ? Transport::tcp : Transport::udp;
    Witness camera(options);
    CHECK(eventually([&] { return camera.stats().packets >= 190; }));
    check_all_clean("seed " + std::to_string(seed), camera.seen(), clean);
    check::note("seed " + std::to_string(seed) + ": " + std::to_string(camera.stats().frames) + " shown, " + std::to_string(camera.stats().corrupt) + " corrupt");
    CHECK(camera.stats().corrupt > 0);
    CHECK(camera.stats().frames > 10);
  }
}

void check_file_damage(const media::TempDir& dir, media::Stream stream, bool cut) {
  const std::vector<std::uint64_t> clean = media::decode_clean(stream);
  auto& packets = stream.packets;
  const auto victim = std::find_if(packets.begin() + 36, packets.end(), [](const media::Packet& p) { return p.data.size() > 400; });
  REQUIRE(victim != packets.end());
  if (cut) {
    victim->data.resize(victim->data.size() / 2);
  } else {
    packets.erase(victim);
  }
  media::write_file(stream, dir.file("a.mkv"));
  Witness camera(once(dir.file("a.mkv")));
  CHECK(camera.finished());
  const std::string what = std::string(avcodec_get_name(stream.codec)) + ", " + std::to_string(stream.recipe.b_frames) + " B-frames, " + (cut ? "cut" : "lost");
  const std::vector<Seen> seen = camera.seen();
  check_all_clean(what, seen, clean);
  const capture::CameraStats stats = camera.stats();
  const bool needed = cut || stream.recipe.b_frames == 0;  // a lost B-frame is missed by nobody
  if (needed && stats.corrupt == 0) FAIL(what + ": not counted");
  if (!shows(seen, clean[0]) || !shows(seen, clean[28]) || !shows(seen, clean.back())) FAIL(what + ": whole frames are missing");
  CHECK_EQ(stats.reconnects, 0U);
}

SL_TEST("capture damage: lost and cut packets of a file, with and without B-frames") {
  const media::TempDir dir;
  for (const int b_frames : {0, 2}) {
    for (const bool cut : {false, true}) check_file_damage(dir, media::encode(media::h264(90, 30, b_frames)), cut);
    // libav's HEVC decoder does not notice the end of a cut slice; over RTP the loss itself tells.
    check_file_damage(dir, media::encode(media::hevc(90, 30, b_frames)), false);
  }
}

SL_TEST("capture damage: a broken JPEG costs its own frame and no other") {
  const media::TempDir dir;
  media::Recipe recipe;
  recipe.encoder = "mjpeg";
  recipe.format = AV_PIX_FMT_YUVJ420P;
  recipe.frames = 20;
  media::Stream stream = media::encode(recipe);
  const std::vector<std::uint64_t> clean = media::decode_clean(stream);
  stream.packets[5].data.resize(stream.packets[5].data.size() / 2);
  stream.packets[9].data.resize(200);
  auto& third = stream.packets[14].data;
  std::fill(third.begin() + static_cast<std::ptrdiff_t>(third.size() / 2), third.begin() + static_cast<std::ptrdiff_t>(third.size() / 2) + 60, 0xFF);
  media::write_file(stream, dir.file("a.avi"));
  Witness camera(once(dir.file("a.avi")));
  CHECK(camera.finished());
  const capture::CameraStats stats = camera.stats();
  check_all_clean("mjpeg", camera.seen(), clean);
  CHECK_EQ(stats.frames, 17U);
  CHECK_EQ(stats.corrupt, 3U);
}

SL_TEST("capture damage: a transport stream with holes") {
  const media::TempDir dir;
  const media::Stream stream = media::encode(media::h264(90, 15, 0, false));
  const std::vector<std::uint64_t> clean = media::decode_clean(stream);
  media::write_file(stream, dir.file("a.ts"));
  std::ifstream in(dir.file("a.ts"), std::ios::binary);
  std::string whole(std::filesystem::file_size(dir.file("a.ts")), 0);
  in.read(whole.data(), static_cast<std::streamsize>(whole.size()));
  std::mt19937 random(5);
  std::string holes;
  for (std::size_t at = 0; at + 188 <= whole.size(); at += 188) {
    const bool lose = at > 188 * 40 && random() % 60 == 0;
    if (!lose) holes += whole.substr(at, 188);
  }
  std::ofstream(dir.file("b.ts"), std::ios::binary) << holes;
  Witness camera(once(dir.file("b.ts")));
  CHECK(camera.finished());
  check_all_clean("transport stream", camera.seen(), clean);
  CHECK(camera.stats().corrupt > 0);
  CHECK(camera.stats().frames > 5);
}

SL_TEST("capture start: a stream joined in the middle of a group shows nothing before its key frame") {
  media::Stream stream = media::encode(media::h264(60, 20, 0, false));
  const std::vector<std::uint64_t> clean = media::decode_clean(stream);
  stream.packets.erase(stream.packets.begin(), stream.packets.begin() + 7);
  peer::Script script;
  script.stream = &stream;
  peer::RtspPeer server(script);
  Witness camera(witness::options(capture::SourceKind::rtsp, server.url()));
  CHECK(eventually([&] { return shows(camera.seen(), clean[58]); }));
  const std::vector<Seen> seen = camera.seen();
  check_all_clean("joined", seen, clean);
  CHECK_EQ(seen.front().hash, clean[20]);
  CHECK_EQ(camera.stats().drops[static_cast<int>(Drop::waiting_key)], 13U);
}

}  // namespace
