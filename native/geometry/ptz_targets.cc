// Which kernels run: what geometry::target() has chosen from the processor and SIGHTLINE_SIMD.
#include <algorithm>
#include <array>

#include "ptz_kernels.hpp"
#include "targets.hpp"

namespace sightline::geometry::ptz {

const Kernels* find_kernels(std::string_view name) {
  static const std::array<Kernels, 5> tables = [] {
    std::array<Kernels, 5> made{};
    constexpr std::array<std::string_view, 5> names = {"scalar", "sse4", "avx2", "avx512", "neon"};
    for (std::size_t i = 0; i < names.size(); ++i) {
      made[i].name = names[i];
      if (i == 0) {
        fill_scalar(&made[i]);
      } else {
        fill_simd(names[i], &made[i]);
      }
    }
    return made;
  }();
  const auto usable = geometry::supported_targets();
  if (std::find(usable.begin(), usable.end(), name) == usable.end()) return nullptr;
  const auto found = std::find_if(tables.begin(), tables.end(), [&](const Kernels& table) { return table.name == name && table.score != nullptr; });
  return found == tables.end() ? nullptr : &*found;
}

const Kernels& active_kernels() {
  const Kernels* chosen = find_kernels(geometry::target());
  return chosen != nullptr ? *chosen : *find_kernels("scalar");
}

}  // namespace sightline::geometry::ptz
