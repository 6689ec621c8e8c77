// What this CPU and its operating system can, in the names of our SIMD targets (`sse4`, `avx2`, `avx512`, `neon`): the support that
// Highway compiles for (hwy/targets.h). `scalar` is not asked for, it is always there.
#pragma once
#include <string_view>

namespace sightline {

inline bool cpu_has([[maybe_unused]] std::string_view name) {
#if defined(__x86_64__)
  const bool sse4 = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("aes");
  if (name == "sse4") return sse4;
  const bool avx2 = sse4 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                    __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  if (name == "avx2") return avx2;
  return name == "avx512" && avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd");
#elif defined(__aarch64__)
  return name == "neon";
#else
  return false;
#endif
}

}  // namespace sightline
