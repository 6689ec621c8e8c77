// The FFmpeg headers, and every #if on their versions. Oldest version supported: FFmpeg 5.0 (libavcodec 59.18).
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavdevice/avdevice.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libavutil/error.h>
#include <libavutil/hwcontext.h>
#include <libavutil/imgutils.h>
#include <libavutil/log.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

#if LIBAVCODEC_VERSION_INT < AV_VERSION_INT(59, 18, 100)
#error "capture needs FFmpeg 5.0 or newer (libavcodec >= 59.18); install libavcodec-dev of Debian 12 or newer"
#endif

namespace sightline::capture {

/// A key frame (an IDR or a recovery point that needs nothing before it).
inline bool is_key(const AVFrame& frame) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 100)  // FFmpeg 6.1
  return (frame.flags & AV_FRAME_FLAG_KEY) != 0;
#else
  return frame.key_frame != 0;
#endif
}

}  // namespace sightline::capture
