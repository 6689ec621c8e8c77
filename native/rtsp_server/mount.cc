#include "mount.hpp"

#include <stdexcept>
#include <utility>

namespace sightline::rtsp_server {
namespace {

constexpr std::size_t rtp_header_bytes = 12;

template <class T>
void forget(gpointer data, GClosure*) {
  delete static_cast<T*>(data);
}

std::string launch_line(Codec codec) {
  // No parser in between: the clip already comes in access units with their parameter sets.
  const char* payloader = codec == Codec::H264   ? "rtph264pay config-interval=0"
                          : codec == Codec::Hevc ? "rtph265pay config-interval=0"
                                                 : "rtpjpegpay";
  return std::string("( appsrc name=src ! ") + payloader + " name=pay0 pt=" + (codec == Codec::Mjpeg ? "26" : "96") + " )";
}

void configure(GstAppSrc* source) {
  g_object_set(source, "is-live", TRUE, "format", GST_FORMAT_TIME, "block", FALSE, "emit-signals", FALSE, nullptr);
  gst_app_src_set_stream_type(source, GST_APP_STREAM_TYPE_STREAM);
}

struct FeedHandle {
  std::shared_ptr<Pacer> pacer;
  std::uint64_t number;
};

}  // namespace

Mount::Mount(MountOptions options, std::shared_ptr<Pacer> pacer)
    : options_(std::move(options)), pacer_(std::move(pacer)), program_(std::make_shared<Program>()) {
  program_->clip = options_.clip;
  program_->fps = options_.fps;
  program_->phase_us = options_.phase_us;
}

GstRTSPMediaFactory* Mount::factory() {
  GstRTSPMediaFactory* factory = gst_rtsp_media_factory_new();
  gst_rtsp_media_factory_set_launch(factory, launch_line(options_.clip->codec).c_str());
  gst_rtsp_media_factory_set_shared(factory, TRUE);
  gst_rtsp_media_factory_set_latency(factory, 0);
  gst_rtsp_media_factory_set_protocols(factory, static_cast<GstRTSPLowerTrans>(GST_RTSP_LOWER_TRANS_TCP | GST_RTSP_LOWER_TRANS_UDP));
  using Self = std::shared_ptr<Mount>;
  g_signal_connect_data(
    factory, "media-configure",
    G_CALLBACK(+[](GstRTSPMediaFactory*, GstRTSPMedia* media, gpointer self) { (*static_cast<Self*>(self))->media(media); }),
    new Self(shared_from_this()), forget<Self>, GConnectFlags{});
  return factory;
}

void Mount::media(GstRTSPMedia* media) {
  const GstRef<GstElement> bin(gst_rtsp_media_get_element(media));
  GstRef<GstAppSrc> source(GST_APP_SRC(gst_bin_get_by_name_recurse_up(GST_BIN(bin.get()), "src")));
  const GstRef<GstElement> payloader(gst_bin_get_by_name_recurse_up(GST_BIN(bin.get()), "pay0"));
  configure(source.get());
  attach_damage(payloader.get());
  auto* handle = new FeedHandle{pacer_, pacer_->add(program_, std::move(source))};
  g_signal_connect_data(
    media, "unprepared",
    G_CALLBACK(+[](GstRTSPMedia*, gpointer data) {
      const auto* feed = static_cast<FeedHandle*>(data);
      feed->pacer->remove(feed->number);
    }),
    handle, forget<FeedHandle>, GConnectFlags{});
}

void Mount::attach_damage(GstElement* payloader) {
  using Self = std::shared_ptr<Mount>;
  const GstRef<GstPad> pad(gst_element_get_static_pad(payloader, "src"));
  const auto kinds = static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST);
  const auto probe = [](GstPad*, GstPadProbeInfo* info, gpointer data) -> GstPadProbeReturn {
    Mount& self = **static_cast<Self*>(data);
    if (self.corrupt_rate.load(std::memory_order_relaxed) <= 0) return GST_PAD_PROBE_OK;
    if ((info->type & GST_PAD_PROBE_TYPE_BUFFER) != 0) {
      auto* packet = static_cast<GstBuffer*>(info->data);
      const bool keep = self.damage(&packet);
      info->data = packet;  // null when dropped: damage() gave the reference back
      return keep ? GST_PAD_PROBE_OK : GST_PAD_PROBE_HANDLED;
    }
    auto* list = gst_buffer_list_make_writable(static_cast<GstBufferList*>(info->data));
    gst_buffer_list_foreach(
      list,
      [](GstBuffer** packet, guint, gpointer mount) -> gboolean {
        static_cast<Mount*>(mount)->damage(packet);
        return TRUE;
      },
      &self);
    info->data = list;
    return GST_PAD_PROBE_OK;
  };
  gst_pad_add_probe(pad.get(), kinds, probe, new Self(shared_from_this()),
                    [](gpointer data) { delete static_cast<Self*>(data); });
}

bool Mount::damage(GstBuffer** packet) {
  const std::lock_guard lock(random_mutex_);
  if (std::uniform_real_distribution<double>(0, 1)(random_) >= corrupt_rate.load(std::memory_order_relaxed)) return true;
  if (damaged.fetch_add(1, std::memory_order_relaxed) % 2 == 0) {
    gst_buffer_unref(*packet);
    *packet = nullptr;
    return false;
  }
  *packet = gst_buffer_make_writable(*packet);
  GstMapInfo map;
  if (gst_buffer_map(*packet, &map, GST_MAP_READWRITE) == FALSE) return true;
  if (map.size > rtp_header_bytes) {
    for (int flips = 0; flips < 4; ++flips) {
      map.data[std::uniform_int_distribution<std::size_t>(rtp_header_bytes, map.size - 1)(random_)] ^= 0x55;
    }
  }
  gst_buffer_unmap(*packet, &map);
  return true;
}

void Mount::swap(std::shared_ptr<const Clip> clip) {
  if (clip->codec != options_.clip->codec) {
    throw std::invalid_argument(std::string("expected a ") + name_of(options_.clip->codec) + " file, received " + name_of(clip->codec) +
                                "; a camera that changes its codec is unmounted and mounted again");
  }
  options_.clip = clip;
  pacer_->set_clip(*program_, std::move(clip));
}

}  // namespace sightline::rtsp_server
