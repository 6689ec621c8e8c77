// What capture gives libav and what it lets out of libav's words; what it reads from them and from parameter sets.
#include <cerrno>
#include <string>
#include <vector>

#include "../capture/av_log.hpp"
#include "../capture/h264_sps.hpp"
#include "../capture/key_gate.hpp"
#include "../capture/reason.hpp"
#include "../capture/url.hpp"
#include "capture_media.hpp"
#include "check.hpp"

namespace {

using namespace sightline;
using namespace sightline::capture;

SL_TEST("capture url: what libav is given for each kind") {
  const Source rtsp = parse_source(SourceKind::rtsp, "rtsp://us%40er:p%3Aw@cam.lan:8554/a?b=1");
  CHECK_EQ(rtsp.problem, std::string());
  CHECK_EQ(rtsp.host, std::string("cam.lan"));
  CHECK_EQ(rtsp.port, 8554);
  CHECK_EQ(std::string(rtsp.format), std::string("rtsp"));
  CHECK_EQ(parse_source(SourceKind::rtsp, "RTSPS://[fe80::1]/x").host, std::string("fe80::1"));
  CHECK_EQ(parse_source(SourceKind::rtsp, "rtsp://cam").host, std::string("cam"));
  CHECK_EQ(parse_source(SourceKind::v4l2, "v4l2:///dev/video2").url, std::string("/dev/video2"));
  CHECK_EQ(parse_source(SourceKind::v4l2, "/dev/video0").url, std::string("/dev/video0"));
  CHECK_EQ(parse_source(SourceKind::file, "/tmp/a:b.mp4").url, std::string("file:/tmp/a:b.mp4"));
  CHECK_EQ(parse_source(SourceKind::file, "file:///tmp/a.mp4").url, std::string("file:/tmp/a.mp4"));
  CHECK_EQ(parse_source(SourceKind::lavfi, "lavfi:testsrc").url, std::string("testsrc"));
  CHECK_EQ(std::string(parse_source(SourceKind::file, "/tmp/a.m3u8").protocols), std::string("file"));
}

SL_TEST("capture url: what is no source is refused in words without the URL") {
  const std::pair<SourceKind, const char*> bad[] = {
      {SourceKind::rtsp, ""},
      {SourceKind::rtsp, "http://secret@cam/x"},
      {SourceKind::rtsp, "rtsp:///x"},
      {SourceKind::rtsp, "rtsp://secret:secret@cam:99999/x"},
      {SourceKind::rtsp, "rtsp://secret@cam:12a/x"},
      {SourceKind::rtsp, "rtsp://[secret"},
      {SourceKind::v4l2, "/etc/passwd-secret"},
      {SourceKind::file, ""},
      {SourceKind::lavfi, "lavfi:"},
  };
  for (const auto& [kind, url] : bad) {
    const Source source = parse_source(kind, url);
    if (kind == SourceKind::rtsp && std::string(url) == "rtsp://[secret") continue;  // refused by the name lookup
    CHECK(!source.problem.empty());
    CHECK(source.problem.find("secret") == std::string::npos);
  }
}

SL_TEST("capture url: a resolved address takes the place of the host only") {
  CHECK_EQ(with_host("rtsp://cam:cam@cam:554/cam?cam", "10.0.0.1"), std::string("rtsp://cam:cam@10.0.0.1:554/cam?cam"));
  CHECK_EQ(with_host("rtsp://cam/x", "fe80::1"), std::string("rtsp://[fe80::1]/x"));
  CHECK_EQ(with_host("rtsp://[::1]:9/x", "10.0.0.1"), std::string("rtsp://10.0.0.1:9/x"));
}

SL_TEST("capture redaction: nothing of a URL stays in libav's words") {
  const std::string url = "rtsp://admin:p%40ss%3Aword@cam7.lan:8554/Streaming/101?token=abc";
  const Redactor redact(SourceKind::rtsp, url);
  const std::string samples[] = {
      "Connection to tcp://cam7.lan:8554?timeout=5000000 failed: refused",
      "Failed to resolve hostname cam7.lan: Name or service not known",
      "cannot open " + url,
      "user admin with p@ss:word or p%40ss%3Aword at /Streaming/101?token=abc",
      "redirected to rtsp://other:secret@elsewhere/x now",
      "admin:p@ss:word",
  };
  for (const std::string& sample : samples) {
    const std::string shown = redact(sample);
    for (const char* secret : {"admin", "p@ss", "p%40", "word", "cam7", "Streaming", "token", "abc", "other", "elsewhere", "secret"}) {
      if (shown.find(secret) != std::string::npos) FAIL("\"" + shown + "\" still has " + secret);
    }
  }
  CHECK_EQ(redact("method DESCRIBE failed: 454 Session Not Found"), std::string("method DESCRIBE failed: 454 Session Not Found"));
  CHECK_EQ(Redactor(SourceKind::file, "/srv/secret/a.mp4")("file:/srv/secret/a.mp4: No such file"), std::string("file:<url>: No such file"));
  CHECK_EQ(Redactor(SourceKind::lavfi, "testsrc")("nothing to hide"), std::string("nothing to hide"));
  CHECK_EQ(Redactor()("as it is"), std::string("as it is"));
}

SL_TEST("capture url: percent decoding leaves broken escapes alone") {
  CHECK_EQ(percent_decode("a%40b%3a%2F"), std::string("a@b:/"));
  CHECK_EQ(percent_decode("100%"), std::string("100%"));
  CHECK_EQ(percent_decode("%4"), std::string("%4"));
  CHECK_EQ(percent_decode("%zz"), std::string("%zz"));
}

SL_TEST("capture reasons: codes of libav's failures") {
  CHECK(reason_of(AVERROR_HTTP_UNAUTHORIZED, "") == Reason::auth);
  CHECK(reason_of(AVERROR_HTTP_FORBIDDEN, "") == Reason::auth);
  CHECK(reason_of(AVERROR_HTTP_NOT_FOUND, "") == Reason::not_found);
  CHECK(reason_of(AVERROR(ECONNREFUSED), "") == Reason::refused);
  CHECK(reason_of(AVERROR(EIO), "Failed to resolve hostname x") == Reason::dns);
  CHECK(reason_of(AVERROR(EIO), "") == Reason::open_failed);
  CHECK(reason_of(AVERROR_DECODER_NOT_FOUND, "") == Reason::unsupported);
  CHECK_EQ(std::string(code(Reason::auth)), std::string("CAPTURE_AUTH"));
  CHECK_EQ(std::string(code(Reason::none)), std::string());
  CHECK(is_final(Reason::unsupported));
  CHECK(!is_final(Reason::auth));
}

SL_TEST("capture log: damage and loss are told from chatter") {
  LogSink sink;
  note_log(sink, AV_LOG_WARNING, "RTP: missed %d packets\n", "");
  CHECK(sink.take_loss());
  CHECK(!sink.take_loss());
  CHECK(!sink.take_damage());
  note_log(sink, AV_LOG_ERROR, "error while decoding MB %d %d\n", "error while decoding MB 3 4\n");
  CHECK(sink.take_damage());
  CHECK_EQ(std::string(sink.words()), std::string("error while decoding MB 3 4"));
  note_log(sink, AV_LOG_ERROR, "SEI type %d size %d truncated at %d\n", "SEI type 5 size 9 truncated at 8\r\n\x01\n");
  CHECK(!sink.take_damage());
  CHECK_EQ(std::string(sink.words()).find('\n'), std::string::npos);
  note_log(sink, AV_LOG_DEBUG, "Frame num gap %d %d\n", "");
  CHECK(sink.take_frame_gap());
  note_log(sink, AV_LOG_DEBUG, "RTP: missed %d packets\n", "");  // not at this level
  CHECK(!sink.take_loss());
  note_log(sink, AV_LOG_ERROR, "%s", std::string(1'000, 'x').c_str());
  CHECK_EQ(std::string(sink.words()).size(), 255U);
}

using Verdict = KeyGate::Verdict;

SL_TEST("capture gate: after damage nothing until a key frame, and frames before it still come") {
  KeyGate gate(true);
  CHECK(gate.frame(1, true, false) == Verdict::show);
  CHECK(gate.frame(2, false, false) == Verdict::show);
  gate.damage(5);
  CHECK(gate.frame(4, false, false) == Verdict::show);        // was held back for reordering
  CHECK(gate.frame(5, true, false) == Verdict::damaged);      // even a key frame
  CHECK(gate.frame(6, false, false) == Verdict::waiting_key);
  gate.damage(8);
  CHECK(gate.frame(7, true, false) == Verdict::waiting_key);  // the key frame is older than the newest damage
  CHECK(gate.frame(8, false, false) == Verdict::damaged);
  CHECK(gate.frame(9, false, false) == Verdict::waiting_key);
  CHECK(gate.frame(10, true, false) == Verdict::show);
  CHECK(gate.frame(11, false, false) == Verdict::show);
}

SL_TEST("capture gate: a damaged frame closes it by itself") {
  KeyGate gate(true);
  CHECK(gate.frame(1, true, true) == Verdict::damaged);
  CHECK(gate.frame(2, false, false) == Verdict::waiting_key);
  CHECK(gate.frame(3, true, false) == Verdict::show);
}

SL_TEST("capture gate: a gradual refresh heals with the second access point") {
  KeyGate gate(true);
  gate.damage(3);
  gate.packet(5, true);
  CHECK(gate.frame(5, false, false) == Verdict::waiting_key);
  gate.packet(9, true);
  CHECK(gate.frame(8, false, false) == Verdict::waiting_key);
  CHECK(gate.frame(9, false, false) == Verdict::show);
}

SL_TEST("capture gate: without references between frames damage ends with its frame") {
  KeyGate gate(false);
  gate.damage(2);
  CHECK(gate.frame(1, true, false) == Verdict::show);
  CHECK(gate.frame(2, true, false) == Verdict::damaged);
  CHECK(gate.frame(3, true, false) == Verdict::show);
}

SL_TEST("capture H.264: whether gaps of frame numbers are allowed, from real parameter sets") {
  for (const bool global : {false, true}) {
    media::Recipe recipe = media::h264(2, 10);
    recipe.global_header = global;
    const media::Stream stream = media::encode(recipe);
    H264Gaps gaps;
    CHECK(!gaps.gap_is_loss());  // nothing known yet
    if (global) {
      gaps.extradata(stream.extradata);
    } else {
      gaps.packet(stream.packets.at(0).data);
    }
    CHECK(gaps.gap_is_loss());
  }
}

SL_TEST("capture H.264: broken parameter sets say nothing") {
  const media::Recipe recipe = media::h264(1, 10, 0, false);
  const std::vector<std::uint8_t> packet = media::encode(recipe).packets.at(0).data;
  std::size_t at = 0;
  while (at + 4 < packet.size() && !(packet[at] == 0 && packet[at + 1] == 0 && packet[at + 2] == 1 && (packet[at + 3] & 31) == 7)) ++at;
  const std::vector<std::uint8_t> nal(packet.begin() + static_cast<std::ptrdiff_t>(at) + 3, packet.begin() + static_cast<std::ptrdiff_t>(at) + 25);
  CHECK(sps_allows_gaps(nal) == std::optional(false));
  CHECK(!sps_allows_gaps({}).has_value());
  const std::vector<std::uint8_t> exact(nal.begin(), nal.begin() + 5);
  CHECK(!sps_allows_gaps(exact).has_value());
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {  // any bytes: no overrun (the sanitizers watch), no endless loop
    std::vector<std::uint8_t> noise(random() % 40);
    for (auto& byte : noise) byte = static_cast<std::uint8_t>(random());
    if (!noise.empty()) noise[0] = 0x67;
    sps_allows_gaps(noise);
    H264Gaps gaps;
    if (!noise.empty()) noise[0] = 1;
    gaps.extradata(noise);
    gaps.packet(noise);
  }
}

}  // namespace
