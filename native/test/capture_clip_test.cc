// The ring of packets: what is kept, what is let go, and whether a clip is a file that decodes to the frames that went in.
#include "../capture/packet_ring.hpp"

#include <fstream>

#include "capture_witness.hpp"

namespace {

using namespace sightline;
using capture::Clip;
using capture::PacketRing;

constexpr std::int64_t frame_us = 40'000;

/// Pushes the packets of a stream as if one came each 40 ms, the first at 1 s.
void fill(PacketRing& ring, const media::Stream& stream, bool keep_parameters = true) {
  capture::ParametersPtr parameters(avcodec_parameters_alloc());
  parameters->codec_type = AVMEDIA_TYPE_VIDEO;
  parameters->codec_id = stream.codec;
  parameters->width = stream.recipe.width;
  parameters->height = stream.recipe.height;
  if (keep_parameters && !stream.extradata.empty()) {
    parameters->extradata = static_cast<std::uint8_t*>(av_mallocz(stream.extradata.size() + AV_INPUT_BUFFER_PADDING_SIZE));
    std::copy(stream.extradata.begin(), stream.extradata.end(), parameters->extradata);
    parameters->extradata_size = static_cast<int>(stream.extradata.size());
  }
  ring.reset(*parameters, {1, stream.recipe.fps});
  const capture::PacketPtr packet = capture::make_packet();
  std::int64_t at_us = 1'000'000;
  for (const media::Packet& from : stream.packets) {
    const capture::PacketScope scope(*packet);
    REQUIRE(av_new_packet(packet.get(), static_cast<int>(from.data.size())) >= 0);
    std::copy(from.data.begin(), from.data.end(), packet->data);
    packet->pts = from.pts;
    packet->dts = from.dts;
    packet->flags = from.key ? AV_PKT_FLAG_KEY : 0;
    ring.push(*packet, at_us);
    at_us += frame_us;
  }
}

std::vector<std::uint64_t> decoded(const Clip& clip) {
  const media::TempDir dir;
  const std::string file = dir.file("clip." + clip.extension);
  std::ofstream(file, std::ios::binary) << clip.data;
  witness::Witness camera(witness::once(file));
  REQUIRE(camera.finished());
  std::vector<std::uint64_t> hashes;
  for (const witness::Seen& one : camera.seen()) hashes.push_back(one.hash);
  return hashes;
}

SL_TEST("clip: from the key frame before to the end of the span, decoded to the frames that went in") {
  for (const int b_frames : {0, 2}) {
    const media::Stream stream = media::encode(media::h264(60, 20, b_frames));
    PacketRing ring(60'000, 64 << 20);
    fill(ring, stream);
    CHECK_EQ(ring.packets(), 60U);
    const Clip clip = ring.clip(1'000'000 + 25 * frame_us, 10'000'000);
    CHECK_EQ(clip.reason, std::string());
    CHECK_EQ(clip.extension, std::string("mp4"));
    CHECK_EQ(clip.packets, 40);
    CHECK_EQ(clip.from_us, 1'000'000 + 20 * frame_us);
    const std::vector<std::uint64_t> all = media::decode_clean(stream);
    CHECK(decoded(clip) == std::vector<std::uint64_t>(all.begin() + 20, all.end()));
    CHECK_EQ(ring.clip(0, 1'000'000 + 9 * frame_us).packets, 10);
  }
}

SL_TEST("clip: without parameter sets beside it, and for other codecs") {
  const media::Stream bare = media::encode(media::h264(20, 10, 0, false));
  PacketRing ring(60'000, 64 << 20);
  fill(ring, bare, false);
  const Clip clip = ring.clip(0, 10'000'000);
  CHECK_EQ(clip.extension, std::string("ts"));
  CHECK_EQ(decoded(clip).size(), 20U);
  media::Recipe jpeg;
  jpeg.encoder = "mjpeg";
  jpeg.format = AV_PIX_FMT_YUVJ420P;
  jpeg.frames = 10;
  fill(ring, media::encode(jpeg));
  CHECK_EQ(decoded(ring.clip(0, 10'000'000)).size(), 10U);
}

SL_TEST("clip: what is kept is bounded by time and by bytes, and begins with a key frame") {
  const media::Stream stream = media::encode(media::h264(100, 10));
  PacketRing by_time(800, 64 << 20);
  fill(by_time, stream);
  CHECK(by_time.packets() >= 20 && by_time.packets() <= 31);
  const std::int64_t bytes = by_time.bytes();
  PacketRing by_bytes(60'000, bytes / 2);
  fill(by_bytes, stream);
  CHECK(by_bytes.bytes() <= bytes / 2 && by_bytes.packets() >= 1);
  CHECK_EQ(by_bytes.clip(0, 10'000'000).reason, std::string());
  PacketRing none(0, 64 << 20);
  fill(none, stream);
  CHECK_EQ(none.packets(), 0U);
  CHECK_EQ(none.clip(0, 10'000'000).reason, std::string("CAPTURE_CLIP_NONE"));
  PacketRing tiny(60'000, 10);
  fill(tiny, stream);
  CHECK_EQ(tiny.packets(), 0U);
}

SL_TEST("clip: time stamps that are absent, jump or go backwards make a file all the same") {
  media::Stream stream = media::encode(media::h264(30, 10));
  const std::vector<std::uint64_t> all = media::decode_clean(stream);
  for (std::size_t i = 10; i < stream.packets.size(); ++i) stream.packets[i].pts = stream.packets[i].dts = AV_NOPTS_VALUE;
  for (std::size_t i = 20; i < stream.packets.size(); ++i) stream.packets[i].pts = stream.packets[i].dts = 5;
  PacketRing ring(60'000, 64 << 20);
  fill(ring, stream);
  const Clip clip = ring.clip(0, 10'000'000);
  CHECK_EQ(clip.reason, std::string());
  CHECK_EQ(decoded(clip).size(), all.size());
}

}  // namespace
