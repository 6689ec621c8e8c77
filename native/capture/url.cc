#include "url.hpp"

#include <algorithm>
#include <cctype>

namespace sightline::capture {
namespace {

constexpr const char* rtsp_protocols = "rtsp,rtsps,rtp,srtp,udp,tcp,tls";

struct Parts {
  std::string_view scheme, userinfo, host, port, rest;
  std::size_t host_at = 0, host_length = 0;  ///< with brackets
};

Parts split(std::string_view url) {
  Parts parts;
  const std::size_t mark = url.find("://");
  if (mark == std::string_view::npos) return parts;
  parts.scheme = url.substr(0, mark);
  const std::size_t start = mark + 3;
  const std::size_t end = std::min(url.find_first_of("/?#", start), url.size());
  std::string_view authority = url.substr(start, end - start);
  parts.rest = url.substr(end);
  std::size_t at = start;
  if (const std::size_t sign = authority.rfind('@'); sign != std::string_view::npos) {
    parts.userinfo = authority.substr(0, sign);
    authority.remove_prefix(sign + 1);
    at += sign + 1;
  }
  std::size_t host_end = std::min(authority.find(':'), authority.size());
  if (authority.starts_with('[')) host_end = std::min(authority.find(']'), authority.size() - 1) + 1;
  parts.host_at = at;
  parts.host_length = host_end;
  parts.host = authority.substr(0, host_end);
  if (parts.host.starts_with('[') && parts.host.ends_with(']')) parts.host = parts.host.substr(1, parts.host.size() - 2);
  if (host_end + 1 < authority.size() && authority[host_end] == ':') parts.port = authority.substr(host_end + 1);
  return parts;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string_view without_prefix(std::string_view text, std::string_view scheme) {
  if (!text.starts_with(scheme)) return text;
  text.remove_prefix(scheme.size());
  if (text.starts_with("//")) text.remove_prefix(2);
  return text;
}

Source parse_rtsp(const std::string& url) {
  Source source{url, "rtsp", {}, 0, rtsp_protocols, {}};
  const Parts parts = split(url);
  const std::string scheme = lower(parts.scheme);
  if (scheme != "rtsp" && scheme != "rtsps") {
    source.problem = "expected a URL that begins with rtsp:// or rtsps://";
    return source;
  }
  source.host = std::string(parts.host);
  if (source.host.empty()) source.problem = "expected a host name after rtsp://";
  for (const char c : parts.port) {
    if (c < '0' || c > '9' || source.port > 65535) {
      source.problem = "expected a port of 1..65535";
      return source;
    }
    source.port = source.port * 10 + (c - '0');
  }
  if (!parts.port.empty() && (source.port < 1 || source.port > 65535)) source.problem = "expected a port of 1..65535";
  return source;
}

}  // namespace

Source parse_source(SourceKind kind, const std::string& url) {
  switch (kind) {
    case SourceKind::rtsp: return parse_rtsp(url);
    case SourceKind::v4l2: {
      Source source{std::string(without_prefix(url, "v4l2:")), "video4linux2", {}, 0, "file", {}};
      if (!source.url.starts_with("/dev/")) source.problem = "expected a device such as /dev/video0";
      return source;
    }
    case SourceKind::file: {
      const std::string path(without_prefix(url, "file:"));
      // The prefix keeps a name with a colon from being read as a protocol. Only local files: a playlist cannot reach out.
      Source source{"file:" + path, nullptr, {}, 0, "file", {}};
      if (path.empty()) source.problem = "expected the path of a file";
      return source;
    }
    case SourceKind::lavfi: {
      Source source{std::string(without_prefix(url, "lavfi:")), "lavfi", {}, 0, "file", {}};
      if (source.url.empty()) source.problem = "expected a filter graph";
      return source;
    }
  }
  return {{}, nullptr, {}, 0, "", "expected rtsp, v4l2, file or lavfi"};
}

std::string with_host(const std::string& url, const std::string& address) {
  const Parts parts = split(url);
  std::string out = url;
  const bool six = address.find(':') != std::string::npos;
  return out.replace(parts.host_at, parts.host_length, six ? "[" + address + "]" : address);
}

std::string percent_decode(std::string_view text) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0) {
      out.push_back(static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

Redactor::Redactor(SourceKind kind, const std::string& url) {
  add(url, "<url>", 1);
  if (kind == SourceKind::file || kind == SourceKind::v4l2) {
    add(without_prefix(without_prefix(url, "file:"), "v4l2:"), kind == SourceKind::file ? "<file>" : "<device>", 2);
  } else if (kind == SourceKind::rtsp) {
    const Parts parts = split(url);
    const std::size_t colon = parts.userinfo.find(':');
    const std::string_view user = parts.userinfo.substr(0, colon);
    const std::string_view password = colon == std::string_view::npos ? "" : parts.userinfo.substr(colon + 1);
    add(parts.userinfo, "<credentials>", 1);
    add(percent_decode(parts.userinfo), "<credentials>", 1);
    // libav never prints a password by itself; shorter ones than this would blank out half of every sentence.
    for (const std::string_view secret : {password, user}) {
      add(secret, "<credentials>", 3);
      add(percent_decode(secret), "<credentials>", 3);
    }
    add(parts.rest, "<path>", 2);
    add(percent_decode(parts.rest), "<path>", 2);
    add(parts.host, "<host>", 1);
  }
  // Longest first: a short secret inside a longer one must not leave the rest of the longer one behind.
  std::stable_sort(secrets_.begin(), secrets_.end(),
                   [](const Secret& a, const Secret& b) { return a.text.size() > b.text.size(); });
}

void Redactor::add(std::string_view text, const char* shown, std::size_t at_least) {
  if (text.size() < std::max<std::size_t>(at_least, 1)) return;
  secrets_.push_back({std::string(text), shown});
}

std::string Redactor::operator()(std::string_view text) const {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto hit = std::find_if(secrets_.begin(), secrets_.end(),
                                  [&](const Secret& secret) { return text.substr(i).starts_with(secret.text); });
    if (hit != secrets_.end()) {
      out += hit->shown;
      i += hit->text.size();
    } else {
      out.push_back(text[i++]);
    }
  }
  // Whatever else looks like an address, such as one that a server redirected to.
  for (std::size_t mark = out.find("://"); mark != std::string::npos; mark = out.find("://", mark)) {
    std::size_t begin = mark;
    while (begin > 0 && (std::isalnum(static_cast<unsigned char>(out[begin - 1])) != 0 || out[begin - 1] == '+')) --begin;
    const std::size_t end = std::min(out.find_first_of(" \t'\"", mark + 3), out.size());
    out.replace(begin, end - begin, "<url>");
    mark = begin + 5;
  }
  return out;
}

}  // namespace sightline::capture
