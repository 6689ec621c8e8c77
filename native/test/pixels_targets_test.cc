// Choosing a target: by name, by SIGHTLINE_SIMD (in a child process, since it is read once), and what happens when it cannot be used.
#include <cstdio>
#include <stdexcept>

#include <sys/wait.h>
#include <unistd.h>

#include "pixels_support.hpp"

using namespace pixel_test;

namespace {

/// The output of this binary running the probe test below with SIGHTLINE_SIMD set.
std::string probe(const char* value) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) throw std::runtime_error("pipe failed");
  const pid_t child = fork();
  if (child == 0) {
    setenv("SIGHTLINE_SIMD", value, 1);
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    execl("/proc/self/exe", "native_tests", "pixels targets probe", static_cast<char*>(nullptr));
    _exit(127);
  }
  close(ends[1]);
  std::string text;
  std::array<char, 512> buffer{};
  for (ssize_t n = 0; (n = read(ends[0], buffer.data(), buffer.size())) > 0;) text.append(buffer.data(), static_cast<size_t>(n));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return text;
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

SL_TEST("pixels targets probe") {
  sightline::check::note("target=" + std::string(target()) + " error=" + target_error());
  Picture picture(Layout::gray8, 4, 4);
  Output out(4, 4);
  try {
    to_rgb(picture.view, out.span(), 4, 4, whole(4, 4), 0);
    sightline::check::note("converted");
  } catch (const std::runtime_error& error) {
    sightline::check::note(std::string("threw ") + error.what());
  }
}

SL_TEST("pixels targets: scalar is always there and last, the active one is supported; which ran is printed") {
  const auto targets = supported_targets();
  REQUIRE(!targets.empty());
  CHECK_EQ(targets.back(), "scalar");
  std::string names;
  for (const std::string_view each : targets) names.append(" ").append(each);
  sightline::check::note("targets:" + names + ", active: " + std::string(target()));
  CHECK(target_error().empty());
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) CHECK(names.find("avx2") != std::string::npos);
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) CHECK_EQ(targets.front(), "avx512");
#elif defined(__aarch64__)
  CHECK_EQ(targets.front(), "neon");
#endif
}

SL_TEST("pixels targets: set_target() takes every supported name, refuses others and then changes nothing") {
  const std::string_view before = target();
  for (const std::string_view each : supported_targets()) {
    CHECK(set_target(each));
    CHECK_EQ(target(), each);
  }
  CHECK(set_target("scalar"));
  for (const char* bad : {"", "AVX2", "avx", "sse5", "best"}) {
    CHECK(!set_target(bad));
    CHECK_EQ(target(), "scalar");
  }
  CHECK(set_target(before));
}

SL_TEST("pixels targets: SIGHTLINE_SIMD selects, and says why it cannot") {
  for (const std::string_view each : supported_targets()) {
    const std::string text = probe(std::string(each).c_str());
    CHECK(has(text, "target=" + std::string(each) + " error=\n"));
    CHECK(has(text, "converted"));
  }
  CHECK(has(probe(""), "target=" + std::string(supported_targets().front()) + " error=\n"));
  const std::string bad = probe("mmx");
  CHECK(has(bad, "target= error=SIGHTLINE_SIMD: expected one of"));
  CHECK(has(bad, "received \"mmx\""));
  CHECK(has(bad, "threw SIGHTLINE_SIMD"));
  CHECK(!has(bad, "converted"));
#if defined(__x86_64__)
  CHECK(has(probe("neon"), "received \"neon\", which is not available here"));
#endif
}
