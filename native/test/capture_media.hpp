// Streams for the capture tests, encoded in the test by libav's own encoders: nothing is checked in, nothing is downloaded.
#pragma once
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "../capture/av_log.hpp"
#include "../capture/av_ptr.hpp"
#include "check.hpp"

namespace sightline::media {

/// A folder that is gone at the end of the scope.
class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sl-capture-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path_ = pattern;
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

struct Recipe {
  std::string encoder = "libx264";
  AVPixelFormat format = AV_PIX_FMT_YUV420P;
  int width = 320, height = 192, fps = 25, frames = 50, gop = 10, b_frames = 0;
  std::vector<std::pair<std::string, std::string>> options = {};
  bool global_header = false;
};

struct Packet {
  std::vector<std::uint8_t> data;
  std::int64_t pts = 0, dts = 0;  ///< in frames
  bool key = false;
};

struct Stream {
  Recipe recipe;
  std::vector<Packet> packets;
  std::vector<std::uint8_t> extradata;
  AVCodecID codec = AV_CODEC_ID_NONE;
};

/// Fills a frame with a pattern that moves and differs in every frame.
inline void paint(AVFrame& frame, int number) {
  for (int plane = 0; plane < 3 && frame.data[plane] != nullptr; ++plane) {
    const int height = plane == 0 ? frame.height : AV_CEIL_RSHIFT(frame.height, 1);
    const int bytes = frame.linesize[plane];
    for (int y = 0; y < height; ++y) {
      std::uint8_t* row = frame.data[plane] + static_cast<std::ptrdiff_t>(y) * bytes;
      for (int x = 0; x < bytes; ++x) {
        row[x] = static_cast<std::uint8_t>(plane == 0 ? (x + 3 * number) ^ (y + number) : (x * 2 + y + 5 * number) / 2);
      }
    }
  }
}

inline void take_packets(AVCodecContext& context, std::vector<Packet>& out) {
  const capture::PacketPtr packet = capture::make_packet();
  while (avcodec_receive_packet(&context, packet.get()) >= 0) {
    out.push_back({{packet->data, packet->data + packet->size}, packet->pts, packet->dts, (packet->flags & AV_PKT_FLAG_KEY) != 0});
    av_packet_unref(packet.get());
  }
}

/// Ends the test as skipped when this FFmpeg has no such encoder.
inline Stream encode(const Recipe& recipe) {
  capture::initialise_libav();
  const AVCodec* codec = avcodec_find_encoder_by_name(recipe.encoder.c_str());
  if (codec == nullptr) SKIP("this FFmpeg has no encoder " + recipe.encoder);
  const capture::CodecPtr context(avcodec_alloc_context3(codec));
  context->width = recipe.width;
  context->height = recipe.height;
  context->pix_fmt = recipe.format;
  context->time_base = {1, recipe.fps};
  context->framerate = {recipe.fps, 1};
  context->gop_size = recipe.gop;
  context->max_b_frames = recipe.b_frames;
  context->thread_count = 1;
  if (recipe.global_header) context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  capture::Dictionary options;
  for (const auto& [key, value] : recipe.options) options.set(key.c_str(), value.c_str());
  REQUIRE(avcodec_open2(context.get(), codec, options.out()) >= 0);
  Stream stream;
  stream.recipe = recipe;
  stream.codec = codec->id;
  if (context->extradata != nullptr) stream.extradata.assign(context->extradata, context->extradata + context->extradata_size);
  for (int i = 0; i < recipe.frames; ++i) {
    const capture::FramePtr frame = capture::make_frame();
    frame->format = recipe.format;
    frame->width = recipe.width;
    frame->height = recipe.height;
    REQUIRE(av_frame_get_buffer(frame.get(), 0) >= 0);
    paint(*frame, i);
    frame->pts = i;
    REQUIRE(avcodec_send_frame(context.get(), frame.get()) >= 0);
    take_packets(*context, stream.packets);
  }
  avcodec_send_frame(context.get(), nullptr);
  take_packets(*context, stream.packets);
  return stream;
}

/// H.264 that every decoder decodes alike and in which each frame needs the one before.
inline Recipe h264(int frames, int gop, int b_frames = 0, bool global_header = true) {
  Recipe recipe;
  recipe.global_header = global_header;
  recipe.frames = frames;
  recipe.gop = gop;
  recipe.b_frames = b_frames;
  recipe.options = {{"preset", "veryfast"}, {"crf", "20"}, {"x264-params", "scenecut=0:threads=1:ref=1"}};
  return recipe;
}

/// HEVC likewise.
inline Recipe hevc(int frames, int gop, int b_frames = 0, bool global_header = true) {
  Recipe recipe = h264(frames, gop, b_frames, global_header);
  recipe.encoder = "libx265";
  recipe.options = {{"preset", "veryfast"},
                    {"x265-params", "log-level=none:pools=none:frame-threads=1:scenecut=0:open-gop=0:ref=1:b-pyramid=0"}};
  return recipe;
}

/// Writes a container file; the format follows from the name's ending (.mkv and .mp4 want Recipe::global_header).
inline void write_file(const Stream& stream, const std::string& path) {
  AVFormatContext* raw = nullptr;
  REQUIRE(avformat_alloc_output_context2(&raw, nullptr, nullptr, path.c_str()) >= 0);
  struct Close {
    void operator()(AVFormatContext* context) const {
      if (context->pb != nullptr) avio_closep(&context->pb);
      avformat_free_context(context);
    }
  };
  const std::unique_ptr<AVFormatContext, Close> context(raw);
  AVStream* out = avformat_new_stream(context.get(), nullptr);
  out->time_base = {1, stream.recipe.fps};
  out->avg_frame_rate = {stream.recipe.fps, 1};
  AVCodecParameters& parameters = *out->codecpar;
  parameters.codec_type = AVMEDIA_TYPE_VIDEO;
  parameters.codec_id = stream.codec;
  parameters.format = stream.recipe.format;
  parameters.width = stream.recipe.width;
  parameters.height = stream.recipe.height;
  if (!stream.extradata.empty()) {
    parameters.extradata = static_cast<std::uint8_t*>(av_mallocz(stream.extradata.size() + AV_INPUT_BUFFER_PADDING_SIZE));
    std::copy(stream.extradata.begin(), stream.extradata.end(), parameters.extradata);
    parameters.extradata_size = static_cast<int>(stream.extradata.size());
  }
  REQUIRE(avio_open(&context->pb, path.c_str(), AVIO_FLAG_WRITE) >= 0);
  REQUIRE(avformat_write_header(context.get(), nullptr) >= 0);
  const capture::PacketPtr packet = capture::make_packet();
  for (const Packet& from : stream.packets) {
    const capture::PacketScope scope(*packet);
    REQUIRE(av_new_packet(packet.get(), static_cast<int>(from.data.size())) >= 0);
    std::copy(from.data.begin(), from.data.end(), packet->data);
    packet->pts = av_rescale_q(from.pts, {1, stream.recipe.fps}, out->time_base);
    packet->dts = av_rescale_q(from.dts, {1, stream.recipe.fps}, out->time_base);
    packet->duration = av_rescale_q(1, {1, stream.recipe.fps}, out->time_base);
    packet->flags = from.key ? AV_PKT_FLAG_KEY : 0;
    REQUIRE(av_write_frame(context.get(), packet.get()) >= 0);
  }
  REQUIRE(av_write_trailer(context.get()) >= 0);
}

/// FNV-1a over the visible samples of the first plane.
inline std::uint64_t luma_hash(const std::uint8_t* data, std::ptrdiff_t stride, int width, int height) {
  std::uint64_t hash = 14'695'981'039'346'656'037ULL;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) hash = (hash ^ data[y * stride + x]) * 1'099'511'628'211ULL;
  }
  return hash;
}

