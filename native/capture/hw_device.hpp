// Hardware decoders' devices. One context per device serves all cameras: a CUDA context of its own for each would cost hundreds
// of megabytes of GPU memory.
//
// Threads: any.
// Owns:    the device, until its last decoder is gone. Frames keep libav's own reference to it.
#pragma once
#include <memory>
#include <string>

#include "av_ptr.hpp"

namespace sightline::capture {

struct HwDevice {
  BufferPtr context;
  AVHWDeviceType type = AV_HWDEVICE_TYPE_NONE;
};

/// `name` as "cuda:0" (type, colon, device). Null when there is no such device here; `problem` then says why.
std::shared_ptr<const HwDevice> open_hw_device(const std::string& name, std::string* problem);

/// How a decoder on such a device is called in stats: "nvdec" for cuda, else the type's name.
const char* decoder_label(AVHWDeviceType type);

}  // namespace sightline::capture
