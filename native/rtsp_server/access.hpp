// Who may use a mount: credentials (Basic or Digest) and mounts that are cut.
#pragma once
#include <gst/rtsp-server/rtsp-server.h>

#include <functional>
#include <string>

namespace sightline::rtsp_server {

struct Credentials {
  std::string user;
  std::string password;
  bool digest = false;
};

/// The state of the mount that a request is for.
struct Access {
  bool cut = false;                          ///< answer 503
  const Credentials* credentials = nullptr;  ///< null = open to all
};

/// Called in the clients' thread for every request but OPTIONS; the credentials stay valid until the call after it returns.
using AccessOf = std::function<Access(GstRTSPClient* client, const std::string& path)>;

/// A GstRTSPAuth that asks `access_of` for each request. The server keeps a reference; the caller owns the one returned.
GstRTSPAuth* access_control(AccessOf access_of);

}  // namespace sightline::rtsp_server
