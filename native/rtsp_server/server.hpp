// The server and its commands.
#pragma once
#include <gst/rtsp-server/rtsp-server.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "command.hpp"
#include "mount.hpp"

namespace sightline::rtsp_server {

/// Threads: everything but access() belongs to the main loop.
/// Owns: the GstRTSPServer, the mounts, the pacer.
/// Locks: `mounts_mutex_` around the map only; no call into GStreamer is made under it.
class Server {
 public:
  /// Listens on 127.0.0.1. Port 0 takes a free one. Throws std::runtime_error when the port is taken.
  explicit Server(int port);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] int port() const;
  /// Carries out one line and returns the answer, one line of JSON without the line end. Never throws.
  std::string command(std::string_view line);

 private:
  using MountPtr = std::shared_ptr<Mount>;

  std::string carry_out(const Command& command);
  std::string mount(const Command& command);
  std::string stats();
  MountPtr known(const Command& command);
  std::shared_ptr<const Clip> clip(const std::string& file);
  Access access(GstRTSPClient* client, const std::string& path);
  /// Closes the connections of those who watch the mount; returns how many.
  int disconnect(const std::string& path);
  int clients(const std::string& path);

  GstRTSPServer* server_ = nullptr;
  guint source_id_ = 0;
  guint cleanup_id_ = 0;
  std::shared_ptr<Pacer> pacer_ = std::make_shared<Pacer>();
  std::map<std::string, std::weak_ptr<const Clip>> clips_;
  std::mutex mounts_mutex_;
  std::map<std::string, MountPtr> mounts_;
};

}  // namespace sightline::rtsp_server
