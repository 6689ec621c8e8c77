// Which SIMD target a set of kernels uses: what this build has, what this CPU can, what SIGHTLINE_SIMD asks for. Any thread.
#pragma once
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "cpu.hpp"

namespace sightline {

/// Every target that some machine has, best first; `scalar` is the reference and always there.
inline constexpr std::array<std::string_view, 5> all_targets = {"avx512", "avx2", "sse4", "neon", "scalar"};

/// The tables of one library's kernels and the one that is active. `Kernels` is a table of functions with a member `name`.
/// Keep one, for the whole process, as a function's static: tables and names are fixed after construction.
template <typename Kernels>
class Targets {
 public:
  /// @param table The compiled functions of a target of all_targets; its `name` stays empty when this build has none. Says nothing about the CPU.
  explicit Targets(Kernels (*table)(std::string_view name)) {
    for (const std::string_view name : all_targets) {
      if (name != "scalar" && !cpu_has(name)) continue;
      const Kernels made = table(name);
      if (made.name.empty()) continue;
      tables_.push_back(made);
      names_.push_back(name);
    }
    const char* wanted = std::getenv("SIGHTLINE_SIMD");
    active_ = wanted == nullptr || *wanted == '\0' ? &tables_.front() : find(wanted);
    if (active_ == nullptr) error_ = unusable(wanted);
  }

  /// The selected table; one atomic load. Throws std::runtime_error when SIGHTLINE_SIMD names an unusable target.
  const Kernels& active() const {
    const Kernels* kernels = active_.load(std::memory_order_relaxed);
    if (kernels == nullptr) throw std::runtime_error(error_);
    return *kernels;
  }

  /// Name of the active target; "" when error() says why there is none.
  std::string_view name() const {
    const Kernels* kernels = active_.load(std::memory_order_relaxed);
    return kernels == nullptr ? std::string_view() : kernels->name;
  }

  /// Why the target that SIGHTLINE_SIMD names cannot be used; "" when all is well.
  std::string error() const { return active_.load(std::memory_order_relaxed) == nullptr ? error_ : std::string(); }

  /// All targets this CPU and build support, best first; `scalar` is always the last.
  std::span<const std::string_view> supported() const { return names_; }

  /// Selects a target for the whole process. False (and no change) when it is unknown or unsupported here.
  bool set(std::string_view name) {
    const Kernels* kernels = find(name);
    if (kernels != nullptr) active_.store(kernels, std::memory_order_relaxed);
    return kernels != nullptr;
  }

 private:
  const Kernels* find(std::string_view name) const {
    const auto it = std::find_if(tables_.begin(), tables_.end(), [&](const Kernels& table) { return table.name == name; });
    return it == tables_.end() ? nullptr : &*it;
  }

  std::string unusable(std::string_view name) const {
    std::string usable;
    for (const std::string_view each : names_) usable.append(usable.empty() ? "" : ", ").append(each);
    const bool known = std::find(all_targets.begin(), all_targets.end(), name) != all_targets.end();
    return "SIGHTLINE_SIMD: expected one of " + usable + " (what this CPU and build support), received \"" +
           std::string(name.substr(0, 32)) + "\"" + (known ? ", which is not available here" : "");
  }

  std::vector<Kernels> tables_;
  std::vector<std::string_view> names_;
  std::atomic<const Kernels*> active_{nullptr};
  std::string error_;
};

}  // namespace sightline
