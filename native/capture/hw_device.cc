#include "hw_device.hpp"

#include <map>
#include <mutex>

#include "av_log.hpp"

namespace sightline::capture {
namespace {

// Process data: the devices that some decoder holds, by name.
struct Devices {
  std::mutex mutex;
  std::map<std::string, std::weak_ptr<const HwDevice>> open;
};
Devices& devices() {
  static Devices all;
  return all;
}

}  // namespace

std::shared_ptr<const HwDevice> open_hw_device(const std::string& name, std::string* problem) {
  const std::size_t colon = name.find(':');
  const std::string type_name = name.substr(0, colon);
  const std::string number = colon == std::string::npos ? "" : name.substr(colon + 1);
  auto device = std::make_shared<HwDevice>();
  device->type = av_hwdevice_find_type_by_name(type_name.c_str());
  if (device->type == AV_HWDEVICE_TYPE_NONE) {
    *problem = "this FFmpeg knows no hardware device of type " + type_name;
    return nullptr;
  }
  Devices& all = devices();
  const std::lock_guard lock(all.mutex);  // also keeps two cameras from making the same device at once
  if (auto known = all.open[name].lock()) return known;
  AVBufferRef* raw = nullptr;
  const int failed = av_hwdevice_ctx_create(&raw, device->type, number.empty() ? nullptr : number.c_str(), nullptr, 0);
  device->context.reset(raw);
  if (failed < 0) {
    *problem = av_error_text(failed);
    all.open.erase(name);
    return nullptr;
  }
  all.open[name] = device;
  return device;
}

const char* decoder_label(AVHWDeviceType type) {
  return type == AV_HWDEVICE_TYPE_CUDA ? "nvdec" : av_hwdevice_get_type_name(type);
}

}  // namespace sightline::capture
