// One path of the server: its clip, who may watch it, and what is done to its packets.
#pragma once
#include <gst/rtsp-server/rtsp-server.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>

#include "access.hpp"
#include "feed.hpp"

namespace sightline::rtsp_server {

struct MountOptions {
  std::string path;
  std::shared_ptr<const Clip> clip;
  double fps = 0;
  std::int64_t phase_us = 0;
  std::optional<Credentials> credentials;
};

/// Threads: built and commanded by the main loop; media() and damage() run in gst-rtsp-server's threads.
/// Owns: the program; gst-rtsp-server's factory and its running media hold shared references to the mount.
class Mount : public std::enable_shared_from_this<Mount> {
 public:
  Mount(MountOptions options, std::shared_ptr<Pacer> pacer);

  /// What gst-rtsp-server makes pipelines from, one for all clients. The caller owns it.
  GstRTSPMediaFactory* factory();

  [[nodiscard]] const MountOptions& options() const { return options_; }
  [[nodiscard]] Program& program() { return *program_; }
  [[nodiscard]] const Credentials* credentials() const { return options_.credentials ? &*options_.credentials : nullptr; }

  /// Throws std::invalid_argument when the codec isn't the one that clients were told.
  void swap(std::shared_ptr<const Clip> clip);

  std::atomic<bool> cut{false};
  std::atomic<double> corrupt_rate{0};
  std::atomic<std::uint64_t> damaged{0};

 private:
  void media(GstRTSPMedia* media);
  void attach_damage(GstElement* payloader);
  /// Drops (returns false) or alters the RTP packet.
  bool damage(GstBuffer** packet);

  MountOptions options_;
  std::shared_ptr<Pacer> pacer_;
  std::shared_ptr<Program> program_;
  std::mutex random_mutex_;
  std::minstd_rand random_{1};  ///< the same damage in every run
};

}  // namespace sightline::rtsp_server
