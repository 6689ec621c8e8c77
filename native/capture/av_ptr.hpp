// One RAII alias per FFmpeg type. The only file that frees or closes what FFmpeg allocates; elsewhere a raw AV* is a borrowed
// parameter.
#pragma once
#include <memory>
#include <new>
#include <string>

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
