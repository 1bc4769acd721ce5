#include "proxy/settings.hpp"

#include <netdb.h>

#include <stdexcept>

#include "handoff/limits.hpp"

namespace baton::proxy {

// Whatever a configuration allows a connection to hold, a successor takes.
static_assert(config::buffer_bytes_max == handoff::limits::buffer_bytes_ceiling);
static_assert(config::head_bytes_max == handoff::limits::head_bytes_ceiling);

std::vector<state::SocketAddress> look_up(const config::Address& address) {
  if (!address.unix_path.empty()) {
    state::SocketAddress path;
    path.family = state::Family::unix_path;
    path.path = address.unix_path;
    return {path};
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (error != 0) {
    throw std::runtime_error("cannot look up " + address.text() + ": " + ::gai_strerror(error) +
                             "; check the name, or write an IP address");
  }
  std::vector<state::SocketAddress> addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    sockaddr_storage storage{};
    std::copy_n(reinterpret_cast<const char*>(one->ai_addr), one->ai_addrlen, reinterpret_cast<char*>(&storage));
    addresses.push_back(state::SocketAddress::from_sockaddr(storage, one->ai_addrlen));
  }
  ::freeaddrinfo(found);
  return addresses;
}

runtime::log::Level log_level(const config::Config& config) {
  using runtime::log::Level;
  switch (config.log.level) {
    case config::LogLevel::debug: return Level::debug;
    case config::LogLevel::info: return Level::info;
    case config::LogLevel::warning: return Level::warning;
    case config::LogLevel::error: return Level::error;
  }
  return Level::info;
}

std::shared_ptr<const Settings> make_settings(config::Config config) {
  auto settings = std::make_shared<Settings>();
  const config::Limits& limits = config.limits;
  const config::Timeouts& timeouts = config.timeouts;
  settings->rules = {
      .head_bytes = limits.head_bytes,
      .uri_bytes = limits.uri_bytes,
      .fields = limits.fields,
      .body_bytes = limits.body_bytes,
      .requests_per_connection = limits.requests_per_connection,
      .buffer_bytes = limits.buffer_bytes,
      .head_ms = timeouts.head.count(),
      .body_ms = timeouts.body.count(),
      .send_ms = timeouts.send.count(),
      .idle_ms = timeouts.idle.count(),
      .response_ms = timeouts.response.count(),
      .tunnel_idle_ms = timeouts.tunnel_idle.count(),
      .keep_access = config.log.access.has_value(),
  };
  settings->connect_ms = timeouts.connect.count();
  settings->upstream_idle_ms = timeouts.upstream_idle.count();
  if (config.log.access) {
    settings->access_format = config.log.access->format == config::AccessFormat::json ? runtime::AccessFormat::json
                                                                                      : runtime::AccessFormat::combined;
  }
  for (const config::Upstream& upstream : config.upstreams) {
    upstream::UpstreamServers servers{.name = upstream.name, .servers = {}};
    for (const config::Server& server : upstream.servers) {
      for (auto& address : look_up(server.address)) servers.servers.push_back({std::move(address), server.weight});
    }
    settings->upstreams.push_back(std::move(servers));
  }
  settings->config = std::move(config);
  return settings;
}

}  // namespace baton::proxy
