#include "server.hpp"

#include <stdexcept>
#include <utility>

namespace sightline::rtsp_server {
namespace {

constexpr const char* watched_key = "sightline-watched-path";
constexpr guint session_cleanup_ms = 2000;
constexpr std::size_t mounts_max = 1024;

struct Watchers {
  std::string path;
  bool close = false;
  int count = 0;
};

GstRTSPFilterResult visit_client(GstRTSPServer*, GstRTSPClient* client, gpointer data) {
  auto& watchers = *static_cast<Watchers*>(data);
  const auto* path = static_cast<const char*>(g_object_get_data(G_OBJECT(client), watched_key));
  if (path == nullptr || watchers.path != path) return GST_RTSP_FILTER_KEEP;
  ++watchers.count;
  return watchers.close ? GST_RTSP_FILTER_REMOVE : GST_RTSP_FILTER_KEEP;
}

GstRTSPFilterResult visit_media(GstRTSPSession*, GstRTSPSessionMedia* media, gpointer data) {
  auto& watchers = *static_cast<Watchers*>(data);
  gint matched = 0;
  if (gst_rtsp_session_media_matches(media, watchers.path.c_str(), &matched) != FALSE) ++watchers.count;
  return GST_RTSP_FILTER_KEEP;
}

/// Sessions of UDP clients outlive their connection; a camera that is gone sends to nobody.
GstRTSPFilterResult visit_session(GstRTSPSessionPool*, GstRTSPSession* session, gpointer data) {
  Watchers here{static_cast<Watchers*>(data)->path};
  g_list_free_full(gst_rtsp_session_filter(session, visit_media, &here), g_object_unref);
  return here.count > 0 ? GST_RTSP_FILTER_REMOVE : GST_RTSP_FILTER_KEEP;
}

}  // namespace

Server::Server(int port) : server_(gst_rtsp_server_new()) {
  gst_rtsp_server_set_address(server_, "127.0.0.1");
  gst_rtsp_server_set_service(server_, std::to_string(port).c_str());
  gst_rtsp_server_set_backlog(server_, 256);
  GstRTSPAuth* auth = access_control([this](GstRTSPClient* client, const std::string& path) { return access(client, path); });
  gst_rtsp_server_set_auth(server_, auth);
  g_object_unref(auth);
  source_id_ = gst_rtsp_server_attach(server_, nullptr);
  if (source_id_ == 0) {
    g_object_unref(server_);
    throw std::runtime_error("cannot listen on 127.0.0.1:" + std::to_string(port));
  }
  cleanup_id_ = g_timeout_add(
    session_cleanup_ms,
    [](gpointer server) -> gboolean {
      const GstRef<GstRTSPSessionPool> pool(gst_rtsp_server_get_session_pool(static_cast<GstRTSPServer*>(server)));
      gst_rtsp_session_pool_cleanup(pool.get());
      return G_SOURCE_CONTINUE;
    },
    server_);
}

Server::~Server() {
  g_source_remove(cleanup_id_);
  g_source_remove(source_id_);
  const auto all = [](GstRTSPServer*, GstRTSPClient*, gpointer) { return GST_RTSP_FILTER_REMOVE; };
  g_list_free_full(gst_rtsp_server_client_filter(server_, all, nullptr), g_object_unref);
  g_object_unref(server_);
}

int Server::port() const { return gst_rtsp_server_get_bound_port(server_); }

std::string Server::command(std::string_view line) {
  try {
    return carry_out(parse_command(line));
  } catch (const std::exception& error) {
    return R"({"ok":false,"error":)" + json_string(error.what()) + "}";
  }
}

std::string Server::carry_out(const Command& command) {
  if (command.verb == "mount") return mount(command);
  if (command.verb == "stats") return stats();
  if (command.verb == "unmount" || command.verb == "cut") {
    const MountPtr mount = known(command);
    const std::string& path = mount->options().path;
    mount->cut = true;
    mount->program().stalled = true;
    if (command.verb == "unmount") {
      const GstRef<GstRTSPMountPoints> points(gst_rtsp_server_get_mount_points(server_));
      gst_rtsp_mount_points_remove_factory(points.get(), path.c_str());
      const std::lock_guard lock(mounts_mutex_);
      mounts_.erase(path);
    }
    return R"({"ok":true,"disconnected":)" + std::to_string(disconnect(path)) + "}";
  }
  if (command.verb == "stall") {
    known(command)->program().stalled = true;
  } else if (command.verb == "resume") {
    const MountPtr mount = known(command);
    mount->program().stalled = false;
    mount->cut = false;
  } else if (command.verb == "corrupt") {
    const MountPtr mount = known(command);
    if (!command.options.contains("rate")) throw std::invalid_argument("expected: corrupt PATH rate=0..1");
    mount->corrupt_rate = command.number("rate", 0, 1, 0);
  } else if (command.verb == "swap") {
    const MountPtr mount = known(command);
    if (command.operands.size() != 2) throw std::invalid_argument("expected: swap PATH FILE");
    mount->swap(clip(command.operands[1]));
  } else {
    throw std::invalid_argument("expected mount, unmount, stall, resume, cut, corrupt, swap, stats or quit, received \"" + command.verb + "\"");
  }
  return R"({"ok":true})";
}

std::string Server::mount(const Command& command) {
  if (command.operands.size() != 2 || command.operands[0].size() < 2 || command.operands[0][0] != '/' || command.operands[0].back() == '/') {
    throw std::invalid_argument("expected: mount /PATH FILE [fps=N] [phase_ms=N] [user=U pass=P [auth=basic|digest]]");
  }
  MountOptions options;
  options.path = command.operands[0];
  options.fps = command.number("fps", 0.1, 240, 0);
  options.phase_us = static_cast<std::int64_t>(command.number("phase_ms", 0, 60'000, 0) * 1000);
  if (command.options.contains("user")) {
    const std::string method = command.text("auth", "basic");
    if (method != "basic" && method != "digest") throw std::invalid_argument("auth: expected basic or digest, received \"" + method + "\"");
    options.credentials = Credentials{command.text("user", ""), command.text("pass", ""), method == "digest"};
  }
  options.clip = clip(command.operands[1]);
  const std::shared_ptr<const Clip> served = options.clip;
  const auto mount = std::make_shared<Mount>(options, pacer_);
  {
    const std::lock_guard lock(mounts_mutex_);
    if (mounts_.size() >= mounts_max) throw std::runtime_error("expected at most " + std::to_string(mounts_max) + " mounts");
    if (!mounts_.emplace(options.path, mount).second) throw std::invalid_argument(options.path + " is mounted already");
  }
  const GstRef<GstRTSPMountPoints> points(gst_rtsp_server_get_mount_points(server_));
  gst_rtsp_mount_points_add_factory(points.get(), options.path.c_str(), mount->factory());
  return R"({"ok":true,"codec":")" + std::string(name_of(served->codec)) + R"(","width":)" + std::to_string(served->width) + R"(,"height":)" +
         std::to_string(served->height) + R"(,"fps":)" + std::to_string(options.fps > 0 ? options.fps : served->fps) + R"(,"units":)" +
         std::to_string(served->units.size()) + "}";
}

std::string Server::stats() {
  std::map<std::string, MountPtr> mounts;
  {
    const std::lock_guard lock(mounts_mutex_);
    mounts = mounts_;
  }
  std::string out;
  for (const auto& [path, mount] : mounts) {
    const Clip& served = *mount->options().clip;
    const char* state = mount->cut ? "cut" : mount->program().stalled ? "stalled" : "serving";
    if (!out.empty()) out += ',';
    out += R"({"path":)" + json_string(path) + R"(,"state":")" + state + R"(","codec":")" + name_of(served.codec) + R"(","width":)" +
           std::to_string(served.width) + R"(,"height":)" + std::to_string(served.height) + R"(,"clients":)" + std::to_string(clients(path)) +
           R"(,"frames":)" + std::to_string(mount->program().frames) + R"(,"held":)" + std::to_string(mount->program().held) +
           R"(,"damaged":)" + std::to_string(mount->damaged) + "}";
  }
  return R"({"ok":true,"mounts":[)" + out + "]}";
}

Server::MountPtr Server::known(const Command& command) {
  if (command.operands.empty()) throw std::invalid_argument("expected: " + command.verb + " PATH");
  const std::lock_guard lock(mounts_mutex_);
  const auto found = mounts_.find(command.operands[0]);
  if (found == mounts_.end()) throw std::invalid_argument(command.operands[0] + " is not mounted");
  return found->second;
}

std::shared_ptr<const Clip> Server::clip(const std::string& file) {
  if (auto held = clips_[file].lock()) return held;
  auto loaded = Clip::load(file);
  clips_[file] = loaded;
  return loaded;
}

Access Server::access(GstRTSPClient* client, const std::string& path) {
  const std::lock_guard lock(mounts_mutex_);
  // A request may name a stream of the mount: /cam/stream=0.
  for (std::string prefix = path; prefix.size() > 1; prefix.resize(prefix.rfind('/'))) {
    const auto found = mounts_.find(prefix);
    if (found == mounts_.end()) continue;
    g_object_set_data(G_OBJECT(client), watched_key, const_cast<char*>(g_intern_string(prefix.c_str())));
    return {found->second->cut, found->second->credentials()};
  }
  return {};
}

int Server::disconnect(const std::string& path) {
  Watchers watchers{path, true};
  g_list_free_full(gst_rtsp_server_client_filter(server_, visit_client, &watchers), g_object_unref);
  const GstRef<GstRTSPSessionPool> pool(gst_rtsp_server_get_session_pool(server_));
  g_list_free_full(gst_rtsp_session_pool_filter(pool.get(), visit_session, &watchers), g_object_unref);
  return watchers.count;
}

int Server::clients(const std::string& path) {
  Watchers watchers{path};
  g_list_free_full(gst_rtsp_server_client_filter(server_, visit_client, &watchers), g_object_unref);
  return watchers.count;
}

}  // namespace sightline::rtsp_server
