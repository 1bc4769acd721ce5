// The trusted proxies of listeners that a reload or an upgrade has removed. Connections that are left of such a
// listener go by them until their next response, which is their last.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "proxy/routing/client_rules.hpp"
#include "proxy/state/listener_trust.hpp"

namespace baton::proxy {

struct Settings;

struct FormerListener {
  explicit FormerListener(const config::TrustedProxies& from) : said(from), trusted(from) {}

  const config::TrustedProxies said;
  const routing::TrustedProxies trusted;
  mutable std::atomic<bool> is_used{false};  // a connection has asked since these settings are in force
};
using FormerListeners = std::map<std::string, std::shared_ptr<const FormerListener>, std::less<>>;

// Those that `now`, the configuration that follows, does not have. Former listeners without connections are forgotten.
FormerListeners former_listeners(const Settings& before, const config::Config& now);

// For a successor, whose configuration may lack any listener.
std::vector<state::ListenerTrust> trust_of_listeners(const Settings& settings);
// What of that settings with this configuration need. A range that cannot be read is not trusted.
FormerListeners former_listeners(const std::vector<state::ListenerTrust>& inherited, const config::Config& now);

}  // namespace baton::proxy
