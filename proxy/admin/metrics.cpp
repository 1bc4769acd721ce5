#include "proxy/admin/metrics.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "proxy/metrics/tally.hpp"
#include "proxy/runtime/text.hpp"
#include "proxy/state/ending.hpp"

namespace baton::admin {

namespace {

using metrics::Exposition;
using metrics::Labels;
using metrics::Type;

// Exchanges that get their answer from us instead of a server, and not because the configuration gives it.
constexpr std::array refusals{state::Ending::denied,      state::Ending::unauthorized, state::Ending::rate,
                              state::Ending::maintenance, state::Ending::no_route,     state::Ending::no_server,
                              state::Ending::queue,       state::Ending::busy,         state::Ending::too_large,
                              state::Ending::bad_request};

double seconds(std::uint64_t microseconds) {
  return static_cast<double>(microseconds) / 1e6;
}

std::uint64_t number(bool is_so) {
  return is_so ? 1 : 0;
}

template <class Number>
void only(Exposition& out, std::string_view name, Type type, std::string_view help, Number value) {
  out.family(name, type, help);
  out.sample(Labels{}, value);
}

// Two values may become equal when invalid bytes are replaced, and a series must not appear twice.
void samples(Exposition& out, std::string_view label, const std::map<std::string, std::uint64_t>& numbers) {
  std::map<std::string, std::uint64_t> sums;
  for (const auto& [value, number] : numbers) sums[runtime::valid_utf8(value)] += number;
  for (const auto& [value, number] : sums) out.sample(Labels{{label, value}}, number);
}

// ── The process ───────────────────────────────────────────────────────────────────────────────────────────────────

void add_process(Exposition& out, const Status& status, const process::Usage& usage) {
  const auto one = [&](std::string_view name, Type type, std::string_view help, auto value) {
    out.family({name, type, help}, "");
    out.sample(Labels{}, value);
  };
  one("process_cpu_seconds_total", Type::counter, "CPU time of this process.", usage.cpu_s);
  one("process_resident_memory_bytes", Type::gauge, "Resident memory of this process.", usage.resident_bytes);
  one("process_virtual_memory_bytes", Type::gauge, "Virtual memory of this process.", usage.virtual_bytes);
  one("process_open_fds", Type::gauge, "Open descriptors of this process.", usage.open_descriptors);
  one("process_max_fds", Type::gauge, "The limit of open descriptors.", usage.descriptors_max);
  one("process_threads", Type::gauge, "Threads of this process.", usage.threads);
  one("process_start_time_seconds", Type::gauge, "When this process was started, since 1970.",
      seconds(static_cast<std::uint64_t>(std::max<std::int64_t>(status.started_at_us, 0))));
}

void add_instance(Exposition& out, const Status& status) {
  out.family("build_info", Type::info, "The version that answers.");
  out.sample(Labels{{"version", status.version}}, std::uint64_t{1});
  only(out, "generation", Type::gauge, "Incremented by each upgrade.", status.generation);
  only(out, "ready", Type::gauge, "1 if /readyz answers 200.", number(status.ready));
  only(out, "maintenance", Type::gauge, "1 while maintenance is switched on.", number(status.maintenance));
  only(out, "last_reload_success", Type::gauge, "0 if the last reload of this process failed.",
       number(status.last_reload_ok));
  only(out, "metrics_memory_used_ratio", Type::gauge, "How much of the room for counters is used.", status.ledger_used);
  only(out, "configuration_applied", Type::gauge,
       "1 if the configuration was applied by command and is not the file's.", number(status.configuration.is_applied));
}

// ── The ledger ────────────────────────────────────────────────────────────────────────────────────────────────────

// What the configuration has; values as they stand in series.
struct Known {
  std::set<std::string, std::less<>> listeners, routes, upstreams, servers;
};

Known known_to(const Status& status) {
  using metrics::label_value;
  Known known;
  for (const std::string& name : status.listeners) known.listeners.insert(label_value(name));
  for (const RouteStatus& route : status.routes) known.routes.insert(label_value(route.name));
  for (const std::string& name : status.upstreams) known.upstreams.insert(label_value(name));
  for (const ServerStatus& server : status.servers) known.servers.insert(label_value(server.address));
  return known;
}

bool is_shown(std::string_view labels, const Known& known) {
  const auto is_known = [&](std::string_view label, const auto& values) {
    const std::string_view value = metrics::label_of(labels, label);
    return value.empty() || values.contains(value);
  };
  return is_known("listener", known.listeners) && is_known("route", known.routes) &&
         is_known("upstream", known.upstreams) && is_known("server", known.servers);
}

void add_totals(Exposition& out, const Status& status) {
  const Known known = known_to(status);
  for (const metrics::Family& family : metrics::ledger_families()) {
    out.family(family);
    status.totals.each(family.name, [&](std::string_view labels, const metrics::Ledger::Numbers& numbers) {
      if (!is_shown(labels, known)) return;
      family.type == Type::histogram ? out.histogram(labels, numbers) : out.sample(labels, numbers.front());
    });
  }
  out.family("requests_refused_total", Type::counter, "Exchanges that Baton answered instead of a server, by reason.");
  for (const state::Ending ending : refusals) {
    const std::string_view word = state::word_of(ending);
    out.sample(Labels{{"reason", word}}, status.totals.sum("requests_ended_total", "ended", word));
  }
}

// ── Now ───────────────────────────────────────────────────────────────────────────────────────────────────────────

void add_connections(Exposition& out, const Status& status) {
  const Connections& now = status.connections;
  out.family("connections", Type::gauge, "Client connections, by state.");
  out.sample(Labels{{"state", "idle"}}, now.idle);
  out.sample(Labels{{"state", "head"}}, now.head);
  out.sample(Labels{{"state", "exchange"}}, now.exchange);
  out.sample(Labels{{"state", "tunnel"}}, now.tunnel);
  out.sample(Labels{{"state", "closing"}}, now.closing);
  only(out, "connections_max", Type::gauge, "The limit of client connections; 0: none.", status.connections_max);
  only(out, "upstream_idle_connections", Type::gauge, "Idle connections to servers.", now.upstream_idle);
  out.family("open_connections", Type::gauge, "Client connections, by what they speak.");
  for (const OpenConnections& one : status.open) {
    out.sample(Labels{{"listener", one.listener}, {"protocol", one.protocol}, {"tls", one.tls}}, one.connections);
  }
  out.family("requests_in_flight", Type::gauge, "Exchanges that have begun and not ended, tunnels among them.");
  std::map<std::pair<std::string, std::string>, std::uint64_t> in_flight;
  for (const OpenConnections& one : status.open) in_flight[{one.listener, one.protocol}] += one.exchanges;
  for (const auto& [of, exchanges] : in_flight) {
    out.sample(Labels{{"listener", of.first}, {"protocol", of.second}}, exchanges);
  }
}

// The servers of the configuration, so the labels are as many as that has servers.
void add_servers(Exposition& out, const Status& status) {
  const std::vector<ServerStatus>& servers = status.servers;
  const auto gauge = [&](std::string_view name, std::string_view help, auto value) {
    out.family(name, Type::gauge, help);
    for (const ServerStatus& server : servers) {
      out.sample(Labels{{"upstream", server.upstream}, {"server", server.address}}, value(server));
    }
  };
  gauge("server_up", "1 if the server takes requests.",
        [](const ServerStatus& server) { return number(server.state == "up"); });
  gauge("server_connections", "Exchanges in flight with the server.", [](const ServerStatus& server) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(server.in_flight, 0));
  });
  out.family("server_state", Type::gauge, "1 for the state that the server is in.");
  for (const ServerStatus& server : servers) {
    for (const std::string_view state : {"up", "drained", "down", "ejected"}) {
      const Labels labels{{"upstream", server.upstream}, {"server", server.address}, {"state", state}};
      out.sample(labels, number(server.state == state));
    }
  }
  out.family("upstream_queue_length", Type::gauge, "Requests that wait for a server that is not full.");
  for (const QueueStatus& queue : status.queues) out.sample(Labels{{"upstream", queue.upstream}}, queue.waiting);
}

