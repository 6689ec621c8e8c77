// Arguments of geometry.node: JavaScript values -> plain C++ values, each checked. Throws Fault NATIVE_ARGUMENT, with `where` naming the
// argument (`fitGaze: rows`).
#pragma once
#include <napi.h>

#include <cstdint>
#include <span>
#include <string>

#include "../addon/fault.hpp"

namespace sightline::geometry_addon {

addon::Fault wrong(const std::string& where, const std::string& expected, const std::string& received);
bool boolean(const Napi::Value&, const std::string& where);
std::string text(const Napi::Value&, const std::string& where, std::size_t bytes_max);
Napi::Object object(const Napi::Value&, const std::string& where);
/// Borrowed elements of a Float64Array over an ordinary ArrayBuffer (what another thread can change is refused); their number is a
/// multiple of `each`.
std::span<const double> doubles(const Napi::Value&, const std::string& where, std::size_t each);

/// A copy as a Float64Array.
Napi::Float64Array to_doubles(Napi::Env, std::span<const double>);

}  // namespace sightline::geometry_addon
