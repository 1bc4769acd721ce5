#include "proxy/state/instance_record.hpp"

#include <algorithm>
#include <utility>

#include "proxy/state/state.pb.h"
#include "proxy/state/upgrade_wire.hpp"

namespace baton::state {

namespace {

void write(const ServerRecord& record, wire::ServerRecord& out) {
  const ServerFacts& facts = record.facts;
  out.set_upstream(record.upstream);
  out.set_address(record.address);
  out.set_requests_total(record.requests_total);
  out.set_failures_total(record.failures_total);
  out.mutable_latencies()->Assign(record.latencies.begin(), record.latencies.end());
  out.set_order(static_cast<std::uint32_t>(facts.order));
  out.set_weight(facts.weight);
  out.set_ordered_ms(facts.ordered_ms);
  out.set_weight_then(facts.weight_then);
  out.set_drain_then(facts.drain_then);
  out.set_health(static_cast<std::uint32_t>(facts.health));
  out.set_health_ms(facts.health_ms);
  out.set_health_why(facts.health_why);
  out.set_ejected_until_ms(facts.ejected_until_ms);
  out.set_ejected_ms(facts.ejected_ms);
  out.set_ejections(facts.ejections);
  out.set_ejected_why(facts.ejected_why);
  out.set_slow_since_ms(facts.slow_since_ms);
}

// An order or a verdict of a later version is as good as none.
ServerRecord read(const wire::ServerRecord& in) {
  ServerFacts facts{.weight = in.weight(),
                    .ordered_ms = in.ordered_ms(),
                    .weight_then = in.weight_then(),
                    .drain_then = in.drain_then(),
                    .health_ms = in.health_ms(),
                    .health_why = in.health_why(),
                    .ejected_until_ms = in.ejected_until_ms(),
                    .ejected_ms = in.ejected_ms(),
                    .ejections = in.ejections(),
                    .ejected_why = in.ejected_why(),
                    .slow_since_ms = in.slow_since_ms()};
  if (in.order() <= static_cast<std::uint32_t>(Order::down)) facts.order = static_cast<Order>(in.order());
  if (in.health() <= static_cast<std::uint32_t>(Health::down)) facts.health = static_cast<Health>(in.health());
  return {.upstream = in.upstream(),
          .address = in.address(),
          .facts = std::move(facts),
          .requests_total = in.requests_total(),
          .failures_total = in.failures_total(),
          .latencies = {in.latencies().begin(), in.latencies().end()}};
}

constexpr unsigned weight_max = 256;

void write(const NamedServer& server, wire::NamedServer& out) {
  out.set_ip(server.address.ip.data(), server.address.family == Family::ipv4 ? 4 : 16);
  out.set_port(server.address.port);
  out.set_scope(server.address.scope);
  out.set_weight(server.weight);
  out.set_backup(server.backup);
}

// False: refused.
bool read(const wire::NamedServer& in, NamedServer& out) {
  const bool is_sound = (in.ip().size() == 4 || in.ip().size() == 16) && in.port() != 0 && in.port() <= 65'535 &&
                        in.weight() <= weight_max;
  if (!is_sound) return false;
  out.address.family = in.ip().size() == 4 ? Family::ipv4 : Family::ipv6;
  std::ranges::copy(in.ip(), reinterpret_cast<char*>(out.address.ip.data()));
  out.address.port = static_cast<std::uint16_t>(in.port());
  out.address.scope = in.scope();
  out.weight = in.weight();
  out.backup = in.backup();
  return true;
}

}  // namespace

namespace {

void write(const Crashes& crashes, wire::Crashes& out) {
  out.set_total(crashes.total);
  out.set_in_a_row(crashes.in_a_row);
  out.set_whole_total(crashes.whole_total);
  out.set_lost_total(crashes.lost_total);
  const Crash& last = crashes.last;
  wire::Crash& one = *out.mutable_last();
  one.set_pid(last.pid);
  one.set_signal(last.signal);
  one.set_at_unix_us(last.at_unix_us);
  one.set_whole(last.whole);
  one.set_lost(last.lost);
  one.set_stall_us(last.stall_us);
  for (const std::string& running : last.running) one.add_running(running);
}

Crashes read(const wire::Crashes& in) {
  const wire::Crash& last = in.last();
  return {.total = in.total(),
          .in_a_row = in.in_a_row(),
          .whole_total = in.whole_total(),
          .lost_total = in.lost_total(),
          .last = {.pid = last.pid(),
                   .signal = last.signal(),
                   .at_unix_us = last.at_unix_us(),
                   .whole = last.whole(),
                   .lost = last.lost(),
                   .stall_us = last.stall_us(),
                   .running = {last.running().begin(), last.running().end()}}};
}

void write(const CanaryClients& clients, wire::CanaryClients& out) {
  out.set_key(clients.key);
  out.set_share(clients.share);
  for (const std::string& one : clients.divided) out.add_divided(one);
}

std::optional<CanaryClients> read_canary(const wire::Instance& in) {
  if (!in.has_canary()) return std::nullopt;
  return CanaryClients{.key = in.canary().key(),
                       .share = static_cast<std::uint16_t>(in.canary().share()),
                       .divided = {in.canary().divided().begin(), in.canary().divided().end()}};
}

void write(const History& history, wire::History& out) {
  out.set_until_ms(history.until_ms());
  for (const Sample& sample : history.samples()) {
    out.add_requests(sample.requests);
    out.add_failures(sample.failures);
    out.add_p50_ms(sample.p50_ms);
    out.add_p99_ms(sample.p99_ms);
    out.add_connections(sample.connections);
    out.add_known(sample.is_known);
  }
  out.set_requests_total(history.totals().requests);
  out.set_failures_total(history.totals().failures);
}

// Of another shape, it is as good as none.
History read(const wire::History& in) {
  const int size = in.requests_size();
  for (const int other :
       {in.failures_size(), in.p50_ms_size(), in.p99_ms_size(), in.connections_size(), in.known_size()}) {
    if (other != size) return {};
  }
  std::vector<Sample> samples;
  for (int i = 0; i < size; ++i) {
    samples.push_back({.requests = in.requests(i),
                       .failures = in.failures(i),
                       .p50_ms = in.p50_ms(i),
                       .p99_ms = in.p99_ms(i),
                       .connections = in.connections(i),
                       .is_known = in.known(i)});
  }
  return History::of(in.until_ms(), std::move(samples), {in.requests_total(), in.failures_total()});
}

}  // namespace

std::string encode(const InstanceRecord& record) {
  wire::Instance out;
  out.set_handoff_socket(record.handoff_socket);
  out.set_pid_file(record.pid_file);
  out.set_admin(record.admin);
  out.set_accepted_total(record.accepted_total);
  out.set_requests_total(record.requests_total);
  for (const int signal : record.signals) out.add_signals(static_cast<std::uint32_t>(signal));
  out.set_draining(record.draining);
  out.set_maintenance(record.maintenance);
  for (const std::string& address : record.lent) out.add_lent(address);
  for (const std::string& argument : record.arguments) out.add_arguments(argument);
  out.set_after_crash(record.after_crash);
  out.set_lock_device(record.lock_device);
  out.set_lock_inode(record.lock_inode);
  for (const ServerRecord& server : record.servers) write(server, *out.add_servers());
  for (const RouteRecord& route : record.routes) {
    wire::RouteRecord& one = *out.add_routes();
    one.set_name(route.name);
    one.set_requests_total(route.requests_total);
    one.set_failures_total(route.failures_total);
  }
  for (const ListenerTrust& trust : record.trust) {
    wire::ListenerTrust& one = *out.add_trust();
    one.set_listener(trust.listener);
    for (const std::string& network : trust.networks) one.add_networks(network);
    one.set_unix_sockets(trust.unix_sockets);
  }
  out.set_hash_key(record.hash_key);
  out.set_rates_clock_us(record.rates_clock_us);
  out.set_rate_refusals_total(record.rate_refusals_total);
  out.set_connection_refusals_total(record.connection_refusals_total);
  out.set_access_refusals_total(record.access_refusals_total);
  out.set_keeper(record.keeper);
  if (record.crashes != Crashes()) write(record.crashes, *out.mutable_crashes());
  out.set_holds_lock(record.holds_lock);
  out.set_shares_ledger(record.shares_ledger);
  out.set_logs_json(record.logs_json);
  for (const UpgradeRecord& upgrade : record.upgrades.all()) write(upgrade, *out.add_upgrades());
  if (record.upgrade) write(*record.upgrade, *out.mutable_upgrade());
  if (record.history != History()) write(record.history, *out.mutable_history());
  if (record.canary) write(*record.canary, *out.mutable_canary());
  for (const auto& [question, servers] : record.names) {
    wire::KnownName& name = *out.add_names();
    name.set_question(question);
    for (const NamedServer& server : servers) write(server, *name.add_servers());
  }
  if (record.previous) {
    auto& previous = *out.mutable_previous();
    for (const std::string& argument : record.previous->arguments) previous.add_arguments(argument);
    previous.set_configuration(record.previous->configuration);
    previous.set_version(record.previous->version);
    for (const std::string& feature : record.previous->features) previous.add_features(feature);
  }
  return out.SerializeAsString();
}

std::optional<InstanceRecord> decode_instance_record(std::string_view bytes) {
  wire::Instance in;
  if (!in.ParseFromString(std::string(bytes))) return std::nullopt;
  InstanceRecord record{.handoff_socket = in.handoff_socket(),
                        .pid_file = in.pid_file(),
                        .admin = in.admin(),
                        .accepted_total = in.accepted_total(),
                        .requests_total = in.requests_total(),
                        .signals = {},
                        .draining = in.draining(),
                        .maintenance = in.maintenance(),
                        .lent = {in.lent().begin(), in.lent().end()},
                        .arguments = {in.arguments().begin(), in.arguments().end()},
                        .after_crash = in.after_crash(),
                        .previous = {},
                        .lock_device = in.lock_device(),
                        .lock_inode = in.lock_inode(),
                        .servers = {},
                        .hash_key = in.hash_key(),
                        .rates_clock_us = in.rates_clock_us(),
                        .rate_refusals_total = in.rate_refusals_total(),
                        .connection_refusals_total = in.connection_refusals_total(),
                        .access_refusals_total = in.access_refusals_total(),
                        .keeper = in.keeper(),
                        .crashes = read(in.crashes()),
                        .shares_ledger = in.shares_ledger(),
                        .holds_lock = in.holds_lock(),
                        .logs_json = in.logs_json(),
                        .history = read(in.history()),
                        .canary = read_canary(in)};
  // They are added from the oldest on.
  for (int i = std::min(in.upgrades_size(), static_cast<int>(upgrades_kept)); i-- > 0;) {
    record.upgrades.add(read(in.upgrades(i)));
  }
  if (in.has_upgrade()) record.upgrade = read(in.upgrade());
  for (const wire::ServerRecord& server : in.servers()) record.servers.push_back(read(server));
  for (const wire::RouteRecord& route : in.routes()) {
    record.routes.push_back({route.name(), route.requests_total(), route.failures_total()});
  }
  for (const wire::ListenerTrust& trust : in.trust()) {
    record.trust.emplace_back(trust.listener(),
                              std::vector<std::string>(trust.networks().begin(), trust.networks().end()),
                              trust.unix_sockets());
  }
  for (const std::uint32_t signal : in.signals()) record.signals.push_back(static_cast<int>(signal));
  // A name that cannot be read is asked for instead.
  for (const wire::KnownName& name : in.names()) {
    std::vector<NamedServer> servers(static_cast<std::size_t>(name.servers_size()));
    const bool is_sound =
        std::ranges::equal(name.servers(), servers, [](const auto& one, auto& to) { return read(one, to); });
    if (is_sound && !servers.empty()) record.names[name.question()] = std::move(servers);
  }
  if (in.has_previous()) {
    const wire::Program& previous = in.previous();
    record.previous = Program{.arguments = {previous.arguments().begin(), previous.arguments().end()},
                              .configuration = previous.configuration(),
                              .version = previous.version(),
                              .features = {previous.features().begin(), previous.features().end()}};
  }
  return record;
}

}  // namespace baton::state