// As many labels as the status lists certificates.
void add_certificates(Exposition& out, const std::vector<CertificateStatus>& certificates) {
  out.family("certificate_expiry_timestamp_seconds", Type::gauge, "When the certificate expires, since 1970.");
  for (const CertificateStatus& one : certificates) {
    out.sample(Labels{{"listener", one.listener}, {"certificate", one.path}}, static_cast<double>(one.until_s));
  }
}

// ── Upgrades and crashes ──────────────────────────────────────────────────────────────────────────────────────────

void add_last_upgrade(Exposition& out, const LastUpgrade& upgrade) {
  const handoff::Report& report = upgrade.report;
  const Moved moved = moved_of(report);
  only(out, "last_upgrade_success", Type::gauge, "1 if the last upgrade completed, otherwise 0.",
       number(upgrade.result == "completed"));
  only(out, "last_upgrade_duration_seconds", Type::gauge, "From its start to its end.", seconds(report.duration_us));
  out.family("last_upgrade_moved_connections", Type::gauge, "Client connections that the successor adopted, by state.");
  samples(out, "state", moved.clients);
  out.family("last_upgrade_refused_connections", Type::gauge,
             "Client connections that the successor refused, by reason.");
  samples(out, "reason", report.refused);
  only(out, "last_upgrade_left_connections", Type::gauge,
       "Client connections that could not move and stayed with the predecessor, refused or not even offered.",
       report.left_behind);
  only(out, "last_upgrade_taken_back_connections", Type::gauge,
       "Client connections offered but not adopted; they stayed.", report.taken_back);
  out.family("last_upgrade_pause_seconds", Type::gauge, "How long a moved connection stood still.");
  // Not a summary, since there is no sum; so the label is not `quantile`, which belongs to summaries.
  out.sample(Labels{{"statistic", "p50"}}, seconds(report.pauses.p50_us));
  out.sample(Labels{{"statistic", "p99"}}, seconds(report.pauses.p99_us));
  out.sample(Labels{{"statistic", "max"}}, seconds(report.pauses.max_us));
}

void add_crashes(Exposition& out, const Status& status) {
  only(out, "keeper", Type::gauge, "1 if connections go on after a crash.", number(status.keeper.has_value()));
  only(out, "crashes_total", Type::counter, "Crashes of workers.", status.crashes.total);
  out.family("crash_connections_total", Type::counter, "Client connections at crashes: whole ones went on.");
  out.sample(Labels{{"state", "whole"}}, status.crashes.whole_total);
  out.sample(Labels{{"state", "lost"}}, status.crashes.lost_total);
  only(out, "last_crash_stall_seconds", Type::gauge, "How long connections stood still at the last crash.",
       seconds(status.crashes.last.stall_us));
}

}  // namespace

std::string to_metrics(const Status& status, const process::Usage& usage, metrics::Format format) {
  Exposition out(format);
  add_instance(out, status);
  add_connections(out, status);
  add_totals(out, status);
  add_servers(out, status);
  add_certificates(out, status.certificates);
  if (status.last_upgrade) add_last_upgrade(out, *status.last_upgrade);
  add_crashes(out, status);
  add_process(out, status, usage);
  return std::move(out).take();
}

}  // namespace baton::admin
