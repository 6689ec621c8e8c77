// Cameras that send anything: RTP and RTSP with faults of every kind through demuxer, parsers, decoder and conversion, so that the sanitizers see
// them too. (test/fuzz/streams tries more of them, in the addon.) Each ends for a reason that has a code; nothing hangs, nothing is said of a password.
#include <algorithm>
#include <cstdlib>
#include <set>

#include "capture_peer.hpp"
#include "capture_witness.hpp"

namespace {

using namespace sightline;
using namespace sightline::witness;
using capture::State;
using capture::Transport;
using Bytes = std::vector<std::uint8_t>;

constexpr int cameras_at_once = 4;
constexpr int rounds_most = 12;  // times FUZZ_FACTOR; so few that they are always the same ones
/// No round begins later, but for the first.
constexpr std::int64_t limit_us = 30'000'000;  // times FUZZ_FACTOR
constexpr int frames = 24;
const char* const password = "fuzzed-secret-value";

/// What can be wrong; the same values from the same seed, on every machine.
class Dice {
 public:
  explicit Dice(unsigned seed) : random_(seed) {}
  /// 0 .. below - 1
  unsigned below(unsigned count) { return count == 0 ? 0 : static_cast<unsigned>(random_() % count); }
  bool one_in(unsigned count) { return below(count) == 0; }
  std::uint8_t byte() { return static_cast<std::uint8_t>(below(256)); }
  Bytes bytes(unsigned most) {
    Bytes some(below(most + 1));
    for (std::uint8_t& one : some) one = byte();
    return some;
  }
  std::string text(unsigned most) {
    const Bytes some = bytes(most);
    return {some.begin(), some.end()};
  }
  template <class Container>
  void flip(Container& in, std::size_t from, unsigned bits) {
    for (; bits > 0 && in.size() > from; --bits) {
      auto& at = in[from + below(static_cast<unsigned>(in.size() - from))];
      at = static_cast<typename Container::value_type>(at ^ (1 << below(8)));
    }
  }

