// A video decoder: software on one thread, or hardware where the device and the codec allow it.
//
// Threads: not thread-safe; one camera's thread. libav calls choose_format() on that thread.
// Owns:    the AVCodecContext, a share of the hardware device.
#pragma once
#include <memory>
#include <string>

#include "av_ptr.hpp"
#include "hw_device.hpp"
#include "reason.hpp"

namespace sightline::capture {

struct DecoderOptions {
  std::string hw_device;     ///< "" = software
  std::int64_t max_pixels;   ///< larger pictures are refused before they are allocated
};

class Decoder {
  struct Private {
    explicit Private() = default;
  };

 public:
  explicit Decoder(Private) {}
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  /// Feeds one packet (null = drain). 0 or an AVERROR.
  int send(const AVPacket* packet);
  /// 0, AVERROR(EAGAIN), AVERROR_EOF or an error.
  int receive(AVFrame& frame);
  /// Forgets everything, as after a seek.
  void flush();

  /// "h264" or "h264 (nvdec)".
  std::string name() const;
  const char* codec() const;
  /// From the bit stream, 0/1 = unknown.
  AVRational frame_rate() const { return context_->framerate; }
  /// Frames refer to other frames: one damaged frame spoils those after it.
  bool inter() const { return inter_; }
  /// True once when hardware was asked for and this decoder runs in software instead.
  bool take_fallback();

 private:
  friend Reason make_decoder(const AVCodecParameters&, AVRational, const DecoderOptions&, std::unique_ptr<Decoder>*, std::string*);
  void choose_hardware(const AVCodec& codec, const std::string& device_name);
  static AVPixelFormat choose_format(AVCodecContext* context, const AVPixelFormat* offered);

  std::shared_ptr<const HwDevice> device_;  // declared first: outlives the context
  CodecPtr context_;
  AVPixelFormat hw_format_ = AV_PIX_FMT_NONE;
  bool hardware_ = false, fallback_ = false, inter_ = true;
};

/// Opens the decoder for a stream: hardware if asked for and possible, software otherwise.
Reason make_decoder(const AVCodecParameters& parameters, AVRational time_base, const DecoderOptions& options,
                    std::unique_ptr<Decoder>* decoder, std::string* detail);

}  // namespace sightline::capture
