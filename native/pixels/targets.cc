#include "../common/targets.hpp"
#include "kernels.hpp"

namespace sightline::pixels {
namespace {

/// The functions of a target; without a name when this build lacks any of them.
Kernels table(std::string_view name) {
  Kernels made;
  if (name == "scalar") {
    made.resize = &resize_scalar;
    made.warp_run = &warp_run_scalar;
    made.warp_line = &warp_line_scalar;
  } else {
    find_simd_resize(name, &made);
    find_simd_warp(name, &made);
  }
  if (made.resize != nullptr && made.warp_run != nullptr) made.name = name;
  return made;
}

Targets<Kernels>& targets() {
  static Targets<Kernels> all(&table);
  return all;
}

}  // namespace

const Kernels& active_kernels() { return targets().active(); }
std::string_view target() { return targets().name(); }
std::string target_error() { return targets().error(); }
std::span<const std::string_view> supported_targets() { return targets().supported(); }
bool set_target(std::string_view name) { return targets().set(name); }

}  // namespace sightline::pixels
