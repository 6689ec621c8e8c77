// A small RTSP server for the tests that need a bad one: it can stay silent, refuse, lose packets, stall and hang up on command.
// (Good servers are covered by the integration tests.) One client at a time, H.264 or HEVC over TCP (interleaved) or UDP.
#pragma once
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <thread>
#include <utility>

extern "C" {
#include <libavutil/base64.h>
#include <libavutil/md5.h>
}

#include "capture_media.hpp"

namespace sightline::peer {

class Socket {
 public:
  explicit Socket(int fd = -1) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

/// A socket on a free loopback port.
inline Socket bound(int type, int* port) {
  Socket socket(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(socket.fd(), reinterpret_cast<sockaddr*>(&address), size) != 0) throw std::runtime_error("bind failed");
  getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&address), &size);
  *port = ntohs(address.sin_port);
  return socket;
}

struct Script {
  std::string silent_on;            ///< never answers this method ("*" = says nothing at all)
  std::string garbage;              ///< answers everything with this
  std::string status;               ///< answers DESCRIBE with this status line instead of 200
  std::string auth;                 ///< "Basic" or "Digest": wants user and password below
  std::string user, password;
  const media::Stream* stream = nullptr;
  int packet_us = 4'000;            ///< between two frames
  /// Asked for each RTP packet (frame, packet of the frame): true = lose it. Sequence numbers are spent either way.
  std::function<bool(int, int)> lose;
  /// Lost packets leave no gap in the sequence numbers, as behind a server that drops frames before numbering.
  bool renumber = false;
  int pause_before_frame = -1;      ///< sends nothing from this frame on until resume()
  int hang_up_before_frame = -1;
  /// May change an answer (method, bytes), an RTP packet before it is sent, and the bytes that carry it over TCP.
  std::function<void(const std::string&, std::string&)> spoil_answer;
  std::function<void(std::vector<std::uint8_t>&)> spoil_packet, spoil_wire;
};

class RtspPeer {
 public:
  explicit RtspPeer(Script script) : script_(std::move(script)), listener_(bound(SOCK_STREAM, &port_)) {
    listen(listener_.fd(), 4);
    thread_ = std::jthread([this](std::stop_token stop) { serve(stop); });
  }
  RtspPeer(const RtspPeer&) = delete;
  RtspPeer& operator=(const RtspPeer&) = delete;

  std::string url(const std::string& credentials = "") const {
    return "rtsp://" + (credentials.empty() ? "" : credentials + "@") + "127.0.0.1:" + std::to_string(port_) + "/cam";
  }
  void resume() { resumed_ = true; }
  int connections() const { return connections_; }
  bool torn_down() const { return torn_down_; }
  bool played() const { return played_; }

 private:
  struct Client {
    Socket socket;
    std::string inbox;
    bool udp = false, playing = false;
    sockaddr_in rtp_to{};
    Socket rtp, rtcp;
    std::uint16_t sequence = 1'000;
    int frame = 0;
  };

