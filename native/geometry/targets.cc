#include "targets.hpp"

#include "../common/targets.hpp"
#include "kernels.hpp"

namespace sightline::geometry {
namespace {

Targets<Kernels>& targets() {
  static Targets<Kernels> all([](std::string_view name) { return name == "scalar" ? scalar_kernels() : simd_kernels(name); });
  return all;
}

}  // namespace

const Kernels& active_kernels() { return targets().active(); }
std::string_view target() { return targets().name(); }
std::string target_error() { return targets().error(); }
std::span<const std::string_view> supported_targets() { return targets().supported(); }
bool set_target(std::string_view name) { return targets().set(name); }

}  // namespace sightline::geometry
