// An encoded file read into memory, cut into access units as RTP payloaders want them.
#pragma once
#include <gst/gst.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sightline::rtsp_server {

enum class Codec { H264, Hevc, Mjpeg };

/// "h264", "hevc" or "mjpeg".
const char* name_of(Codec codec);

struct BytesUnref {
  void operator()(GBytes* bytes) const { g_bytes_unref(bytes); }
};
struct CapsUnref {
  void operator()(GstCaps* caps) const { gst_caps_unref(caps); }
};

/// One coded picture with all that decoding it needs: Annex B with parameter sets before each key frame, or a whole JPEG.
struct AccessUnit {
  std::unique_ptr<GBytes, BytesUnref> bytes;
  std::int64_t start_us = 0;  ///< decode time from the clip's start
  bool key = false;
};

/// Threads: immutable after load(), shared by all mounts of the same file.
/// Owns: the bytes; buffers in flight hold references of their own.
struct Clip {
  std::string path;
  Codec codec = Codec::H264;
  int width = 0;
  int height = 0;
  double fps = 0;
  std::int64_t duration_us = 0;  ///< of one turn of the loop
  std::size_t size_bytes = 0;
  std::vector<AccessUnit> units;  ///< never empty; the first is a key frame

  /// Reads the first video stream of `path`. Throws std::runtime_error that says what is wrong with the file: it doesn't open,
  /// has another codec, B-frames, no key frame, is larger than 256 MiB, or has sizes that RTP/JPEG can't carry.
  static std::shared_ptr<const Clip> load(const std::string& path);
};

/// What a payloader has to know about the clip's access units.
std::unique_ptr<GstCaps, CapsUnref> caps_of(const Clip& clip);

}  // namespace sightline::rtsp_server
