// Which SIMD target the estimators use. Any thread.
#pragma once
#include <span>
#include <string>
#include <string_view>

namespace sightline::geometry {

/// Name of the active SIMD target (`scalar`, `sse4`, `avx2`, `avx512`, `neon`); "" when target_error() says why there is none.
std::string_view target();
/// Why the target that SIGHTLINE_SIMD names cannot be used; "" when all is well.
std::string target_error();
/// All targets this CPU supports, best first; `scalar` is always the last.
std::span<const std::string_view> supported_targets();
/// Selects a target for the whole process. False (and no change) when it is unknown or unsupported here.
bool set_target(std::string_view name);

}  // namespace sightline::geometry
