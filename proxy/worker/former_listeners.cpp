#include "proxy/worker/former_listeners.hpp"

#include <algorithm>

#include "proxy/worker/settings.hpp"

namespace baton::proxy {

namespace {

bool has_listener(const config::Config& config, std::string_view name) {
  return std::ranges::any_of(config.listeners, [&](const config::Listener& listener) { return listener.name == name; });
}

// By name. A listener without a list of its own goes by the global one, also when it is gone.
template <class Visit>
void each_own_trust(const Settings& settings, Visit visit) {
  for (const config::Listener& listener : settings.config.listeners) {
    if (listener.trusted_proxies) visit(listener.name, *listener.trusted_proxies);
  }
  for (const auto& [name, former] : settings.former_listeners) {
    if (former->is_used.load(std::memory_order_relaxed)) visit(name, former->said);
  }
}

}  // namespace

FormerListeners former_listeners(const Settings& before, const config::Config& now) {
  FormerListeners former;
  each_own_trust(before, [&](const std::string& name, const config::TrustedProxies& said) {
    if (!has_listener(now, name)) former.emplace(name, std::make_shared<FormerListener>(said));
  });
  return former;
}

std::vector<state::ListenerTrust> trust_of_listeners(const Settings& settings) {
  std::vector<state::ListenerTrust> trust;
  each_own_trust(settings, [&](const std::string& name, const config::TrustedProxies& said) {
    state::ListenerTrust& one = trust.emplace_back(name, std::vector<std::string>(), said.unix_sockets);
    for (const config::Network& network : said.networks) one.networks.push_back(network.text());
  });
  return trust;
}

FormerListeners former_listeners(const std::vector<state::ListenerTrust>& inherited, const config::Config& now) {
  FormerListeners former;
  for (const state::ListenerTrust& one : inherited) {
    if (has_listener(now, one.listener)) continue;
    config::TrustedProxies said{.networks = {}, .unix_sockets = one.unix_sockets};
    for (const std::string& text : one.networks) {
      if (const auto network = config::parse_network(text)) said.networks.push_back(*network);
    }
    former.emplace(one.listener, std::make_shared<FormerListener>(said));
  }
  return former;
}

}  // namespace baton::proxy