/// Hashes of the frames as a bare decoder gives them, in display order.
inline std::vector<std::uint64_t> decode_clean(const Stream& stream) {
  const AVCodec* codec = avcodec_find_decoder(stream.codec);
  const capture::CodecPtr context(avcodec_alloc_context3(codec));
  context->thread_count = 1;
  if (!stream.extradata.empty()) {
    context->extradata = static_cast<std::uint8_t*>(av_mallocz(stream.extradata.size() + AV_INPUT_BUFFER_PADDING_SIZE));
    std::copy(stream.extradata.begin(), stream.extradata.end(), context->extradata);
    context->extradata_size = static_cast<int>(stream.extradata.size());
  }
  REQUIRE(avcodec_open2(context.get(), codec, nullptr) >= 0);
  std::vector<std::uint64_t> hashes;
  const capture::FramePtr frame = capture::make_frame();
  const auto drain = [&] {
    while (avcodec_receive_frame(context.get(), frame.get()) >= 0) {
      hashes.push_back(luma_hash(frame->data[0], frame->linesize[0], frame->width, frame->height));
    }
  };
  const capture::PacketPtr packet = capture::make_packet();
  for (const Packet& from : stream.packets) {
    const capture::PacketScope scope(*packet);
    REQUIRE(av_new_packet(packet.get(), static_cast<int>(from.data.size())) >= 0);
    std::copy(from.data.begin(), from.data.end(), packet->data);
    avcodec_send_packet(context.get(), packet.get());
    drain();
  }
  avcodec_send_packet(context.get(), nullptr);
  drain();
  return hashes;
}

}  // namespace sightline::media
