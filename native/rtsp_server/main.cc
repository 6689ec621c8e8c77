// sightline-rtsp-server [--port N]: see README.md. stdout carries answers only; whatever GStreamer complains about goes to stderr.
#include <glib-unix.h>
#include <gst/gst.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <string>

#include "server.hpp"

namespace {

constexpr std::size_t line_bytes_max = 16384;

struct Console {
  sightline::rtsp_server::Server* server;
  GMainLoop* loop;
  std::string pending;
};

void print(const std::string& line) {
  std::fputs((line + "\n").c_str(), stdout);
  std::fflush(stdout);
}

void carry_out_lines(Console& console) {
  std::size_t end = 0;
  while ((end = console.pending.find('\n')) != std::string::npos) {
    const std::string line = console.pending.substr(0, end);
    console.pending.erase(0, end + 1);
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    if (line == "quit") {
      print(R"({"ok":true})");
      g_main_loop_quit(console.loop);
      return;
    }
    print(console.server->command(line));
  }
}

gboolean on_input(gint descriptor, GIOCondition, gpointer data) {
  auto& console = *static_cast<Console*>(data);
  char bytes[4096];
  const ssize_t count = read(descriptor, bytes, sizeof bytes);
  if (count <= 0) {
    g_main_loop_quit(console.loop);
    return G_SOURCE_REMOVE;
  }
  console.pending.append(bytes, static_cast<std::size_t>(count));
  carry_out_lines(console);
  if (console.pending.size() > line_bytes_max) {
    print(R"({"ok":false,"error":"a command is longer than 16384 bytes"})");
    console.pending.clear();
  }
  return G_SOURCE_CONTINUE;
}

gboolean on_signal(gpointer loop) {
  g_main_loop_quit(static_cast<GMainLoop*>(loop));
  return G_SOURCE_CONTINUE;
}

int port_of(int argc, char** argv) {
  if (argc == 1) return 0;
  int port = -1;
  if (argc == 3 && std::strcmp(argv[1], "--port") == 0) std::from_chars(argv[2], argv[2] + std::strlen(argv[2]), port);
  return port >= 0 && port <= 65535 ? port : -1;
}

int serve(int port) {
  const std::unique_ptr<GMainLoop, void (*)(GMainLoop*)> loop(g_main_loop_new(nullptr, FALSE), g_main_loop_unref);
  sightline::rtsp_server::Server server(port);
  Console console{&server, loop.get(), {}};
  g_unix_signal_add(SIGTERM, on_signal, loop.get());
  g_unix_signal_add(SIGINT, on_signal, loop.get());
  g_unix_fd_add(STDIN_FILENO, static_cast<GIOCondition>(G_IO_IN | G_IO_HUP | G_IO_ERR), on_input, &console);
  print("{\"port\":" + std::to_string(server.port()) + "}");
  g_main_loop_run(loop.get());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const int port = port_of(argc, argv);
  if (port < 0) {
    std::fputs("usage: sightline-rtsp-server [--port 0..65535]\n", stderr);
    return 2;
  }
  gst_init(nullptr, nullptr);
  try {
    const int code = serve(port);
    // Pipelines that are still running need not be taken down one by one: the process ends here.
    std::fflush(stdout);
    _exit(code);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sightline-rtsp-server: %s\n", error.what());
    return 1;
  }
}
