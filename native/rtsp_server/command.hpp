// One line of stdin into words, and answers back into one line of JSON.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sightline::rtsp_server {

/// `verb operand... key=value...`
struct Command {
  std::string verb;
  std::vector<std::string> operands;
  std::map<std::string, std::string> options;

  /// The option as a number in [low, high], or `fallback` when it isn't given. Throws std::invalid_argument that names the option.
  double number(const std::string& key, double low, double high, double fallback) const;
  /// The option's text, or `fallback`.
  std::string text(const std::string& key, const std::string& fallback) const;
};

/// Splits at spaces; a part in double quotes (with \" and \\ inside) keeps its spaces. Throws std::invalid_argument for an open quote.
Command parse_command(std::string_view line);

/// `text` as a JSON string with its quotes. Bytes that aren't UTF-8 become U+FFFD.
std::string json_string(std::string_view text);

}  // namespace sightline::rtsp_server
