#include "demo/contrast.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "demo/process.hpp"
#include "demo/proxy.hpp"

namespace baton::demo {

using boost::asio::ip::tcp;
using namespace std::chrono_literals;

namespace {

// nginx's defaults, except for what lets it run anywhere: files in our directory, one worker, a loopback port.
std::string configuration(const tcp::endpoint& listen, const tcp::endpoint& origin, const TempDir& dir) {
  std::string temporary;
  for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
    temporary += fmt::format("  {}_temp_path {};\n", kind, dir.file(std::string("nginx_") + kind));
  }
  return fmt::format(
      "daemon off;\n"
      "worker_processes 1;\n"
      "pid {};\n"
      "error_log stderr;\n"
      "events {{ worker_connections 16384; }}\n"
      "http {{\n"
      "  access_log off;\n"
      "{}"
      "  upstream origin {{ server 127.0.0.1:{}; keepalive 64; }}\n"
      "  server {{\n"
      "    listen 127.0.0.1:{};\n"
      "    location / {{\n"
      "      proxy_pass http://origin;\n"
      "      proxy_http_version 1.1;\n"
      "      proxy_set_header Connection \"\";\n"
      "    }}\n"
      "  }}\n"
      "}}\n",
      dir.file("nginx.pid"), temporary, origin.port(), listen.port());
}

bool accepts_connections(const tcp::endpoint& endpoint) {
  boost::asio::io_context context{1};
  tcp::socket socket(context);
  boost::system::error_code error;
  socket.connect(endpoint, error);
  return !error;
}

// nginx -v prints "nginx version: nginx/1.22.1" to standard error.
std::string ask_version(const std::string& nginx, const TempDir& dir, Patience& patience) {
  const pid_t pid = start_process({nginx, "-v"}, dir.file("nginx_version"));
  patience.wait_until([&] { return reap(pid).has_value(); }, hung_after);
  const auto lines = tail(dir.file("nginx_version"), 1);
  const auto colon = lines.empty() ? std::string::npos : lines[0].find(": ");
  return colon == std::string::npos ? "nginx" : lines[0].substr(colon + 2);
}

[[noreturn]] void give_up(const std::string& why, const std::string& log) {
  const auto lines = tail(log, 1);
  throw std::runtime_error(lines.empty() ? why : why + ": " + lines[0]);
}

}  // namespace

std::optional<std::string> find_nginx() {
  const char* path = std::getenv("PATH");
  std::istringstream folders(std::string(path == nullptr ? "" : path) + ":/usr/sbin:/usr/local/sbin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (folder.empty()) continue;
    std::string candidate = folder + "/nginx";
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return std::nullopt;
}

std::string no_nginx_found() {
  return "nginx is not installed, so its reload is not shown beside this. To get it: apt-get install nginx-light";
}

Contrast reload_nginx(const std::string& nginx, tcp::endpoint origin, const Mix& mix, const TempDir& dir,
                      Patience& patience, std::chrono::milliseconds watched) {
  Contrast contrast{.version = ask_version(nginx, dir, patience), .before = {}, .after = {}, .watched = watched};
  const tcp::endpoint endpoint = free_endpoints().http;
  const std::string file = dir.file("nginx.conf");
  const std::string log = dir.file("nginx.log");
  std::ofstream(file) << configuration(endpoint, origin, dir);
  const pid_t pid = start_process({nginx, "-p", dir.path(), "-c", file}, log);
  const auto serves = [&] {
    if (const auto end = reap(pid)) give_up("nginx ended with " + describe_end(*end), log);
    return accepts_connections(endpoint);
  };
  if (!patience.wait_until(serves, hung_after)) give_up("nginx does not accept connections", log);

  Tally tally;
  {
    Load load({{.server = {.http = {endpoint, nullptr}, .tcp = {}}, .mix = mix.requests_only()}}, tally);
    const auto all_asked = [&] { return tally.totals().answered >= mix.keep_alive + mix.idle / 2; };
    if (!patience.wait_until(all_asked, hung_after)) give_up("the clients get no answers through nginx", log);
    patience.wait(500ms);
    contrast.before = tally.totals();
    ::kill(pid, SIGHUP);
    const auto all_closed = [&] { return tally.totals().closes() >= mix.keep_alive + mix.idle / 2; };
    patience.wait_until(all_closed, watched);
    contrast.after = tally.totals();
  }
  ::kill(pid, SIGTERM);
  patience.wait_until([&] { return reap(pid).has_value(); }, hung_after);
  return contrast;
}

std::vector<std::string> describe(const Contrast& contrast) {
  const auto lost = contrast.after.closes() - contrast.before.closes();
  const auto cut = contrast.after.of(Trouble::closed_in_request) - contrast.before.of(Trouble::closed_in_request);
  return {
      fmt::format("For contrast, one reload (SIGHUP) of {} under as many plain clients, streams and tunnels left out:",
                  contrast.version),
      fmt::format("  {} of {} connections closed within {:g} s, {} of them with a request under way.", lost,
                  contrast.before.opened, std::chrono::duration<double>(contrast.watched).count(), cut),
      "  nginx ran with its defaults and worked as designed: it goes on accepting, and a browser connects again. But",
      "  live connections stay with its old worker, which closes idle ones at once and others after their next answer.",
  };
}

}  // namespace baton::demo