  void serve(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      if (!readable(listener_.fd(), 20)) continue;
      Client client;
      client.socket = Socket(accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC));
      if (client.socket.fd() < 0) continue;
      const int at_once = 1;  // else small packets wait for acknowledgements
      setsockopt(client.socket.fd(), IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
      ++connections_;
      while (!stop.stop_requested() && step(client)) {
      }
    }
  }

  static bool readable(int fd, int wait_ms) {
    pollfd p{fd, POLLIN, 0};
    return poll(&p, 1, wait_ms) > 0;
  }

  bool step(Client& client) {
    if (readable(client.socket.fd(), client.playing ? 0 : 20)) {
      std::array<char, 4096> bytes{};
      const ssize_t got = recv(client.socket.fd(), bytes.data(), bytes.size(), 0);
      if (got <= 0) return false;
      client.inbox.append(bytes.data(), static_cast<std::size_t>(got));
      for (std::size_t end = client.inbox.find("\r\n\r\n"); end != std::string::npos; end = client.inbox.find("\r\n\r\n")) {
        const std::string request = client.inbox.substr(0, end + 4);
        client.inbox.erase(0, end + 4);
        answer(client, request);
      }
    }
    return !client.playing || play(client);
  }

  static std::string header(const std::string& request, const std::string& name) {
    const std::size_t at = request.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "";
    const std::size_t begin = at + name.size() + 4;
    return request.substr(begin, request.find("\r\n", begin) - begin);
  }

  void answer(Client& client, const std::string& request) {
    const std::string method = request.substr(0, request.find(' '));
    if (method == "TEARDOWN") torn_down_ = true;
    if (script_.silent_on == "*" || script_.silent_on == method) return;
    if (!script_.garbage.empty()) return say(client, script_.garbage);
    const std::string sequence = "CSeq: " + header(request, "CSeq") + "\r\n";
    if (method == "DESCRIBE" && !script_.status.empty()) return say(client, "RTSP/1.0 " + script_.status + "\r\n" + sequence + "\r\n");
    if (method != "OPTIONS" && !script_.auth.empty() && !authorised(request, method)) {
      const std::string challenge = script_.auth + " realm=\"test\"" + (script_.auth == "Digest" ? ", nonce=\"0123abcd\"" : "");
      return say(client, "RTSP/1.0 401 Unauthorized\r\n" + sequence + "WWW-Authenticate: " + challenge + "\r\n\r\n");
    }
    std::string headers, body;
    if (method == "OPTIONS") headers = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n";
    if (method == "DESCRIBE") {
      body = description();
      headers = "Content-Type: application/sdp\r\nContent-Base: " + url() + "/\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    }
    if (method == "SETUP") headers = set_up(client, header(request, "Transport")) + "Session: 1\r\n";
    if (method == "PLAY") headers = "Session: 1\r\n";
    std::string whole = "RTSP/1.0 200 OK\r\n" + sequence + headers + "\r\n" + body;
    if (script_.spoil_answer) script_.spoil_answer(method, whole);
    say(client, whole);
    if (method == "PLAY") played_ = client.playing = true;
  }

  static void say(Client& client, const std::string& text) { send(client.socket.fd(), text.data(), text.size(), MSG_NOSIGNAL); }

  static std::string md5(const std::string& text) {
    std::array<std::uint8_t, 16> sum{};
    av_md5_sum(sum.data(), reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    std::string hex;
    for (const std::uint8_t byte : sum) {
      hex += "0123456789abcdef"[byte >> 4];
      hex += "0123456789abcdef"[byte & 15];
    }
    return hex;
  }

  bool authorised(const std::string& request, const std::string& method) const {
    const std::string given = header(request, "Authorization");
    const std::string login = script_.user + ":" + script_.password;
    if (script_.auth == "Basic") {
      std::array<char, 256> encoded{};
      av_base64_encode(encoded.data(), static_cast<int>(encoded.size()), reinterpret_cast<const std::uint8_t*>(login.data()), static_cast<int>(login.size()));
      return given == std::string("Basic ") + encoded.data();
    }
    const auto field = [&given](const std::string& name) {
      const std::size_t at = given.find(name + "=\"");
      if (at == std::string::npos) return std::string();
      const std::size_t begin = at + name.size() + 2;
      return given.substr(begin, given.find('"', begin) - begin);
    };
    const std::string a1 = md5(script_.user + ":test:" + script_.password), a2 = md5(method + ":" + field("uri"));
    return field("response") == md5(a1 + ":0123abcd:" + a2);
  }

  std::string description() const {
    return "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=test\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\nc=IN IP4 0.0.0.0\r\n"
        "a=rtpmap:96 " +
        (hevc() ? std::string("H265/90000\r\n") : std::string("H264/90000\r\na=fmtp:96 packetization-mode=1\r\n")) + "a=control:track1\r\n";
  }

  std::string set_up(Client& client, const std::string& transport) {
    const std::size_t at = transport.find("client_port=");
    if (at == std::string::npos) return "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n";
    client.udp = true;
    client.rtp_to.sin_family = AF_INET;
    client.rtp_to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client.rtp_to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(transport.substr(at + 12))));
    int rtp_port = 0, rtcp_port = 0;
    client.rtp = bound(SOCK_DGRAM, &rtp_port);
    client.rtcp = bound(SOCK_DGRAM, &rtcp_port);
    return "Transport: " + transport + ";server_port=" + std::to_string(rtp_port) + "-" + std::to_string(rtcp_port) + "\r\n";
  }

  bool play(Client& client) {
    const auto& packets = script_.stream->packets;
    if (client.frame == script_.hang_up_before_frame) return false;
    const bool paused = client.frame == script_.pause_before_frame && !resumed_;
    if (paused || client.frame >= static_cast<int>(packets.size())) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      return true;
    }
    send_frame(client, packets[static_cast<std::size_t>(client.frame)]);
    ++client.frame;
    std::this_thread::sleep_for(std::chrono::microseconds(script_.packet_us));
    return true;
  }

  bool hevc() const { return script_.stream->codec == AV_CODEC_ID_HEVC; }

  /// Splits Annex B into NAL units and sends each as single packets or fragments (RFC 6184 and RFC 7798).
  void send_frame(Client& client, const media::Packet& frame) {
    std::vector<std::vector<std::uint8_t>> units;
    constexpr std::array<std::uint8_t, 3> code = {0, 0, 1};
    auto at = std::search(frame.data.begin(), frame.data.end(), code.begin(), code.end());
    while (at != frame.data.end()) {
      const auto begin = at + 3;
      at = std::search(begin, frame.data.end(), code.begin(), code.end());
      units.emplace_back(begin, at);
      while (at != frame.data.end() && !units.back().empty() && units.back().back() == 0) units.back().pop_back();
    }
    int packet = 0;
    for (std::size_t i = 0; i < units.size(); ++i) send_unit(client, frame, units[i], i + 1 == units.size(), packet);
  }

  /// The header of a fragment stands for that of the unit; its last byte holds the unit's type and the start and end marks.
  std::vector<std::uint8_t> fragment_header(const std::vector<std::uint8_t>& unit) const {
    const auto byte = [](int value) { return static_cast<std::uint8_t>(value); };
    if (hevc()) return {byte((unit[0] & 0x81) | 49 << 1), unit[1], byte((unit[0] >> 1) & 0x3f)};
    return {byte((unit[0] & 0xe0) | 28), byte(unit[0] & 0x1f)};
  }

  void send_unit(Client& client, const media::Packet& frame, const std::vector<std::uint8_t>& unit, bool last, int& packet) {
    constexpr std::size_t fragment = 400;
    const std::size_t begin = hevc() ? 2 : 1;
    if (unit.size() <= fragment + begin) return send_rtp(client, frame, unit, last, packet++);
    for (std::size_t at = begin; at < unit.size(); at += fragment) {
      const std::size_t end = std::min(at + fragment, unit.size());
      std::vector<std::uint8_t> payload = fragment_header(unit);
      payload.back() = static_cast<std::uint8_t>(payload.back() | (at == begin ? 0x80 : 0) | (end == unit.size() ? 0x40 : 0));
      payload.insert(payload.end(), unit.begin() + static_cast<std::ptrdiff_t>(at), unit.begin() + static_cast<std::ptrdiff_t>(end));
      send_rtp(client, frame, payload, last && end == unit.size(), packet++);
    }
  }

  void send_rtp(Client& client, const media::Packet& frame, const std::vector<std::uint8_t>& payload, bool marker, int packet) {
    const bool lost = script_.lose && script_.lose(client.frame, packet);
    if (!lost || !script_.renumber) ++client.sequence;
    if (lost) return;
    const auto stamp = static_cast<std::uint32_t>(frame.pts * 90'000 / script_.stream->recipe.fps + 12'345);
    std::vector<std::uint8_t> rtp = {0x80, static_cast<std::uint8_t>(96 | (marker ? 0x80 : 0)),
                                     static_cast<std::uint8_t>(client.sequence >> 8), static_cast<std::uint8_t>(client.sequence)};
    for (int shift = 24; shift >= 0; shift -= 8) rtp.push_back(static_cast<std::uint8_t>(stamp >> shift));
    rtp.insert(rtp.end(), {1, 2, 3, 4});
    rtp.insert(rtp.end(), payload.begin(), payload.end());
    if (script_.spoil_packet) script_.spoil_packet(rtp);
    if (client.udp) {
      await_reader(ntohs(client.rtp_to.sin_port));
      sendto(client.rtp.fd(), rtp.data(), rtp.size(), 0, reinterpret_cast<const sockaddr*>(&client.rtp_to), sizeof client.rtp_to);
      return;
    }
    const std::array<std::uint8_t, 4> head = {'$', 0, static_cast<std::uint8_t>(rtp.size() >> 8), static_cast<std::uint8_t>(rtp.size())};
    rtp.insert(rtp.begin(), head.begin(), head.end());
    if (script_.spoil_wire) script_.spoil_wire(rtp);
    send(client.socket.fd(), rtp.data(), rtp.size(), MSG_NOSIGNAL);
  }

  /// Returns when the client has read what it was sent: on a busy machine its socket would overflow, and lose what the script does not.
  static void await_reader(int port) {
    std::array<char, 8> wanted{};
    std::snprintf(wanted.data(), wanted.size(), ":%04X", static_cast<unsigned>(port));
    for (int turn = 0; turn < 1'000; ++turn) {
      std::ifstream table("/proc/net/udp");
      unsigned long waiting = 0;
      for (std::string line; std::getline(table, line);) {
        // sl local_address rem_address st tx_queue:rx_queue ...
        std::istringstream fields(line);
        std::string number, local, remote, state, queues;
        fields >> number >> local >> remote >> state >> queues;
        if (local.ends_with(wanted.data()) && queues.size() > 9) waiting = std::stoul(queues.substr(9), nullptr, 16);
      }
      if (waiting < 32'768) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  const Script script_;
  int port_ = 0;
  Socket listener_;
  std::atomic<int> connections_{0};
  std::atomic<bool> resumed_{false}, torn_down_{false}, played_{false};
  std::jthread thread_;
};

}  // namespace sightline::peer
