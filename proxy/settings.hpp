// A configuration made ready for the data path: names looked up, numbers where the engines want them. Immutable, and
// swapped whole.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "proxy/http1/exchange.hpp"
#include "proxy/runtime/access_log.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/upstream/pool.hpp"

namespace baton::proxy {

struct Settings {
  config::Config config;
  http1::Rules rules;
  std::int64_t connect_ms = 5'000;
  std::int64_t upstream_idle_ms = 55'000;
  std::vector<upstream::UpstreamServers> upstreams;
  std::optional<runtime::AccessFormat> access_format;
};

// Looks the servers' names up. Throws std::runtime_error naming the server that has no address.
std::shared_ptr<const Settings> make_settings(config::Config config);

// The level that the configuration asks for.
runtime::log::Level log_level(const config::Config& config);

// Every address of `address`: one for an IP address or a Unix path, several for a name. Throws as above.
std::vector<state::SocketAddress> look_up(const config::Address& address);

}  // namespace baton::proxy
