#include "command.hpp"

#include <glib.h>

#include <cmath>
#include <cstdio>
#include <stdexcept>

namespace sightline::rtsp_server {
namespace {

struct Word {
  std::string text;
  std::size_t equals = std::string::npos;  ///< place of the first '=' outside quotes
};

std::vector<Word> split(std::string_view line) {
  std::vector<Word> words;
  std::optional<Word> word;
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (!quoted && (c == ' ' || c == '\t' || c == '\r')) {
      if (word) words.push_back(*word);
      word.reset();
      continue;
    }
    if (!word) word.emplace();
    if (c == '"') {
      quoted = !quoted;
    } else if (quoted && c == '\\' && i + 1 < line.size()) {
      word->text += line[++i];
    } else {
      if (c == '=' && !quoted && word->equals == std::string::npos) word->equals = word->text.size();
      word->text += c;
    }
  }
  if (quoted) throw std::invalid_argument("a quote is not closed");
  if (word) words.push_back(*word);
  return words;
}

}  // namespace

double Command::number(const std::string& key, double low, double high, double fallback) const {
  const auto found = options.find(key);
  if (found == options.end()) return fallback;
  std::size_t used = 0;
  double value = NAN;
  try {
    value = std::stod(found->second, &used);
  } catch (const std::logic_error&) {
    used = 0;
  }
  if (used == 0 || used != found->second.size() || !(value >= low && value <= high)) {
    char range[64] = {};
    std::snprintf(range, sizeof range, "a number from %g to %g", low, high);
    throw std::invalid_argument(key + ": expected " + range + ", received \"" + found->second + "\"");
  }
  return value;
}

std::string Command::text(const std::string& key, const std::string& fallback) const {
  const auto found = options.find(key);
  return found == options.end() ? fallback : found->second;
}

Command parse_command(std::string_view line) {
  Command command;
  for (const Word& word : split(line)) {
    // A path may hold '=' too; options come after the verb and never start with '/'.
    const bool option = word.equals != std::string::npos && word.equals > 0 && word.text.front() != '/' && !command.verb.empty();
    if (option) {
      command.options[word.text.substr(0, word.equals)] = word.text.substr(word.equals + 1);
    } else if (command.verb.empty()) {
      command.verb = word.text;
    } else {
      command.operands.push_back(word.text);
    }
  }
  return command;
}

std::string json_string(std::string_view text) {
  gchar* valid = g_utf8_make_valid(text.data(), static_cast<gssize>(text.size()));
  std::string out = "\"";
  for (const char* c = valid; *c != '\0'; ++c) {
    if (*c == '"' || *c == '\\') {
      out += '\\';
      out += *c;
    } else if (static_cast<unsigned char>(*c) < 0x20) {
      char escaped[8] = {};
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(*c)));
      out += escaped;
    } else {
      out += *c;
    }
  }
  g_free(valid);
  return out + '"';
}

}  // namespace sightline::rtsp_server
