#include "still.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "av_log.hpp"
#include "av_ptr.hpp"
#include "picture.hpp"

namespace sightline::capture {
namespace {

bool starts_with(std::span<const std::uint8_t> file, std::size_t at, std::string_view magic) {
  return file.size() >= at + magic.size() && std::memcmp(file.data() + at, magic.data(), magic.size()) == 0;
}

AVCodecID codec_of(std::span<const std::uint8_t> file) {
  using namespace std::string_view_literals;
  if (starts_with(file, 0, "\xff\xd8\xff"sv)) return AV_CODEC_ID_MJPEG;
  if (starts_with(file, 0, "\x89PNG\r\n\x1a\n"sv)) return AV_CODEC_ID_PNG;
  if (starts_with(file, 0, "RIFF"sv) && starts_with(file, 8, "WEBP"sv)) return AV_CODEC_ID_WEBP;
  return AV_CODEC_ID_NONE;
}

Still refused(std::string problem) { return {std::nullopt, std::move(problem)}; }

}  // namespace

Still decode_still(std::span<const std::uint8_t> file) {
  const AVCodecID id = codec_of(file);
  if (id == AV_CODEC_ID_NONE) return refused("expected a JPEG, PNG or WebP file, received other bytes");
  initialise_libav();
  LogSink log;
  const LogScope scope(log);
  const AVCodec* codec = avcodec_find_decoder(id);
  if (codec == nullptr) return refused(std::string("this libav cannot decode ") + avcodec_get_name(id));
  const CodecPtr context(avcodec_alloc_context3(codec));
  if (!context) throw std::bad_alloc();
  context->thread_count = 1;
  context->max_pixels = std::int64_t{still_side_max} * still_side_max;
  context->err_recognition = AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER | AV_EF_EXPLODE;
  if (avcodec_open2(context.get(), codec, nullptr) < 0) return refused("the decoder does not open");
  const PacketPtr packet = make_packet();
  if (av_new_packet(packet.get(), static_cast<int>(file.size())) < 0) throw std::bad_alloc();
  std::ranges::copy(file, packet->data);
  const FramePtr frame = make_frame();
  int failed = avcodec_send_packet(context.get(), packet.get());
  if (failed >= 0) failed = avcodec_receive_frame(context.get(), frame.get());
  if (failed == AVERROR(EAGAIN)) {
    // A threaded or delaying decoder gives its only frame at the end.
    avcodec_send_packet(context.get(), nullptr);
    failed = avcodec_receive_frame(context.get(), frame.get());
  }
  if (failed < 0) return refused("the picture is damaged, cut, or too large (" + av_error_text(failed) + ")");
  if (log.take_damage() || (frame->flags & AV_FRAME_FLAG_CORRUPT) != 0 || frame->decode_error_flags != 0) return refused("the picture is damaged or cut");
  const auto fits = [](int side) { return side >= still_side_min && side <= still_side_max; };
  if (!fits(frame->width) || !fits(frame->height)) {
    return refused("expected sides of " + std::to_string(still_side_min) + " to " + std::to_string(still_side_max) + " pixels, received " +
                   std::to_string(frame->width) + "x" + std::to_string(frame->height));
  }
  FrameAdapter adapter;
  const AVFrame* readable = adapter.adapt(*frame);
  std::optional<slots::Picture> picture = readable == nullptr ? std::nullopt : picture_of(clone_ref(*readable));
  if (!picture) return refused("expected grey, YUV or RGB pixels, received another form");
  return {std::move(picture), {}};
}

}  // namespace sightline::capture
