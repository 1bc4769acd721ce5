#include "proxy/server/status.hpp"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "handoff/insist.hpp"
#include "proxy/tls/certificate_expiry.hpp"

namespace baton::proxy {

namespace {

// A status that is being collected, and the number of answers still missing.
struct Gathering {
  admin::Status status;
  ConnectionCounts connections;
  std::size_t unanswered = 0;
  std::shared_ptr<const Settings> settings;
  std::function<void(admin::Status)> answer;
};

// One worker's part of the status.
struct Share {
  ConnectionCounts connections;
  std::uint64_t unknown = 0;
};

// Whether the server is otherwise than configured because an operator said so.
bool is_by_command(const state::ServerFacts& facts, const upstream::Terms& terms) {
  const bool is_order_in_file = facts.order == state::Order::none ||
                                (facts.order == state::Order::up && !terms.drain) ||
                                (facts.order == state::Order::drain && terms.drain);
  const bool is_weight_in_file = facts.weight == 0 || facts.weight == terms.weight;
  return !is_order_in_file || !is_weight_in_file;
}

admin::ServerStatus status_of(upstream::Standing& standing, const metrics::Totals& counted, std::int64_t now_ms,
                              std::int64_t unix_offset_ms) {
  const state::ServerFacts facts = standing.facts();
  const upstream::Terms terms = standing.terms();
  const upstream::Standing::Totals totals = standing.totals(now_ms);
  admin::ServerStatus status{
      .upstream = standing.upstream,
      .address = standing.address,
      .state = "up",
      .why = is_by_command(facts, terms) ? "by command" : "",
      .since_ms = is_by_command(facts, terms) ? facts.ordered_ms : 0,
      .weight = standing.weight(),
      .is_backup = terms.backup,
      .in_flight = totals.in_flight,
      .requests_total = counted.of_server("server_requests_total", standing.upstream, standing.address),
      .failures_total = counted.of_server("server_failures_total", standing.upstream, standing.address),
      .p50_ms = totals.latencies.quantile_ms(0.5),
      .p99_ms = totals.latencies.quantile_ms(0.99)};
  if (facts.order == state::Order::down) {
    status.state = "down";
  } else if (facts.health == state::Health::down) {
    status.state = "down";
    status.why = facts.health_why;
    status.since_ms = facts.health_ms;
  } else if (facts.ejected_until_ms > now_ms) {
    status.state = "ejected";
    status.why = facts.ejected_why;
    status.since_ms = facts.ejected_ms;
  } else if (standing.is_withdrawn()) {
    status.state = "drained";
    if (facts.order != state::Order::drain) {
      status.why = "by the configuration";
      status.since_ms = 0;
    }
  }
  if (status.since_ms != 0) status.since_ms += unix_offset_ms;
  return status;
}

std::vector<admin::ServerStatus> servers_of(const upstream::Registry& registry, const metrics::Totals& totals,
                                            std::int64_t now_ms) {
  const std::int64_t unix_offset_ms = runtime::unix_us() / 1000 - now_ms;
  std::vector<admin::ServerStatus> servers;
  for (const auto& standing : registry.all()) servers.push_back(status_of(*standing, totals, now_ms, unix_offset_ms));
  return servers;
}

std::vector<admin::RouteStatus> routes_of(const config::Config& config, const metrics::Totals& totals) {
  std::vector<admin::RouteStatus> routes;
  const auto requests = metrics::requests_by_route(totals);
  for (const config::Route& route : config.routes) {
    std::string name = route.label();
    const auto found = requests.find(metrics::label_value(name));
    const metrics::Requests counts = found == requests.end() ? metrics::Requests() : found->second;
    routes.push_back({.name = std::move(name),
                      .match = route.match.text(),
                      .action = route.action_text(),
                      .file = route.where.file,
                      .line = route.where.line,
                      .requests_total = counts.all,
                      .failures_total = counts.failed});
  }
  return routes;
}

std::vector<admin::CertificateStatus> certificates_of(const Settings& settings) {
  const std::int64_t now_s = runtime::unix_us() / 1'000'000;
  std::vector<admin::CertificateStatus> certificates;
  for (const auto& [listener, context] : settings.tls) {
    for (const auto& identity : context->identities()) {
      certificates.push_back({.listener = listener,
                              .path = identity->files.cert.path,
                              .names = identity->names,
                              .until_s = identity->valid_until_s,
                              .days_left = tls::days_left(identity->valid_until_s, now_s)});
    }
  }
  return admin::listed(std::move(certificates));
}

void take_connections(admin::Status& status, const ConnectionCounts& counts) {
  status.connections = {.idle = counts.idle,
                        .head = counts.head,
                        .exchange = counts.exchange,
                        .tunnel = counts.tunnel,
                        .closing = counts.closing,
                        .upstream_idle = counts.upstream_idle};
  for (const auto& [of, open] : counts.open) {
    const auto& [listener, protocol, tls] = of;
    status.open.push_back({.listener = listener,
                           .protocol = std::string(metrics::protocol_words[static_cast<std::size_t>(protocol)]),
                           .tls = std::string(metrics::tls_words[static_cast<std::size_t>(tls)]),
                           .connections = open.connections,
                           .exchanges = open.exchanges});
  }
}

void count(admin::Status& status, metrics::Totals totals) {
  status.accepted_total = totals.sum("connections_accepted_total");
  status.requests_total = totals.sum("requests_total");
  status.rate_refusals_total = totals.sum("requests_ended_total", "ended", "rate");
  status.connection_refusals_total = totals.sum("connections_refused_total", "reason", "connections_per_client");
  status.access_refusals_total = totals.sum("connections_refused_total", "reason", "access");
  status.aborted_total = totals.sum("connections_aborted_total");
  status.totals = std::move(totals);
}

// The names in the configuration, and who waits there.
void name_parts(admin::Status& status, const Settings& settings) {
  for (const config::Listener& listener : settings.config.listeners) status.listeners.push_back(listener.name);
  for (const config::Upstream& upstream : settings.config.upstreams) {
    status.upstreams.push_back(upstream.name);
    if (!upstream.balancing.queue) continue;
    status.queues.push_back({.upstream = upstream.name, .waiting = settings.servers->queue(upstream.name)->waiting()});
  }
}

admin::Status complete(const Gathering& gathering) {
  admin::Status status = gathering.status;
  const Settings& settings = *gathering.settings;
  take_connections(status, gathering.connections);
  count(status, metrics::Totals(metrics::ledger().read()));
  status.ledger_used = metrics::ledger().used();
  status.servers = servers_of(*settings.servers, status.totals, runtime::monotonic_ms());
  status.routes = routes_of(settings.config, status.totals);
  name_parts(status, settings);
  status.certificates = certificates_of(settings);
  return status;
}

}  // namespace

admin::Status StatusReporter::own_part(bool is_ready) const {
  const Role& role = parts_.role;
  const Generation& generation = parts_.generation;
  admin::Status status;
  status.generation = parts_.data_path.generation();
  status.pid = ::getpid();
  if (const auto supervisor = parts_.supervision.supervisor()) status.supervisor = *supervisor;
  const bool is_spared = parts_.data_path.handoff().survive != config::Survive::off;
  if (generation.keeper != 0 && is_spared) status.keeper = generation.keeper;
  status.version = generation.version;
  status.configuration = generation.provenance;
  status.state = role.is_stopping()       ? admin::State::stopping
                 : generation.is_draining ? admin::State::draining
                                          : admin::State::serving;
  status.ready = is_ready;
  status.maintenance = parts_.data_path.is_in_maintenance();
  for (const BoundSocket& socket : parts_.instance.sockets()) {
    status.listening.push_back({socket.listener, socket.address.text()});
  }
  for (const std::string& address : parts_.instance.admin_addresses()) status.listening.push_back({"@admin", address});
  status.admin_token = !parts_.data_path.config().admin_token.empty();
  status.started_at_us = started_at_us_;
  status.connections_max = parts_.data_path.shared().connections_max.load();
  status.last_reload_ok = parts_.reloads.has_last_succeeded();
  status.last_upgrade = generation.last_upgrade;
  status.upgrades = generation.upgrades.all();
  status.canary = generation.canary;
  status.crashes = generation.crashes;
  if (generation.previous) status.rollback = admin::Rollback{generation.previous->program.version, 0};
  return status;
}

void StatusReporter::answer(bool is_ready, std::function<void(admin::Status)> answer) {
  const auto gathering = std::make_shared<Gathering>();
  gathering->status = own_part(is_ready);
  std::optional<std::vector<std::string>> previous_features;
  if (parts_.generation.previous) previous_features = parts_.generation.previous->program.features;
  Workers& workers = parts_.data_path.workers();
  gathering->unanswered = workers.size();
  gathering->settings = parts_.data_path.settings();
  gathering->answer = std::move(answer);
  for (std::size_t i = 0; i < workers.size(); ++i) {
    workers.at(i).loop().post([&main = parts_.main, gathering, previous_features, &worker = workers.at(i)] {
      worker.settle();
      Share share;
      handoff::insist([&] { share.connections = worker.count(); });
      if (previous_features) {
        share.unknown = handoff::insist([&] { return worker.count_unknown_to(*previous_features); });
      }
      // Without this share the answer would never be complete.
      handoff::insist([&] {
        main.post([gathering, share] {
          admin::Status& sum = gathering->status;
          gathering->connections += share.connections;
          if (sum.rollback) sum.rollback->unknown += share.unknown;
          if (--gathering->unanswered != 0) return;
          // The client waits for it.
          gathering->answer(handoff::insist([&] { return complete(*gathering); }));
        });
      });
    });
  }
}

}  // namespace baton::proxy
