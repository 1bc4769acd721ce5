#include "proxy/worker/settings.hpp"

#include <openssl/crypto.h>
#include <sched.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "handoff/limits.hpp"
#include "proxy/process/secrecy.hpp"
#include "proxy/tls/certificate_folders.hpp"
#include "proxy/tls/self_test.hpp"
#include "proxy/worker/answer_files.hpp"

namespace baton::proxy {

// A successor accepts everything that a configuration allows a connection to hold.
static_assert(config::buffer_bytes_max == handoff::limits::buffer_bytes_ceiling);
static_assert(config::head_bytes_max == handoff::limits::head_bytes_ceiling);
// Besides the listeners' sockets, an upgrade passes on those of admin, handoff and lock; besides the configuration, the
// previous one.
static_assert(config::listening_sockets_max + 16 <= handoff::limits::sockets_inherited_max);
static_assert(3 * config::written_bytes_max <= handoff::limits::record_bytes_max);

unsigned worker_count(const config::Config& config) {
  if (config.workers) return *config.workers;
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  if (::sched_getaffinity(0, sizeof cpus, &cpus) != 0) return 1;
  return std::max(1u, static_cast<unsigned>(CPU_COUNT(&cpus)));
}

namespace {

std::vector<std::string> files_of(const config::UpstreamTls& tls) {
  std::vector<std::string> paths;
  if (tls.certificate) paths = {tls.certificate->cert.path, tls.certificate->key.path};
  if (tls.ca) paths.push_back(tls.ca->path);
  return paths;
}

std::vector<std::string> watched_files(const config::Config& config) {
  std::vector<std::string> paths;
  const auto add = [&](const std::vector<config::Certificate>& certificates) {
    for (const config::Certificate& one : certificates) paths.insert(paths.end(), {one.cert.path, one.key.path});
  };
  if (config.watch == config::Watch::none) return paths;
  for (const auto& listener : config.listeners) {
    if (!listener.tls) continue;
    const tls::FoundPairs found = tls::find_pairs(listener.tls->folders);
    add(found.pairs);
    for (const config::File& folder : found.without) paths.push_back(folder.path);
    for (const auto& one : found.unreadable) paths.push_back(one.folder.path);
    if (config.watch != config::Watch::all) continue;
    add(listener.tls->certificates);
    if (listener.tls->client_ca) paths.push_back(listener.tls->client_ca->path);
  }
  for (const auto& upstream : config.upstreams) {
    if (config.watch == config::Watch::all && upstream.tls)
      std::ranges::copy(files_of(*upstream.tls), std::back_inserter(paths));
  }
  return paths;
}

std::optional<arrival::ProxyVersion> version_of(config::ProxyHeaderSent sent) {
  switch (sent) {
    case config::ProxyHeaderSent::off:
      break;
    case config::ProxyHeaderSent::v1:
      return arrival::ProxyVersion::v1;
    case config::ProxyHeaderSent::v2:
      return arrival::ProxyVersion::v2;
  }
  return std::nullopt;
}

// Reads those of all listeners and upstreams of `settings.config`; `settings.upstreams` are in the same order.
void read_certificates(Settings& settings, Unusable unusable) {
  // Taken before the files are read, so that a change meanwhile is noticed.
  settings.tls_files = stamps_of_tls(settings.config);
  for (const config::Listener& listener : settings.config.listeners) {
    if (!listener.tls) continue;
    settings.tls[listener.name] =
        std::make_shared<tls::ServerContext>(*listener.tls, listener.name, *settings.ticket_keys,
                                             tls::Reading{.leaves_out_unusable = unusable == Unusable::leave_out});
  }
  for (std::size_t i = 0; i < settings.upstreams.size(); ++i) {
    const auto& upstream_tls = settings.config.upstreams[i].tls;
    settings.upstreams[i].keepalive_s = static_cast<int>(settings.config.upstreams[i].tcp_keepalive.count() / 1000);
    settings.upstreams[i].protocol = settings.config.upstreams[i].protocol;
    settings.upstreams[i].proxy_header = version_of(settings.config.upstreams[i].proxy_protocol);
    settings.upstreams[i].tls = upstream_tls ? std::make_shared<tls::ClientContext>(*upstream_tls) : nullptr;
  }
}

// Paths whose stamps differ; what is watched in only one of them counts as changed.
std::set<std::string> changed_between(const std::vector<process::FileStamp>& before,
                                      const std::vector<process::FileStamp>& now) {
  std::map<std::string_view, const process::FileStamp*> known;
  for (const process::FileStamp& stamp : before) known.emplace(stamp.path, &stamp);
  std::set<std::string> changed;
  for (const process::FileStamp& stamp : now) {
    const auto found = known.find(stamp.path);
    if (found == known.end() || *found->second != stamp) changed.insert(stamp.path);
  }
  return changed;
}

// Must run before anything is served with TLS. (A reload may add the first listener that has it.)
void prepare_tls(const Settings& settings) {
  const bool has_tls = !settings.tls.empty() || std::any_of(settings.upstreams.begin(), settings.upstreams.end(),
                                                            [](const auto& upstream) { return upstream.tls != nullptr; });
  if (!has_tls) return;
  process::keep_memory_private();
  for (const auto& failure : tls::run_self_test()) {
    runtime::log::warning("TLS with {} works, but its connections cannot move and will drain in an upgrade: {} ({})",
                          failure.suite, failure.why, OpenSSL_version(OPENSSL_VERSION));
  }
}

}  // namespace

http2::Terms Settings::http2_terms() const {
  const config::Limits& limits = config.limits;
  return {.streams_max = static_cast<std::uint32_t>(limits.http2_streams),
          .stream_window = static_cast<std::uint32_t>(limits.http2_stream_window),
          .connection_window =
              static_cast<std::uint32_t>(std::max(limits.http2_connection_window, limits.http2_stream_window)),
          .list_bytes = rules.head_bytes,
          .buffer_bytes = rules.buffer_bytes};
}

std::shared_ptr<const Settings> with_new_certificates(const Settings& settings) {
  auto renewed = std::make_shared<Settings>(settings);
  renewed->tls_files = stamps_of_tls(settings.config);
  const std::set<std::string> changed = changed_between(settings.tls_files, renewed->tls_files);
  const auto has_changed = [&](const std::string& path) { return changed.contains(path); };
  for (const config::Listener& listener : settings.config.listeners) {
    if (!listener.tls) continue;
    const auto& before = settings.tls.at(listener.name);
    const tls::Reading reading{.leaves_out_unusable = true, .before = before.get(), .has_changed = has_changed};
    auto context = std::make_shared<tls::ServerContext>(*listener.tls, listener.name, *settings.ticket_keys, reading);
    renewed->tls[listener.name] = std::move(context);
  }
  for (std::size_t i = 0; i < renewed->upstreams.size(); ++i) {
    const auto& upstream_tls = settings.config.upstreams[i].tls;
    if (!upstream_tls || !std::ranges::any_of(files_of(*upstream_tls), has_changed)) continue;
    renewed->upstreams[i].tls = std::make_shared<tls::ClientContext>(*upstream_tls);
  }
  return renewed;
}

bool have_same_certificates(const Settings& one, const Settings& other) {
  return std::ranges::equal(one.tls, other.tls,
                            [](const auto& a, const auto& b) { return a.second->is_as(*b.second); }) &&
         std::ranges::equal(one.upstreams, other.upstreams, {}, &upstream::UpstreamServers::tls,
                            &upstream::UpstreamServers::tls);
}

void log_notes(const Settings& settings, const Settings* before) {
  using runtime::log::Level;
  std::vector<tls::Note> known;
  const auto is_news = [&](const tls::Note& note) { return std::ranges::find(known, note) == known.end(); };
  const auto each = [](const Settings& of, const auto& visit) {
    for (const auto& [listener, context] : of.tls) std::ranges::for_each(context->notes(), visit);
  };
  if (before) each(*before, [&](const tls::Note& note) { known.push_back(note); });
  each(settings, [&](const tls::Note& note) {
    if (!is_news(note)) return;
    known.push_back(note);  // listeners may share a folder
    const Level level = note.is_error ? Level::error : Level::warning;
    runtime::log::format_and_write(level, "{}", note.text);
  });
}

bool watches_certificates(const config::Config& config) {
  const auto has_folders = [](const config::Listener& listener) {
    return listener.tls && !listener.tls->folders.empty();
  };
  const auto has_tls = [](const auto& one) { return one.tls.has_value(); };
  switch (config.watch) {
    case config::Watch::none:
      return false;
    case config::Watch::folders:
      return std::ranges::any_of(config.listeners, has_folders);
    case config::Watch::all:
      return std::ranges::any_of(config.listeners, has_tls) || std::ranges::any_of(config.upstreams, has_tls);
  }
  return false;
}

std::vector<process::FileStamp> stamps_of_tls(const config::Config& config) {
  return process::stamps_of(watched_files(config));
}

namespace {

std::shared_ptr<upstream::Ejections> ejections_of(const config::Upstream& upstream,
                                                  const std::vector<upstream::ServerAddress>& servers) {
  if (!upstream.health || !upstream.health->passive) return nullptr;
  std::vector<std::shared_ptr<upstream::Standing>> standings;
  for (const upstream::ServerAddress& server : servers) standings.push_back(server.standing);
  return std::make_shared<upstream::Ejections>(upstream.name, *upstream.health->passive, std::move(standings));
}

}  // namespace

std::shared_ptr<const Settings> with_names(const Settings& settings, state::KnownNames names) {
  auto renamed = std::make_shared<Settings>(settings);
  renamed->names = std::move(names);
  for (std::size_t i = 0; i < renamed->upstreams.size(); ++i) {
    const config::Upstream& upstream = renamed->config.upstreams[i];
    upstream::UpstreamServers& servers = renamed->upstreams[i];
    servers.servers = servers_of(upstream, renamed->names, *renamed->servers);
    servers.ejections = ejections_of(upstream, servers.servers);
  }
  return renamed;
}

std::shared_ptr<const Settings> with_former_listeners(const Settings& settings,
                                                      const std::vector<state::ListenerTrust>& inherited) {
  auto renewed = std::make_shared<Settings>(settings);
  renewed->former_listeners = former_listeners(inherited, settings.config);
  return renewed;
}

std::shared_ptr<const Settings> make_settings(config::Config config, std::shared_ptr<tls::TicketKeys> ticket_keys,
                                              std::shared_ptr<upstream::Registry> registry,
                                              const state::KnownNames& known, Unknown unknown,
                                              std::shared_ptr<rates::Counts> counts, FormerListeners former,
                                              Unusable unusable) {
  auto settings = std::make_shared<Settings>();
  settings->former_listeners = std::move(former);
  settings->rules = routing::rules_of(config);
  settings->handshake_ms = config.timeouts.handshake.count();
  settings->upstream_idle_ms = config.timeouts.upstream_idle.count();
  settings->clients.forwarded = config.forwarded;
  settings->clients.propagates_traces = config.tracing == config::Tracing::propagate;
  if (config.request_id) {
    settings->clients.request_id_header = config.request_id->header;
    settings->clients.trusts_request_ids = config.request_id->trust;
  }
  if (config.log.access) settings->access_format = access_log::format_of(*config.log.access);
  settings->names = learn_names(config, known, unknown);
  for (const config::Upstream& upstream : config.upstreams) {
    settings->upstreams.push_back({.name = upstream.name,
                                   .servers = servers_of(upstream, settings->names, *registry),
                                   .balancing = upstream.balancing,
                                   .follows_names = upstream.resolve.has_value(),
                                   .queue = upstream.balancing.queue ? registry->queue(upstream.name) : nullptr,
                                   .registry = registry});
    settings->upstreams.back().ejections = ejections_of(upstream, settings->upstreams.back().servers);
  }
  settings->ticket_keys = std::move(ticket_keys);
  settings->servers = std::move(registry);
  if (routing::has_rates(config)) counts->requests.make_room();
  if (config.limits.connections_per_client != 0) counts->connections.make_room();
  settings->routes = routing::RouteTable(config, read_answer_files(config),
                                         std::shared_ptr<const rates::Table>(counts, &counts->requests));
  settings->counts = std::move(counts);
  settings->config = std::move(config);
  settings->trusted_proxies = routing::TrustedProxies(settings->config.trusted_proxies);
  for (std::size_t i = 0; i < settings->config.listeners.size(); ++i) {
    const config::Listener& listener = settings->config.listeners[i];
    settings->listeners.emplace(
        listener.name,
        ListenerRules{.index = i,
                      .trusted = routing::TrustedProxies(listener.trusted_proxies ? *listener.trusted_proxies
                                                                                  : settings->config.trusted_proxies),
                      .proxy_protocol = listener.proxy_protocol,
                      .tcp_routes = routing::TcpRoutes(listener.routes),
                      .access = routing::Access(listener.access)});
  }
  read_certificates(*settings, unusable);
  log_notes(*settings, nullptr);
  prepare_tls(*settings);
  return settings;
}

}  // namespace baton::proxy
