// Which kernels run: what this build has, what this CPU can, what SIGHTLINE_SIMD asks for.
#include "targets.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <stdexcept>
#include <vector>

#include "../common/cpu.hpp"
#include "kernels.hpp"

namespace sightline::geometry {
namespace {

constexpr std::array<std::string_view, 4> simd_names = {"avx512", "avx2", "sse4", "neon"};

struct Selection {
  std::vector<Kernels> tables;  ///< best first, scalar last; fixed after construction
  std::vector<std::string_view> names;
  std::atomic<const Kernels*> active{nullptr};
  std::string error;  ///< why SIGHTLINE_SIMD could not be followed, "" = it could
};

const Kernels* find(const Selection& s, std::string_view name) {
  const auto it = std::find_if(s.tables.begin(), s.tables.end(), [&](const Kernels& k) { return k.name == name; });
  return it == s.tables.end() ? nullptr : &*it;
}

std::string unusable(const Selection& s, std::string_view name) {
  std::string usable;
  for (const std::string_view each : s.names) usable.append(usable.empty() ? "" : ", ").append(each);
  return "SIGHTLINE_SIMD: expected one of " + usable + " (what this CPU and build support), received \"" + std::string(name.substr(0, 32)) + "\"";
}

Selection& selection() {
  static Selection s;
  static const bool ready = [] {
    for (const std::string_view name : simd_names) {
      const Kernels table = simd_kernels(name);
      if (!table.name.empty() && cpu_has(name)) s.tables.push_back(table);
    }
    s.tables.push_back(scalar_kernels());
    for (const Kernels& table : s.tables) s.names.push_back(table.name);
    const char* wanted = std::getenv("SIGHTLINE_SIMD");
    s.active = wanted == nullptr || *wanted == '\0' ? &s.tables.front() : find(s, wanted);
    if (s.active == nullptr) s.error = unusable(s, wanted);
    return true;
  }();
  static_cast<void>(ready);
  return s;
}

}  // namespace

const Kernels& active_kernels() {
  const Selection& s = selection();
  const Kernels* kernels = s.active.load(std::memory_order_relaxed);
  if (kernels == nullptr) throw std::runtime_error(s.error);
  return *kernels;
}

std::string_view target() {
  const Kernels* kernels = selection().active.load(std::memory_order_relaxed);
  return kernels == nullptr ? std::string_view() : kernels->name;
}

std::string target_error() {
  const Selection& s = selection();
  return s.active.load(std::memory_order_relaxed) == nullptr ? s.error : std::string();
}

std::span<const std::string_view> supported_targets() { return selection().names; }

bool set_target(std::string_view name) {
  Selection& s = selection();
  const Kernels* kernels = find(s, name);
  if (kernels != nullptr) s.active.store(kernels, std::memory_order_relaxed);
  return kernels != nullptr;
}

}  // namespace sightline::geometry
