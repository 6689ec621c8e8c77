// What libav must be given for each kind of source, and how its words are kept free of addresses and credentials.
//
// Threads: pure.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "camera.hpp"

namespace sightline::capture {

/// Input of avformat_open_input.
struct Source {
  std::string url;       ///< for libav only: may hold credentials, never shown
  const char* format;    ///< name of the input format, null = probe
  std::string host;      ///< rtsp: host name or address without brackets, "" otherwise
  int port = 0;          ///< rtsp: port, 0 = none given
  const char* protocols; ///< protocol_whitelist
  std::string problem;   ///< not empty: this is no source of its kind (a sentence without the URL)
};

Source parse_source(SourceKind kind, const std::string& url);

/// The same RTSP source with the host replaced by a numeric address (brackets are added for IPv6).
std::string with_host(const std::string& url, const std::string& address);

/// Removes from libav's words whatever came from a URL: the URL, user, password (encoded or not), host, path and query.
class Redactor {
 public:
  Redactor() = default;
  Redactor(SourceKind kind, const std::string& url);
  std::string operator()(std::string_view text) const;

 private:
  struct Secret {
    std::string text;
    const char* shown;
  };
  void add(std::string_view text, const char* shown, std::size_t at_least);
  std::vector<Secret> secrets_;
};

/// Decodes %XX; a broken escape stays as it is.
std::string percent_decode(std::string_view text);

}  // namespace sightline::capture
