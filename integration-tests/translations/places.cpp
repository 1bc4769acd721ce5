#include "translations/places.hpp"

#include <string_view>

namespace baton::harness {

namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

}  // namespace

Places::Places(const Servers& servers, const std::string& files) : files_(files) {
  for (const int port : {8080, 8081, 8082}) fronts_[port] = free_port();
  for (std::size_t i = 0; i < servers.size(); ++i) servers_[9000 + static_cast<int>(i)] = servers[i].port;
  servers_[9009] = free_port();
}

std::string Places::made_real(std::string text) const {
  for (const auto& [documented, port] : fronts_) {
    const std::string from = std::to_string(documented), to = "127.0.0.1:" + std::to_string(port);
    replace_all(text, "listen " + from, "listen " + to);
    replace_all(text, "bind :" + from, "bind " + to);
    replace_all(text, "\":" + from + "\"", "\"" + to + "\"");
    replace_all(text, ":" + from, ":" + std::to_string(port));
  }
  for (const auto& [documented, port] : servers_)
    replace_all(text, ":" + std::to_string(documented), ":" + std::to_string(port));
  for (const char* folder : {"/etc/nginx/", "/etc/haproxy/", "/etc/caddy/", "/etc/baton/"})
    replace_all(text, folder, files_ + "/");
  return text;
}

std::string Places::as_documented(std::string text) const {
  for (const auto& ports : {fronts_, servers_}) {
    for (const auto& [documented, port] : ports)
      replace_all(text, ":" + std::to_string(port), ":" + std::to_string(documented));
  }
  return text;
}

std::map<int, Address> Places::fronts_in(const std::string& text) const {
  std::map<int, Address> found;
  for (const auto& [documented, port] : fronts_)
    if (text.find(std::to_string(documented)) != std::string::npos) found[documented] = loopback(port);
  return found;
}

}  // namespace baton::harness