 private:
  std::mt19937 random_;
};

constexpr std::size_t rtp_header = 12;

/// A sequence parameter set (7.3.2.1.1 of H.264) of any size, number 0, so that it takes the place of the right one.
Bytes made_up_size(Dice& dice) {
  std::string bits;
  const auto fixed = [&bits](unsigned value, unsigned width) {
    while (width-- > 0) bits += static_cast<char>('0' + ((value >> width) & 1U));
  };
  const auto golomb = [&](unsigned value) {
    unsigned digits = 1;
    while ((value + 1) >> digits != 0) ++digits;
    fixed(0, digits - 1);
    fixed(value + 1, digits);
  };
  constexpr unsigned baseline = 66;
  fixed(baseline, 8);
  fixed(0, 8);
  fixed(10 + dice.below(50), 8);
  golomb(0);
  golomb(dice.below(13));
  golomb(2);  // frames come out as they come in
  golomb(dice.below(17));
  fixed(0, 1);
  const unsigned most = dice.one_in(4) ? 1'024 : 40;
  golomb(dice.below(most));
  golomb(dice.below(most));
  const bool frames_only = !dice.one_in(4);
  fixed(frames_only ? 1 : 0, frames_only ? 1 : 2);
  fixed(0b1001, 4);
  Bytes out = {0x67};
  for (std::size_t at = 0; at < bits.size(); at += 8) {
    std::string eight = bits.substr(at, 8);
    eight.resize(8, '0');
    const auto value = static_cast<std::uint8_t>(std::stoul(eight, nullptr, 2));
    if (value <= 3 && out.size() > 2 && out.back() == 0 && out[out.size() - 2] == 0) out.push_back(3);
    out.push_back(value);
  }
  return out;
}

void set_payload(Bytes& rtp, const Bytes& payload) {
  rtp.resize(rtp_header);
  rtp.insert(rtp.end(), payload.begin(), payload.end());
}

/// An RTP packet with a fault.
void spoil_packet(Dice& dice, Bytes& rtp) {
  switch (dice.below(10)) {
    case 0: dice.flip(rtp, rtp_header, 1 + dice.below(20)); break;
    case 1: rtp.resize(dice.below(static_cast<unsigned>(rtp.size()) + 1)); break;
    case 2: dice.flip(rtp, 0, 1 + dice.below(4)); break;                             // version, extensions, padding, type, numbers
    case 3: rtp[2] = dice.byte(), rtp[3] = dice.byte(); break;                       // sequence number
    case 4: for (std::size_t at = 4; at < 8; ++at) rtp[at] = dice.byte(); break;     // time stamp
    case 5: set_payload(rtp, dice.bytes(60)); break;
    case 6: {                                                                        // fragments and collections of units, of either codec
      constexpr std::array<std::uint8_t, 9> types = {24, 25, 26, 27, 28, 29, 48 << 1, 49 << 1, 50 << 1};
      rtp[rtp_header] = static_cast<std::uint8_t>(0x60 * (dice.one_in(2) ? 1 : 0) | types[dice.below(types.size())]);
      if (rtp.size() > rtp_header + 2) rtp[rtp_header + 1] = dice.byte(), rtp[rtp_header + 2] = dice.byte();
      break;
    }
    case 7: set_payload(rtp, made_up_size(dice)); break;
    case 8: {                                                                        // a collection whose sizes are wrong
      Bytes units = {0x78};
      for (int i = 0; i < 4; ++i) {
        const Bytes unit = dice.bytes(12);
        units.push_back(dice.one_in(3) ? dice.byte() : 0);
        units.push_back(static_cast<std::uint8_t>(unit.size() + dice.below(3)));
        units.insert(units.end(), unit.begin(), unit.end());
      }
      set_payload(rtp, units);
      break;
    }
    default: rtp.insert(rtp.end(), 1 + dice.below(1'500), dice.byte()); break;
  }
}

/// The bytes on the connection that carry a packet, with a fault.
void spoil_wire(Dice& dice, Bytes& wire) {
  switch (dice.below(6)) {
    case 0: wire[2] = dice.byte(), wire[3] = dice.byte(); break;  // length
    case 1: wire[1] = dice.byte(); break;                         // channel
    case 2: wire = dice.bytes(200); break;
    case 3: wire.insert(wire.end(), wire.begin(), wire.end()); break;
    case 4: {                                                     // a report of any content (RTCP)
      Bytes report = dice.bytes(80);
      report.insert(report.begin(), {'$', 1, 0, static_cast<std::uint8_t>(report.size() + 4), 0x80, static_cast<std::uint8_t>(200 + dice.below(5)), 0, 6});
      wire.insert(wire.begin(), report.begin(), report.end());
      break;
    }
    default: {
      const std::string answer = "RTSP/1.0 200 OK\r\nCSeq: " + std::to_string(dice.below(20)) + "\r\n" + dice.text(40) + "\r\n\r\n";
      wire.insert(wire.begin(), answer.begin(), answer.end());
      break;
    }
  }
}

const char* const description_lines[] = {
    "a=fmtp:96", "a=fmtp:96 ;=;=;", "a=fmtp:96 sprop-parameter-sets=", "a=fmtp:96 sprop-parameter-sets=AAAA,====,Z0", "a=fmtp:96 sprop-parameter-sets=Z0L//wD/,",
    "a=fmtp:96 packetization-mode=99999999999;profile-level-id=zz", "a=fmtp:96 sprop-vps=AAAA;sprop-sps=QgEB;sprop-pps=RA==", "a=rtpmap:96", "a=rtpmap:96 H264/0", "a=rtpmap:96 H264/-90000/9",
    "a=rtpmap:96 H265/90000", "a=rtpmap:96 JPEG/90000", "a=rtpmap:96 MP4V-ES/90000", "a=rtpmap:96 VP8/90000", "a=rtpmap:96 VP9/90000", "a=rtpmap:96 theora/90000", "a=rtpmap:96 X-QT/600",
    "a=rtpmap:96 H263-1998/90000", "a=rtpmap:96 H261/90000", "a=rtpmap:96 MPV/90000", "a=rtpmap:96 raw/90000", "a=rtpmap:96 MP2T/90000", "m=audio 0 RTP/AVP 0", "m=video 0 RTP/AVP 255", "m=video",
    "a=fmtp:96 config=000001b0f3000001b50ee040c0cf;sizelength=255", "a=fmtp:96 sampling=YCbCr-4:2:2;width=65535;height=65535;depth=8", "a=framesize:96 65535-65535", "a=framerate:1e99", "a=range:npt=-1-",
    "a=control:", "c=IN IP4 224.2.2.2/999/999", "a=SdpplinVersion:1610641560", "a=pgmpu:data:application/vnd.ms.wms-hdr.asfv1;base64,MCaydQ==", "a=mpeg4-iod:\"data:application/mpeg4-iod;base64,AoF/AE8BAQEBAQOBEgAB\"",
};

const char* const header_lines[] = {
    "Content-Length: -1", "Content-Length: 99999999999999999999", "Content-Length: 4294967296", "CSeq: NaN", "Session: x;timeout=0", "Session: ;timeout=-5", "Transport: RTP/AVP/TCP;interleaved=255-0",
    "Transport: RTP/AVP/TCP;interleaved=-1", "Transport: RAW/RAW/UDP;interleaved=3", "Transport: ;;;,,,==", "Server: RealServer", "Server: WMServer/9", "RTP-Info: url=;rtptime=18446744073709551616,url=;;",
    "WWW-Authenticate: Digest realm=\"", "Content-Base: ", "Range: npt=-1-", "Public: ",
};

void insert_line(Dice& dice, std::string& in, std::size_t from, const std::string& line) {
  std::size_t at = in.find("\r\n", from);
  for (unsigned skip = dice.below(8); skip > 0 && at != std::string::npos; --skip) {
    const std::size_t next = in.find("\r\n", at + 2);
    if (next == std::string::npos) break;
    at = next;
  }
  if (at != std::string::npos) in.insert(at + 2, line + "\r\n");
}

/// An answer with a fault.
void spoil_answer(Dice& dice, const std::string& method, std::string& answer) {
  const std::size_t body = answer.find("\r\n\r\n");
  if (method == "DESCRIBE" && !dice.one_in(3)) {
    const unsigned count = dice.one_in(10) ? 60 : 1 + dice.below(3);
    for (unsigned i = 0; i < count; ++i) {
      insert_line(dice, answer, body + 2, dice.one_in(4) ? "a=" + dice.text(60) : description_lines[dice.below(std::size(description_lines))]);
    }
    // The length has to fit, else the body is cut where it was.
    const std::size_t field = answer.find("Content-Length: ");
    const std::size_t end = answer.find("\r\n", field);
    answer.replace(field, end - field, "Content-Length: " + std::to_string(answer.size() - answer.find("\r\n\r\n") - 4));
    return;
  }
  switch (dice.below(6)) {
    case 0: answer = "RTSP/1.0 " + std::to_string(dice.below(1'000)) + " Whatever" + answer.substr(answer.find("\r\n")); break;
    case 1: for (unsigned times = dice.one_in(8) ? 200 : 1; times > 0; --times) insert_line(dice, answer, 0, header_lines[dice.below(std::size(header_lines))]); break;
    case 2: answer.resize(dice.below(static_cast<unsigned>(answer.size()) + 1)); break;
    case 3: dice.flip(answer, 0, 1 + dice.below(10)); break;
    case 4: answer.insert(0, dice.one_in(2) ? dice.text(60) : std::string("$\x01\0\4\1\2\3\4", 8)); break;
    default: insert_line(dice, answer, 0, "X-Long: " + std::string(1U << (8 + dice.below(9)), 'x')); break;
  }
}

capture::CameraOptions short_of_patience(const std::string& url, Transport transport) {
  capture::CameraOptions o = witness::options(capture::SourceKind::rtsp, url);
  o.transport = transport;
  o.open_timeout_ms = 1'000;
  o.read_timeout_ms = 300;
  o.stall_limit_ms = 500;
  o.backoff_min_ms = o.backoff_max_ms = o.backoff_auth_ms = 600'000;
  o.clip_ms = 10'000;
  o.clip_bytes = 4 << 20;
  return o;
}

struct Outcome {
  std::set<std::string> reasons;
  std::uint64_t shown = 0, corrupt = 0;
};

struct Bad {
  std::unique_ptr<peer::RtspPeer> server;
  std::unique_ptr<Witness> camera;
};

Bad bad_camera(unsigned seed, const media::Stream& stream, bool answers) {
  const auto dice = std::make_shared<Dice>(seed);
  const Transport transport = dice->one_in(4) ? Transport::udp : Transport::tcp;
  const unsigned rarity = 1 + dice->below(40);
  peer::Script script;
  script.stream = &stream;
  script.packet_us = 1'000;
  (dice->one_in(4) ? script.pause_before_frame : script.hang_up_before_frame) = frames;
  if (answers) {
    script.spoil_answer = [dice](const std::string& method, std::string& answer) {
      if (method == "DESCRIBE" ? !dice->one_in(3) : dice->one_in(3)) spoil_answer(*dice, method, answer);
    };
  } else {
    script.spoil_packet = [dice, rarity](Bytes& rtp) { if (dice->one_in(rarity)) spoil_packet(*dice, rtp); };
    script.spoil_wire = [dice, rarity](Bytes& wire) { if (dice->one_in(2 * rarity)) spoil_wire(*dice, wire); };
  }
  Bad bad;
  bad.server = std::make_unique<peer::RtspPeer>(std::move(script));
  bad.camera = std::make_unique<Witness>(short_of_patience(bad.server->url(std::string("viewer:") + password), transport));
  return bad;
}

/// Until each has ended; then what is kept of it is looked at as the daemon does.
void round(unsigned seed, const media::Stream& stream, bool answers, Outcome& outcome) {
  std::vector<Bad> bad;
  for (unsigned i = 0; i < cameras_at_once; ++i) bad.push_back(bad_camera(seed + i, stream, answers));
  for (Bad& one : bad) {
    const auto ended = [&] { return one.camera->state() == State::backing_off || one.camera->state() == State::failed; };
    if (!eventually(ended)) FAIL("seed " + std::to_string(seed) + ": it hangs in " + capture::name(one.camera->state()));
    const capture::CameraStats stats = one.camera->stats();
    if (!stats.reason.starts_with("CAPTURE_")) FAIL("seed " + std::to_string(seed) + ": reason \"" + stats.reason + "\"");
    if ((stats.detail + stats.decoder + stats.codec).find(password) != std::string::npos) FAIL("seed " + std::to_string(seed) + ": it tells the password");
    if (const slots::Picture newest = one.camera->camera().newest(); newest.view.width > 0) capture::encode_jpeg(newest, 60, 640);
    one.camera->camera().clip(0, monotonic_us());
    one.camera->camera().stop();
    CHECK_EQ(stats.frames, one.camera->stats().frames);
    outcome.reasons.insert(stats.reason);
    outcome.shown += stats.frames;
    outcome.corrupt += stats.corrupt;
  }
}

Outcome check_cameras(unsigned seed, bool answers) {
  const media::Stream streams[] = {media::encode(media::h264(frames, 8, 0, false)), media::encode(media::hevc(frames, 8, 0, false))};
  const char* const longer = std::getenv("FUZZ_FACTOR");
  const int factor = std::clamp(longer == nullptr ? 1 : std::atoi(longer), 1, 1'000);
  const std::int64_t end_us = monotonic_us() + limit_us * factor;
  Outcome outcome;
  int done = 0;
  for (; done < rounds_most * factor && !check::failing() && (done == 0 || monotonic_us() < end_us); ++done) {
    const auto number = static_cast<unsigned>(done);
    round(seed + number * cameras_at_once, streams[number % std::size(streams)], answers, outcome);
  }
  std::string words;
  for (const std::string& reason : outcome.reasons) words += " " + reason;
  check::note(std::to_string(done * cameras_at_once) + " cameras ended with" + words + "; " + std::to_string(outcome.shown) + " frames shown, " + std::to_string(outcome.corrupt) + " corrupt");
  return outcome;
}

SL_TEST("capture fuzz: cameras whose stream is damaged in any way end, each with a reason") {
  const Outcome outcome = check_cameras(20'261'121, false);
  CHECK(outcome.shown > 0);
  CHECK(outcome.corrupt > 0);
}

SL_TEST("capture fuzz: cameras whose answers are damaged in any way end, each with a reason") {
  CHECK(check_cameras(11'212'026, true).reasons.size() > 1);
}

}  // namespace
