// Entry of the plain C++ test binary: native_tests [--list | part-of-a-test-name]
#include <algorithm>
#include <cstdio>
#include <exception>
#include <mutex>
#include <vector>

#include "check.hpp"

namespace sightline::check {
namespace {

constexpr std::size_t kept_failures_max = 20;

struct Test {
  const char* name;
  Body body;
};

struct State {
  std::mutex mutex;
  std::vector<std::string> failures;
  std::vector<std::string> notes;
  std::size_t failed = 0;
};

std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

State& state() {
  static State one;
  return one;
}

enum class Outcome { passed, failed, skipped };

Outcome run_body(const Test& test, std::string* skip_reason) {
  State& s = state();
  s.failures.clear();
  s.notes.clear();
  s.failed = 0;
  try {
    test.body();
  } catch (const Skip& skip) {
    *skip_reason = skip.reason;
    return failing() ? Outcome::failed : Outcome::skipped;
  } catch (const Abandon&) {
    return Outcome::failed;
  } catch (const std::exception& error) {
    fail("test body", 0, std::string("exception: ") + error.what());
  } catch (...) {
    fail("test body", 0, "unknown exception");
  }
  return failing() ? Outcome::failed : Outcome::passed;
}

}  // namespace

bool add(const char* name, Body body) {
  tests().push_back({name, body});
  return true;
}

void fail(const char* file, int line, const std::string& what) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  ++s.failed;
  if (s.failures.size() >= kept_failures_max) return;
  const std::string path(file);
  const std::size_t slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  s.failures.push_back(name + ":" + std::to_string(line) + ": " + what);
}

void note(const std::string& text) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  s.notes.push_back(text);
}

bool failing() {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  return s.failed > 0;
}

void list() {
  for (const Test& test : tests()) std::printf("%s\n", test.name);
}

int run(std::string_view filter) {
  std::vector<Test> chosen;
  for (const Test& test : tests()) {
    if (std::string_view(test.name).find(filter) != std::string_view::npos) chosen.push_back(test);
  }
  // Registration order depends on the linker; names make the order stable.
  std::sort(chosen.begin(), chosen.end(), [](const Test& a, const Test& b) { return std::string_view(a.name) < b.name; });
  if (chosen.empty()) {
    std::printf("Bail out! no test name contains \"%.*s\"\n", static_cast<int>(filter.size()), filter.data());
    return 2;
  }
  std::printf("TAP version 13\n1..%zu\n", chosen.size());
  int failed = 0;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    std::string skip_reason;
    const Outcome outcome = run_body(chosen[i], &skip_reason);
    const State& s = state();
    if (outcome == Outcome::failed) ++failed;
    std::printf("%s %zu - %s", outcome == Outcome::failed ? "not ok" : "ok", i + 1, chosen[i].name);
    if (outcome == Outcome::skipped) std::printf(" # SKIP %s", skip_reason.c_str());
    std::printf("\n");
    for (const std::string& text : s.notes) std::printf("# %s\n", text.c_str());
    for (const std::string& text : s.failures) std::printf("# failed: %s\n", text.c_str());
    if (s.failed > s.failures.size()) std::printf("# and %zu more failed checks\n", s.failed - s.failures.size());
    std::fflush(stdout);
  }
  std::printf("# %zu tests, %d failed\n", chosen.size(), failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace sightline::check

int main(int argc, char** argv) {
  const std::string_view argument = argc > 1 ? argv[1] : "";
  if (argument == "--list") {
    sightline::check::list();
    return 0;
  }
  return sightline::check::run(argument);
}
