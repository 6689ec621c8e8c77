#include <string>

#include "pool.hpp"

namespace sightline::slots {
namespace {

std::string outside(const std::string& what, std::int64_t from, std::int64_t to, std::int64_t received) {
  return what + ": expected " + std::to_string(from) + ".." + std::to_string(to) + ", received " + std::to_string(received);
}

}  // namespace

std::string problem(const InputSpec& input, const std::string& where) {
  if (input.name.empty()) return where + ".name: expected a name, received \"\"";
  if (input.width < 1 || input.width > max_input_side) return outside(where + ".width", 1, max_input_side, input.width);
  if (input.height < 1 || input.height > max_input_side) return outside(where + ".height", 1, max_input_side, input.height);
  return {};
}

std::string problem(const PoolOptions& options) {
  if (options.batches < 2 || options.batches > max_batches) return outside("batches", 2, max_batches, options.batches);
  if (options.rows < 1 || options.rows > max_rows) return outside("rows", 1, max_rows, options.rows);
  const auto inputs = static_cast<std::int64_t>(options.inputs.size());
  if (inputs < 1 || inputs > max_inputs) return outside("inputs.length", 1, max_inputs, inputs);
  std::size_t total = 0;
  for (std::size_t i = 0; i < options.inputs.size(); ++i) {
    const InputSpec& input = options.inputs[i];
    const std::string where = "inputs[" + std::to_string(i) + "]";
    if (std::string text = problem(input, where); !text.empty()) return text;
    for (std::size_t j = 0; j < i; ++j) {
      if (options.inputs[j].name == input.name) return where + ".name: expected a name used once, received \"" + input.name + "\" again";
    }
    total += static_cast<std::size_t>(input.width) * static_cast<std::size_t>(input.height) * 3 *
             static_cast<std::size_t>(options.rows) * static_cast<std::size_t>(options.batches);
  }
  if (total > max_bytes) {
    return "batches * rows * inputs: expected at most " + std::to_string(max_bytes) + " bytes of tensors, received " + std::to_string(total);
  }
  return {};
}

bool operator==(const InputSpec& a, const InputSpec& b) {
  return a.name == b.name && a.width == b.width && a.height == b.height && a.fit == b.fit && a.pad == b.pad;
}

bool operator==(const PoolOptions& a, const PoolOptions& b) {
  return a.batches == b.batches && a.rows == b.rows && a.inputs == b.inputs;
}

}  // namespace sightline::slots
