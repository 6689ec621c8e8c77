// Cameras behind bad and good RTSP servers: silence, refusal, passwords, stalls, reconnects.
#include "capture_peer.hpp"
#include "capture_witness.hpp"

namespace {

using namespace sightline;
using namespace sightline::witness;
using capture::SourceKind;
using capture::State;
using capture::Transport;
using peer::RtspPeer;
using peer::Script;

/// Nothing here lasts nearly so long, on no machine: what ends before was ended.
constexpr int long_ms = 600'000;
constexpr std::int64_t at_once_ms = 60'000;

capture::CameraOptions rtsp(const std::string& url, Transport transport = Transport::tcp) {
  capture::CameraOptions o = witness::options(SourceKind::rtsp, url);
  o.transport = transport;
  return o;
}

/// No wait of this camera ends by itself while a test looks on.
capture::CameraOptions patient(capture::CameraOptions o) {
  o.open_timeout_ms = o.read_timeout_ms = o.stall_limit_ms = long_ms;
  return o;
}

void check_stops_at_once(Witness& camera, const std::string& what) {
  const std::int64_t start_us = monotonic_us();
  camera.camera().stop();
  const std::int64_t took_ms = (monotonic_us() - start_us) / 1'000;
  if (took_ms >= at_once_ms) FAIL(what + ": the stop took " + std::to_string(took_ms) + " ms");
  check::note(what + ": stopped in " + std::to_string(took_ms) + " ms");
  CHECK(camera.state() == State::disabled);
}

const media::Stream& stream() {
  static const media::Stream one = media::encode(media::h264(60, 15, 0, false));
  return one;
}

SL_TEST("capture stop: ends any wait before its time, whatever the server withholds") {
  const std::pair<const char*, Transport> cases[] = {
      {"*", Transport::tcp}, {"OPTIONS", Transport::tcp}, {"DESCRIBE", Transport::tcp}, {"SETUP", Transport::udp}, {"PLAY", Transport::udp},
  };
  for (const auto& [silent_on, transport] : cases) {
    Script script;
    script.silent_on = silent_on;
    script.stream = &stream();
    RtspPeer server(script);
    Witness camera(patient(rtsp(server.url(), transport)));
    CHECK(eventually([&] { return server.connections() > 0; }));
    std::this_thread::sleep_for(std::chrono::milliseconds(150));
    check_stops_at_once(camera, std::string("silent on ") + silent_on);
  }
}

SL_TEST("capture stop: ends a connect to a listener that never accepts") {
  int port = 0;
  const peer::Socket full = peer::bound(SOCK_STREAM, &port);
  listen(full.fd(), 0);
  // Fill the backlog, so that further connects hang in SYN.
  std::vector<peer::Socket> fillers;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  for (int i = 0; i < 4; ++i) {
    fillers.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    connect(fillers.back().fd(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  capture::CameraOptions options = rtsp("rtsp://127.0.0.1:" + std::to_string(port) + "/x");
  Witness camera(patient(options));
  CHECK(eventually([&] { return camera.state() == State::connecting; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  check_stops_at_once(camera, "hanging connect");
  options.open_timeout_ms = 300;
  Witness impatient(options);
  CHECK(eventually([&] { return impatient.reached("backing_off:CAPTURE_TIMEOUT"); }));
}

SL_TEST("capture stop: ends a stream over UDP that brings nothing, saying goodbye") {
  Script script;
  script.stream = &stream();
  script.pause_before_frame = 0;
  RtspPeer server(script);
  Witness camera(patient(rtsp(server.url(), Transport::udp)));
  CHECK(eventually([&] { return server.played(); }));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  CHECK(camera.state() == State::connecting);
  check_stops_at_once(camera, "UDP without data");
  CHECK(eventually([&] { return server.torn_down(); }));
}

SL_TEST("capture failures: each has its reason") {
  int refused = 0;
  { const peer::Socket gone = peer::bound(SOCK_STREAM, &refused); }
  struct Case {
    Script script;
    const char* state;
  };
  std::vector<Case> cases;
  const auto add = [&cases](const char* state, const std::function<void(Script&)>& change) {
    cases.push_back({{}, state});
    cases.back().script.stream = &stream();
    change(cases.back().script);
  };
  add("backing_off:CAPTURE_TIMEOUT", [](Script& s) { s.silent_on = "DESCRIBE"; });
  add("backing_off:CAPTURE_TIMEOUT", [](Script& s) { s.garbage = "HTTP/1.0 400 What\r\n\r\n<html>"; });
  add("backing_off:CAPTURE_AUTH", [](Script& s) { s.status = "403 Forbidden"; });
  add("backing_off:CAPTURE_NOT_FOUND", [](Script& s) { s.status = "404 Not Found"; });
  add("backing_off:CAPTURE_OPEN_FAILED", [](Script& s) { s.status = "500 Oops"; });
  for (const Case& c : cases) {
    RtspPeer server(c.script);
    capture::CameraOptions options = rtsp(server.url());
    options.open_timeout_ms = 700;
    Witness camera(options);
    if (!eventually([&] { return camera.reached(c.state); })) {
      FAIL(std::string(c.state) + " not reached: " + (camera.states().empty() ? "nothing" : camera.states().front()) + " " + camera.stats().detail);
    }
    CHECK(camera.stats().detail.find("127.0.0.1") == std::string::npos);
  }
  Witness camera(rtsp("rtsp://u:p@127.0.0.1:" + std::to_string(refused) + "/x"));
  CHECK(eventually([&] { return camera.reached("backing_off:CAPTURE_REFUSED"); }));
}

SL_TEST("capture failures: endless garbage does not hold the open beyond its time") {
  Script script;
  script.garbage = std::string(3'000, 'x') + "\r\n";
  RtspPeer server(script);
  capture::CameraOptions options = rtsp(server.url());
  options.open_timeout_ms = 500;
  Witness camera(options);
  CHECK(eventually([&] { return camera.stats().reconnects >= 1; }));
}

SL_TEST("capture failures: a name without an address is CAPTURE_DNS") {
  Witness camera(rtsp("rtsp://nobody-here.invalid/x"));
  CHECK(eventually([&] { return camera.reached("backing_off:CAPTURE_DNS"); }));
  CHECK(camera.stats().detail.find("nobody") == std::string::npos);
}

SL_TEST("capture password: with @ and : in it, by Basic and by Digest") {
  for (const char* scheme : {"Basic", "Digest"}) {
    Script script;
    script.stream = &stream();
    script.auth = scheme;
    script.user = "ad@min";
    script.password = "p@ss:w/rd%41";
    RtspPeer server(script);
    Witness camera(rtsp(server.url("ad%40min:p%40ss%3Aw%2Frd%2541")));
    if (!eventually([&] { return camera.stats().frames >= 20; })) {
      FAIL(std::string(scheme) + ": " + camera.stats().reason + " " + camera.stats().detail);
    }
  }
}

SL_TEST("capture password: a wrong one backs off for long, and does not show") {
  Script script;
  script.stream = &stream();
  script.auth = "Digest";
  script.user = "admin";
  script.password = "right";
  RtspPeer server(script);
  capture::CameraOptions options = rtsp(server.url("admin:wr0ngwr0ng"));
  options.backoff_auth_ms = 100'000;
  Witness camera(options);
  CHECK(eventually([&] { return camera.reached("backing_off:CAPTURE_AUTH"); }));
  const capture::CameraStats stats = camera.stats();
  CHECK(stats.retry_at_us > monotonic_us() + 90'000'000);
  CHECK_EQ(stats.reason, std::string("CAPTURE_AUTH"));
  CHECK(stats.detail.find("wr0ng") == std::string::npos);
  CHECK(stats.detail.find("401") != std::string::npos);
  const capture::ProbeResult probed = capture::probe(options);
  CHECK_EQ(probed.reason, std::string("CAPTURE_AUTH"));
}

SL_TEST("capture RTSP: the same frames over TCP and UDP, as a bare decoder gives them") {
  const std::vector<std::uint64_t> clean = media::decode_clean(stream());
  for (const Transport transport : {Transport::tcp, Transport::udp}) {
    Script script;
    script.stream = &stream();
    RtspPeer server(script);
    Witness camera(rtsp(server.url(), transport));
    // The last frame stays in libav's parser until the next one would begin.
    CHECK(eventually([&] { return camera.seen().size() >= clean.size() - 1; }));
    const std::vector<Seen> seen = camera.seen();
    CHECK_EQ(seen.size(), clean.size() - 1);
    for (std::size_t i = 0; i < seen.size(); ++i) CHECK_EQ(seen[i].hash, clean[i]);
    const capture::CameraStats stats = camera.stats();
    CHECK_EQ(stats.corrupt, 0U);
    CHECK_EQ(stats.codec, std::string("h264"));
    CHECK_NEAR(stats.source_fps, 25, 0.01);
    camera.camera().stop();
    CHECK(eventually([&] { return server.torn_down(); }));
  }
}

SL_TEST("capture probe: over RTSP, and a server that says nothing is bounded") {
  Script script;
  script.stream = &stream();
  RtspPeer server(script);
  const capture::ProbeResult good = capture::probe(rtsp(server.url(), Transport::udp));
  CHECK(good.ok);
  CHECK_EQ(good.transport, std::string("udp"));
  CHECK_EQ(good.width, 320);
  script.pause_before_frame = 0;
  RtspPeer silent(script);
  capture::CameraOptions options = rtsp(silent.url());
  options.open_timeout_ms = 400;
  const std::int64_t start_us = monotonic_us();
  const capture::ProbeResult bad = capture::probe(options);
  CHECK(!bad.ok);
  CHECK_EQ(bad.reason, std::string("CAPTURE_TIMEOUT"));
  CHECK(monotonic_us() - start_us < at_once_ms * 1'000);
}

SL_TEST("capture failures: packets of which no frame can be shown are CAPTURE_DECODER, not a stall") {
  media::Stream headless = stream();
  for (media::Packet& packet : headless.packets) {
    if (packet.key) packet = headless.packets[1];  // no parameter sets, no key frame
  }
  Script script;
  script.stream = &headless;
  RtspPeer server(script);
  capture::CameraOptions options = rtsp(server.url());
  options.open_timeout_ms = 3'000;
  const capture::ProbeResult probed = capture::probe(options);
  CHECK_EQ(probed.reason, std::string("CAPTURE_DECODER"));
  options.stall_limit_ms = 1'000;
  options.read_timeout_ms = 500;
  Witness camera(options);
  CHECK(eventually([&] { return camera.stats().reconnects >= 1; }));
  CHECK(camera.seen().empty());
  CHECK(!camera.reached("streaming"));
}

SL_TEST("capture stall: stalled while nothing comes, streaming again when it does, without a reconnect") {
  Script script;
  script.stream = &stream();
  script.pause_before_frame = 30;
  RtspPeer server(script);
  capture::CameraOptions options = rtsp(server.url());
  options.read_timeout_ms = 800;
  options.stall_limit_ms = 20'000;
  Witness camera(options);
  CHECK(eventually([&] { return camera.reached("stalled:CAPTURE_STALLED"); }));
  CHECK_EQ(camera.stats().reason, std::string("CAPTURE_STALLED"));
  server.resume();
  CHECK(eventually([&] { return camera.state() == State::streaming; }));
  CHECK_EQ(camera.stats().reason, std::string());
  CHECK_EQ(camera.stats().reconnects, 0U);
  CHECK_EQ(server.connections(), 1);
}

SL_TEST("capture stall: reconnects when it lasts, and when the server hangs up") {
  for (const bool hang_up : {false, true}) {
    Script script;
    script.stream = &stream();
    (hang_up ? script.hang_up_before_frame : script.pause_before_frame) = 30;
    RtspPeer server(script);
    capture::CameraOptions options = rtsp(server.url());
    options.read_timeout_ms = hang_up ? long_ms : 2'000;
    options.stall_limit_ms = hang_up ? long_ms : 3'500;
    Witness camera(options);
    CHECK(eventually([&] { return server.connections() >= 3; }));
    const std::vector<std::string> states = camera.states();
    const std::vector<std::string> expected =
        hang_up ? std::vector<std::string>{"streaming", "backing_off:CAPTURE_EOF", "connecting", "streaming"}
                : std::vector<std::string>{"streaming", "stalled:CAPTURE_STALLED", "backing_off:CAPTURE_STALLED", "connecting", "streaming"};
    REQUIRE(states.size() >= expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) CHECK_EQ(states[i], expected[i]);
    std::int64_t before_us = -1;
    for (const Seen& one : camera.seen()) {  // time goes on over reconnects
      CHECK(one.meta.pts_us >= before_us);
      before_us = one.meta.pts_us;
    }
  }
}

}  // namespace
