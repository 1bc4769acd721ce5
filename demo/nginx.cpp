#include "demo/nginx.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
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

namespace {

// nginx's defaults, except for what lets it run anywhere: files in our directory, one worker, a loopback port; and
// WebSockets, as its manual says.
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
      "  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}\n"
      "  upstream origin {{ server 127.0.0.1:{}; keepalive 64; }}\n"
      "  server {{\n"
      "    listen 127.0.0.1:{};\n"
      "    location / {{\n"
      "      proxy_pass http://origin;\n"
      "      proxy_http_version 1.1;\n"
      "      proxy_set_header Upgrade $http_upgrade;\n"
      "      proxy_set_header Connection $connection_upgrade;\n"
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
  return "No nginx here, so its reload is not shown. To get it: apt-get install nginx";
}

Nginx::Nginx(const std::string& program, const tcp::endpoint& origin, const TempDir& dir, Patience& patience)
    : patience_(patience),
      version_(ask_version(program, dir, patience)),
      log_(dir.file("nginx.log")),
      endpoint_(free_endpoints().http) {
  const std::string file = dir.file("nginx.conf");
  std::ofstream(file) << configuration(endpoint_, origin, dir);
  pid_ = start_process({program, "-p", dir.path(), "-c", file}, log_);
  const auto serves = [&] {
    if (const auto end = reap(pid_)) give_up("nginx ended with " + describe_end(*end));
    return accepts_connections(endpoint_);
  };
  if (!patience.wait_until(serves, hung_after)) give_up("nginx does not accept connections");
}

void Nginx::reload() const {
  ::kill(pid_, SIGHUP);
}

std::size_t Nginx::old_workers() const {
  const std::size_t workers = children_of(pid_).size();
  return workers - std::min<std::size_t>(workers, 1);
}

void Nginx::stop() {
  ::kill(pid_, SIGTERM);
  patience_.wait_until([&] { return reap(pid_).has_value(); }, hung_after);
}

void Nginx::give_up(const std::string& why) const {
  const auto lines = tail(log_, 1);
  throw std::runtime_error(lines.empty() ? why : why + ": " + lines[0]);
}

}  // namespace baton::demo
