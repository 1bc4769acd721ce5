#include "proxy/server/data_path.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <utility>

#include "handoff/insist.hpp"
#include "proxy/process/log_settings.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/worker/descriptors.hpp"

namespace baton::proxy {

namespace log = runtime::log;

namespace {

std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace

DataPath::DataPath(std::shared_ptr<const Settings> settings, Background& background)
    : settings_(std::move(settings)), background_(background) {
  set_connection_limit();
  if (const auto& access = config().log.access) access_log_ = std::make_shared<access_log::AccessLog>(*access);
}

void DataPath::set_connection_limit() {
  const DescriptorPlan plan = plan_descriptors(config(), raise_descriptor_limit());
  shared_.sockets_max = plan.sockets;
  shared_.upstream_sockets_max = config().limits.upstream_connections;
  shared_.connections_max = config().limits.connections.value_or(plan.connections());
  if (const auto warning = too_many_connections(config(), plan)) log::warning("limits.connections: {}", *warning);
}

void DataPath::start(std::uint64_t generation) {
  shared_.generation = generation;
  settings_->servers->loads().set_generation(generation);
  put_servers_in_force();
  metrics::begin_series(metrics::ledger());
  workers_ = std::make_unique<Workers>(settings_, shared_, access_log_.get(), worker_count(config()));
  log::set_writer({"g" + std::to_string(generation) + " " + std::to_string(::getpid()), generation});
}

void DataPath::end() {
  workers_.reset();
  access_log_.reset();
}

metrics::Totals DataPath::totals() {
  if (workers_) workers_->each([](Worker& worker) { worker.settle(); });
  return metrics::Totals(metrics::ledger().read());
}

void DataPath::describe(const metrics::Totals& totals, state::InstanceRecord& record) {
  const std::int64_t now_ms = runtime::monotonic_ms();
  record.servers = settings_->servers->save(totals, runtime::unix_us() / 1000 - now_ms, now_ms);
  const auto requests = metrics::requests_by_route(totals);
  for (const routing::Route& route : settings_->routes.routes()) {
    const auto found = requests.find(metrics::label_value(route.name));
    if (found == requests.end()) continue;
    const metrics::Requests& counts = found->second;
    record.routes.push_back({.name = route.name, .requests_total = counts.all, .failures_total = counts.failed});
  }
}

void DataPath::learn(const state::InstanceRecord& record) {
  settings_->servers->restore(record.servers, !metrics::ledger().is_adopted(),
                              runtime::unix_us() / 1000 - runtime::monotonic_ms());
}

void DataPath::add_counted(const state::InstanceRecord& record, const state::InstanceRecord& inherited) {
  settings_->servers->add_counted(record.servers, inherited.servers, !record.shares_ledger,
                                  runtime::unix_us() / 1000 - runtime::monotonic_ms());
}

// ── Accepting ─────────────────────────────────────────────────────────────────────────────────────────────────────

ListeningSocket DataPath::as_workers_see_it(const BoundSocket& socket) const {
  ListeningSocket seen{.listener = socket.listener,
                       .tunnel_to = {},
                       .descriptor = socket.socket.get(),
                       .unix_path = socket.address.family == state::Family::unix_path};
  if (const config::Listener* listener = settings_->find_listener(socket.listener)) {
    if (listener->protocol == config::Protocol::tcp) seen.tunnel_to = listener->upstream;
    seen.tls = listener->tls.has_value();
    seen.is_arriving = listener->proxy_protocol != config::ProxyProtocol::off || !listener->routes.empty() ||
                       listener->access != config::Access{};
    seen.keepalive_s = static_cast<int>(listener->tcp_keepalive.count() / 1000);
  }
  return seen;
}

std::vector<ListeningSocket> DataPath::as_workers_see_them(const std::vector<BoundSocket>& sockets) const {
  std::vector<ListeningSocket> seen;
  for (const BoundSocket& socket : sockets) seen.push_back(as_workers_see_it(socket));
  return seen;
}

void DataPath::accept_on(const std::vector<BoundSocket>& sockets) {
  handoff::insist([&] {
    const auto listening = as_workers_see_them(sockets);
    workers_->each([&](Worker& worker) { worker.accept_on(listening); });
  });
  for (const BoundSocket& socket : sockets) log::info("listening on {} ({})", socket.address.text(), socket.listener);
}

void DataPath::accept_only_on(std::span<const BoundSocket* const> sockets) {
  std::vector<ListeningSocket> listening;
  for (const BoundSocket* socket : sockets) listening.push_back(as_workers_see_it(*socket));
  workers_->each([&](Worker& worker) { worker.accept_on(listening); });
}

void DataPath::stop_accepting() {
  handoff::insist([this] { workers_->each([](Worker& worker) { worker.stop_accepting(); }); });
}

void DataPath::empty_queue(const BoundSocket& socket) {
  Worker& worker = workers_->at(0);
  handoff::insist([&] { worker.loop().call([&] { worker.empty_queue(as_workers_see_it(socket)); }); });
}

void DataPath::empty_queues(const std::vector<BoundSocket>& sockets) {
  for (const BoundSocket& socket : sockets) empty_queue(socket);
}

// ── Changing ──────────────────────────────────────────────────────────────────────────────────────────────────────

void DataPath::replace(std::shared_ptr<const Settings> settings, std::shared_ptr<access_log::AccessLog> access_log) {
  replaced_ = {std::exchange(settings_, std::move(settings)), std::exchange(access_log_, std::move(access_log))};
  put_servers_in_force();
  set_connection_limit();
  log::set_level(process::log_level(config().log.level));
  log::set_format(process::log_format(config().log.format));
}

void DataPath::complete_names(const state::KnownNames& known) {
  state::KnownNames names = settings_->names;
  names.merge(recurring_names(config(), known));
  ask_missing(config(), names);
  if (names != settings_->names) settings_ = with_names(*settings_, std::move(names));
}

void DataPath::remember_listeners(const std::vector<state::ListenerTrust>& inherited) {
  if (!inherited.empty()) settings_ = with_former_listeners(*settings_, inherited);
}

void DataPath::put_servers_in_force() {
  handoff::insist([this] { settings_->servers->put_in_force(settings_->upstreams, runtime::monotonic_ms()); });
}

void DataPath::refresh(std::shared_ptr<const Settings> settings) {
  Replaced replaced{std::exchange(settings_, std::move(settings)), nullptr};
  put_servers_in_force();
  handoff::insist(
      [this] { workers_->each([this](Worker& worker) { worker.reconfigure(settings_, access_log_.get()); }); });
  let_go(std::move(replaced));
}

void DataPath::reconfigure(const std::vector<BoundSocket>& sockets) {
  // A worker that got only part of this would write to a log, and accept from sockets, that are closed by then.
  handoff::insist([&] {
    const auto listening = as_workers_see_them(sockets);
    workers_->each([&](Worker& worker) {
      worker.reconfigure(settings_, access_log_.get());
      worker.accept_on(listening);
    });
  });
  let_go(std::exchange(replaced_, {}));
}

// No worker uses any of it any more. The log writes what is still queued, and large settings take milliseconds to free:
// the workers, which held them last, would serve nothing meanwhile.
void DataPath::let_go(Replaced replaced) {
  try {
    background_.run([replaced = std::move(replaced)]() mutable {
      replaced = {};
      return Background::Rest();
    });
  } catch (const std::exception&) {
    // No thread could be started, so this thread has waited for it.
  }
}

void DataPath::reopen_logs(std::function<void()> then) {
  const auto reopened = [then = std::move(then)] {
    log::info("log files reopened");
    if (then) then();
  };
  if (!access_log_) return reopened();
  try {
    background_.run([access_log = access_log_, reopened]() -> Background::Rest {
      access_log->reopen();
      return reopened;
    });
  } catch (const std::exception&) {
    access_log_->reopen();  // no thread could be started, so do it here, however long it takes
    reopened();
  }
}

}  // namespace baton::proxy
