// One RAII alias per FFmpeg type. The only file that frees or closes what FFmpeg allocates; elsewhere a raw AV* is a borrowed
// parameter.
#pragma once
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "av_compat.hpp"

namespace sightline::capture {

/// Calls a function that takes T** (most of FFmpeg's free functions).
template <class T, auto Free>
struct FreeByAddress {
  void operator()(T* p) const noexcept { Free(&p); }
};
/// Calls a function that takes T*.
template <class T, auto Free>
struct FreeByPointer {
  void operator()(T* p) const noexcept { Free(p); }
};

using FormatPtr = std::unique_ptr<AVFormatContext, FreeByAddress<AVFormatContext, avformat_close_input>>;
using CodecPtr = std::unique_ptr<AVCodecContext, FreeByAddress<AVCodecContext, avcodec_free_context>>;
using FramePtr = std::unique_ptr<AVFrame, FreeByAddress<AVFrame, av_frame_free>>;
using PacketPtr = std::unique_ptr<AVPacket, FreeByAddress<AVPacket, av_packet_free>>;
using BufferPtr = std::unique_ptr<AVBufferRef, FreeByAddress<AVBufferRef, av_buffer_unref>>;
using ParametersPtr = std::unique_ptr<AVCodecParameters, FreeByAddress<AVCodecParameters, avcodec_parameters_free>>;
/// A context that writes; its `pb` is somebody else's.
using MuxerPtr = std::unique_ptr<AVFormatContext, FreeByPointer<AVFormatContext, avformat_free_context>>;
using SwsPtr = std::unique_ptr<SwsContext, FreeByPointer<SwsContext, sws_freeContext>>;

/// Null only when memory is gone: then std::bad_alloc, which the top of each thread turns into a reason.
inline FramePtr make_frame() {
  FramePtr frame(av_frame_alloc());
  if (!frame) throw std::bad_alloc();
  return frame;
}
inline PacketPtr make_packet() {
  PacketPtr packet(av_packet_alloc());
  if (!packet) throw std::bad_alloc();
  return packet;
}

inline MuxerPtr make_muxer(const char* format) {
  AVFormatContext* context = nullptr;
  return avformat_alloc_output_context2(&context, nullptr, format, nullptr) < 0 ? nullptr : MuxerPtr(context);
}
/// Null when memory is gone.
inline ParametersPtr copy_parameters(const AVCodecParameters& from) {
  ParametersPtr copy(avcodec_parameters_alloc());
  return copy && avcodec_parameters_copy(copy.get(), &from) >= 0 ? std::move(copy) : nullptr;
}

/// A file in memory that a muxer writes.
class DynamicBuffer {
 public:
  DynamicBuffer() = default;
  DynamicBuffer(const DynamicBuffer&) = delete;
  DynamicBuffer& operator=(const DynamicBuffer&) = delete;
  ~DynamicBuffer() { take(); }
  bool open() { return avio_open_dyn_buf(&io_) >= 0; }
  AVIOContext* io() { return io_; }
  /// What was written; the buffer is closed by it.
  std::string take() {
    if (io_ == nullptr) return {};
    std::uint8_t* data = nullptr;
    const int size = avio_close_dyn_buf(std::exchange(io_, nullptr), &data);
    std::string out = data != nullptr && size > 0 ? std::string(reinterpret_cast<char*>(data), static_cast<std::size_t>(size)) : std::string();
    av_free(data);
    return out;
  }

 private:
  AVIOContext* io_ = nullptr;
};

/// Empties a packet or a frame at the end of a scope. The packet and the frame themselves are allocated once per camera; with
/// these, `continue`, `break` and an early return cannot keep data of one frame until the next.
class PacketScope {
 public:
  explicit PacketScope(AVPacket& packet) : packet_(packet) {}
  PacketScope(const PacketScope&) = delete;
  PacketScope& operator=(const PacketScope&) = delete;
  ~PacketScope() { av_packet_unref(&packet_); }

 private:
  AVPacket& packet_;
};
class FrameScope {
 public:
  explicit FrameScope(AVFrame& frame) : frame_(frame) {}
  FrameScope(const FrameScope&) = delete;
  FrameScope& operator=(const FrameScope&) = delete;
  ~FrameScope() { av_frame_unref(&frame_); }

 private:
  AVFrame& frame_;
};

/// Options for an open call; what the call did not know stays inside and is freed.
class Dictionary {
 public:
  Dictionary() = default;
  Dictionary(const Dictionary&) = delete;
  Dictionary& operator=(const Dictionary&) = delete;
  ~Dictionary() { av_dict_free(&dict_); }
  void set(const char* key, const char* value) { av_dict_set(&dict_, key, value, 0); }
  void set(const char* key, std::int64_t value) { av_dict_set_int(&dict_, key, value, 0); }
  AVDictionary** out() { return &dict_; }

 private:
  AVDictionary* dict_ = nullptr;
};

/// A second reference to a frame's data (no copy of pixels). Null when memory is gone.
inline FramePtr clone_ref(const AVFrame& frame) { return FramePtr(av_frame_clone(&frame)); }

}  // namespace sightline::capture
