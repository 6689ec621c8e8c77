// SL_ASSERT: states a fact that only a fault of ours can break. Kept in release builds: a wrong slot transition would hand one
// camera's pixels to another, which is worse than a restart. Operating errors (a camera that goes away) are never asserted.
#pragma once
#include <cstdio>
#include <cstdlib>

namespace sightline {

[[noreturn]] inline void assertion_failed(const char* file, int line, const char* condition, const char* message) {
  std::fprintf(stderr, "sightline: assertion failed at %s:%d: %s (%s)\n", file, line, message, condition);
  std::abort();
}

}  // namespace sightline

#define SL_ASSERT(condition, message)                                                        \
  do {                                                                                       \
    if (!(condition)) [[unlikely]] {                                                         \
      ::sightline::assertion_failed(__FILE__, __LINE__, #condition, message);                \
    }                                                                                        \
  } while (false)
