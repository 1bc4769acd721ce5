// A configuration prepared for the data path: names resolved, numbers in the form the engines use. Immutable, and
// replaced as a whole.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "proxy/access_log/access_log.hpp"
#include "proxy/access_log/format.hpp"
#include "proxy/engine/engine.hpp"
#include "proxy/http2/frames.hpp"
#include "proxy/process/file_stamps.hpp"
#include "proxy/rates/counts.hpp"
#include "proxy/routing/client_rules.hpp"
#include "proxy/routing/route_table.hpp"
#include "proxy/routing/tcp_routes.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/tls/server_context.hpp"
#include "proxy/upstream/pool.hpp"
#include "proxy/worker/former_listeners.hpp"
#include "proxy/worker/server_names.hpp"

namespace baton::proxy {

// What concerns the connections of one listener.
struct ListenerRules {
  std::size_t index = 0;  // in config.listeners
  routing::TrustedProxies trusted;
  config::ProxyProtocol proxy_protocol = config::ProxyProtocol::off;
  routing::TcpRoutes tcp_routes;
  routing::Access access;  // of tcp listeners
};

struct Settings {
  // What HTTP/2 goes by, with clients and with servers.
  http2::Terms http2_terms() const;
  // nullptr: no listener has that name.
  const config::Listener* find_listener(std::string_view name) const {
    const ListenerRules* const found = find_rules(name);
    return found == nullptr ? nullptr : &config.listeners[found->index];
  }
  const ListenerRules* find_rules(std::string_view name) const {
    const auto found = listeners.find(name);
    return found == listeners.end() ? nullptr : &found->second;
  }

  config::Config config;
  routing::RouteTable routes;                        // of http listeners
  engine::Rules rules;                               // until a request has its route, and of tcp listeners
  routing::TrustedProxies trusted_proxies;           // of connections whose listener is gone, unless it had its own
  FormerListeners former_listeners;
  const routing::TrustedProxies& trusted_by_former(std::string_view listener) const {
    const auto found = former_listeners.find(listener);
    if (found == former_listeners.end()) return trusted_proxies;
    found->second->is_used.store(true, std::memory_order_relaxed);
    return found->second->trusted;
  }
  routing::ClientRules clients;
  // nullptr: all by default.
  const routing::ClientRules* special_clients() const { return clients.is_plain() ? nullptr : &clients; }
  std::int64_t upstream_idle_ms = 55'000;
  std::int64_t handshake_ms = 10'000;
  std::map<std::string, ListenerRules, std::less<>> listeners;
  std::vector<upstream::UpstreamServers> upstreams;
  state::KnownNames names;                           // of the servers in `upstreams`
  std::shared_ptr<tls::TicketKeys> ticket_keys;      // of the process, shared by all its settings over time
  std::shared_ptr<upstream::Registry> servers;       // the same
  std::shared_ptr<rates::Counts> counts;             // the same
  std::map<std::string, std::shared_ptr<const tls::ServerContext>, std::less<>> tls;   // of the listeners with TLS
  std::vector<process::FileStamp> tls_files;  // those watched, as they were when read: see `stamps_of_tls`
  std::optional<access_log::Format> access_format;
};

// Looks up the servers' names and reads certificates. Throws std::runtime_error naming the file, or the server that has
// no address. A running process passes its ticket keys, its counts, and what it knows of servers and names to a new
// configuration, and the former listeners; with Unknown::leave, servers whose names are looked up again and again are
// missing until `with_names` adds them.
//
// `unusable`: what becomes of pairs in folders that cannot be used, which are logged.
enum class Unusable { refuse, leave_out };
std::shared_ptr<const Settings> make_settings(
    config::Config config, std::shared_ptr<tls::TicketKeys> ticket_keys = std::make_shared<tls::TicketKeys>(),
    std::shared_ptr<upstream::Registry> servers = std::make_shared<upstream::Registry>(),
    const state::KnownNames& known = {}, Unknown unknown = Unknown::ask,
    std::shared_ptr<rates::Counts> counts = std::make_shared<rates::Counts>(), FormerListeners former = {},
    Unusable unusable = Unusable::refuse);
// The same settings with the servers that these names have.
std::shared_ptr<const Settings> with_names(const Settings& settings, state::KnownNames names);

// The same settings with what a predecessor says of its listeners.
std::shared_ptr<const Settings> with_former_listeners(const Settings& settings,
                                                      const std::vector<state::ListenerTrust>& inherited);
// The same settings with those certificates, keys and CAs read again that are watched and have changed. A pair that
// cannot be used, or no longer, is left out or stays as it is, and `log_notes` says so. Throws as above.
std::shared_ptr<const Settings> with_new_certificates(const Settings& settings);
// Whether they have the same certificates and CAs.
bool have_same_certificates(const Settings& one, const Settings& other);
// Logs what an operator should know about the listeners' certificates, unless it was already so before.
void log_notes(const Settings& settings, const Settings* before);

// The files that are watched for changes, and folders in which there is nothing to watch yet.
bool watches_certificates(const config::Config& config);
std::vector<process::FileStamp> stamps_of_tls(const config::Config& config);

// The number of workers that the configuration asks for; by default one per CPU that this process may use.
unsigned worker_count(const config::Config& config);

}  // namespace baton::proxy
