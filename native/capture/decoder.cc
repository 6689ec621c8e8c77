#include "decoder.hpp"

#include <utility>

#include "av_log.hpp"

namespace sightline::capture {
namespace {

// Surfaces beyond what decoding needs: the newest frame, the one being converted, the one being received, one for a snapshot.
constexpr int extra_surfaces = 4;

AVPixelFormat hardware_format(const AVCodec& codec, AVHWDeviceType type) {
  for (int i = 0;; ++i) {
    const AVCodecHWConfig* config = avcodec_get_hw_config(&codec, i);
    if (config == nullptr) return AV_PIX_FMT_NONE;
    if ((config->methods & AV_CODEC_HW_CONFIG_METHOD_HW_DEVICE_CTX) != 0 && config->device_type == type) return config->pix_fmt;
  }
}

}  // namespace

Reason make_decoder(const AVCodecParameters& parameters, AVRational time_base, const DecoderOptions& options,
                    std::unique_ptr<Decoder>* out, std::string* detail) {
  const AVCodec* codec = avcodec_find_decoder(parameters.codec_id);
  if (codec == nullptr) {
    *detail = std::string("no decoder for ") + avcodec_get_name(parameters.codec_id);
    return Reason::unsupported;
  }
  auto decoder = std::make_unique<Decoder>(Decoder::Private{});
  decoder->context_.reset(avcodec_alloc_context3(codec));
  if (!decoder->context_) return Reason::internal;
  AVCodecContext& context = *decoder->context_;
  if (const int failed = avcodec_parameters_to_context(&context, &parameters); failed < 0) {
    *detail = av_error_text(failed);
    return Reason::decoder;
  }
  context.pkt_timebase = time_base;
  context.thread_count = 1;  // a camera is one thread; more would only add latency and memory
  context.max_pixels = options.max_pixels;
  context.opaque = decoder.get();
  context.err_recognition = AV_EF_CRCCHECK;
  const AVCodecDescriptor* description = avcodec_descriptor_get(parameters.codec_id);
  decoder->inter_ = description == nullptr || (description->props & AV_CODEC_PROP_INTRA_ONLY) == 0;
  if (!options.hw_device.empty()) decoder->choose_hardware(*codec, options.hw_device);
  if (const int failed = avcodec_open2(&context, codec, nullptr); failed < 0) {
    *detail = av_error_text(failed);
    return reason_of(failed, "") == Reason::unsupported ? Reason::unsupported : Reason::decoder;
  }
  *out = std::move(decoder);
  return Reason::none;
}

void Decoder::choose_hardware(const AVCodec& codec, const std::string& device_name) {
  fallback_ = true;
  std::string problem;
  device_ = open_hw_device(device_name, &problem);
  if (device_ == nullptr) return;
  hw_format_ = hardware_format(codec, device_->type);
  if (hw_format_ == AV_PIX_FMT_NONE) return;
  context_->hw_device_ctx = av_buffer_ref(device_->context.get());
  if (context_->hw_device_ctx == nullptr) return;
  context_->get_format = choose_format;
  context_->extra_hw_frames = extra_surfaces;
  fallback_ = false;  // until choose_format() finds that the device cannot do this profile
  hardware_ = true;
}

AVPixelFormat Decoder::choose_format(AVCodecContext* context, const AVPixelFormat* offered) {
  auto* self = static_cast<Decoder*>(context->opaque);
  for (const AVPixelFormat* format = offered; *format != AV_PIX_FMT_NONE; ++format) {
    if (*format == self->hw_format_) {
      self->hardware_ = true;
      return *format;
    }
  }
  // libav asks again without the format that failed to start, so this is also the way out of a device that is full.
  if (self->hardware_) self->fallback_ = true;
  self->hardware_ = false;
  return avcodec_default_get_format(context, offered);
}

int Decoder::send(const AVPacket* packet) { return avcodec_send_packet(context_.get(), packet); }
int Decoder::receive(AVFrame& frame) { return avcodec_receive_frame(context_.get(), &frame); }
void Decoder::flush() { avcodec_flush_buffers(context_.get()); }

std::string Decoder::name() const {
  const std::string software = context_->codec->name;
  return hardware_ ? software + " (" + decoder_label(device_->type) + ")" : software;
}
const char* Decoder::codec() const { return avcodec_get_name(context_->codec_id); }
bool Decoder::take_fallback() { return std::exchange(fallback_, false); }

}  // namespace sightline::capture
