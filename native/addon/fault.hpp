// Fault: an error with a code of src/errors.ts, thrown inside the addon and turned into a JavaScript Error at its edge.
#pragma once
#include <stdexcept>
#include <string>

namespace sightline::addon {

class Fault : public std::runtime_error {
 public:
  Fault(const char* code, const std::string& message) : std::runtime_error(message), code_(code) {}
  const char* code() const noexcept { return code_; }

 private:
  const char* code_;  // a string literal
};

}  // namespace sightline::addon
