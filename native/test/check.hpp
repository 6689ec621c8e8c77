// A tiny test harness that prints TAP, so that node-tap can read the plain C++ binary too.
//
//   SL_TEST("pool: a full pool refuses a claim") {
//     CHECK(pool->claim(1, &why) == std::nullopt);
//     CHECK_EQ(static_cast<int>(why), 1);
//     CHECK_NEAR(mean, 0.5, 1e-6);
//   }
//
// A failed check is recorded and the test goes on (REQUIRE ends it); checks may be made from any thread that ends before the
// test body does. An exception that leaves the body fails the test. SKIP("reason") ends the body and is shown as a TAP skip.
#pragma once
#include <cmath>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>

namespace sightline::check {

using Body = void (*)();

/// Adds a test to the registry; called by SL_TEST at load. The name must be unique.
bool add(const char* name, Body body);
/// Records a failure of the running test; at most 20 are kept, the rest is counted. Any thread.
void fail(const char* file, int line, const std::string& what);
/// Adds a line of explanation (`# ...`) to the output of the running test, passed or failed. Any thread.
void note(const std::string& text);
/// True when the running test has failed checks.
bool failing();
/// Runs the tests whose name contains `filter` ("" = all), prints TAP; the exit code: 0 = all passed, 1 = failures, 2 = no such test.
int run(std::string_view filter);
/// Prints the names, one a line.
void list();

struct Skip {
  std::string reason;
};
struct Abandon {};  ///< thrown by REQUIRE after the failure was recorded

template <class T>
std::string show(const T& value) {
  std::ostringstream out;
  if constexpr (sizeof(T) == 1 && std::is_integral_v<T>) {
    out << static_cast<int>(value);
  } else {
    out << value;
  }
  return out.str();
}

template <class A, class B>
void equal(const char* file, int line, const char* text, const A& a, const B& b) {
  if (!(a == b)) fail(file, line, std::string(text) + ": " + show(a) + " != " + show(b));
}

inline void near(const char* file, int line, const char* text, double a, double b, double tolerance) {
  if (!(std::abs(a - b) <= tolerance)) {
    fail(file, line, std::string(text) + ": " + show(a) + " is not within " + show(tolerance) + " of " + show(b));
  }
}

}  // namespace sightline::check

#define SL_JOIN2(a, b) a##b
#define SL_JOIN(a, b) SL_JOIN2(a, b)
#define SL_TEST(name)                                                                             \
  static void SL_JOIN(sl_test_, __LINE__)();                                                      \
  [[maybe_unused]] static const bool SL_JOIN(sl_test_added_, __LINE__) =                          \
      ::sightline::check::add(name, &SL_JOIN(sl_test_, __LINE__));                                \
  static void SL_JOIN(sl_test_, __LINE__)()
#define CHECK(condition)                                                                          \
  do {                                                                                            \
    if (!(condition)) ::sightline::check::fail(__FILE__, __LINE__, #condition);                   \
  } while (false)
#define REQUIRE(condition)                                                                        \
  do {                                                                                            \
    if (!(condition)) {                                                                           \
      ::sightline::check::fail(__FILE__, __LINE__, #condition);                                   \
      throw ::sightline::check::Abandon{};                                                        \
    }                                                                                             \
  } while (false)
#define CHECK_EQ(a, b) ::sightline::check::equal(__FILE__, __LINE__, #a " == " #b, (a), (b))
#define CHECK_NEAR(a, b, tolerance) ::sightline::check::near(__FILE__, __LINE__, #a " ~ " #b, (a), (b), (tolerance))
#define FAIL(text) ::sightline::check::fail(__FILE__, __LINE__, (text))
#define SKIP(text) throw ::sightline::check::Skip { (text) }
