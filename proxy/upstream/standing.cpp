#include "proxy/upstream/standing.hpp"

#include <algorithm>
#include <bit>
#include <numeric>
#include <system_error>

#include "proxy/runtime/log.hpp"
#include "proxy/runtime/loop.hpp"
#include "proxy/upstream/pool.hpp"

namespace baton::upstream {

using state::Health;
using state::Order;
using state::ServerFacts;

namespace {

constexpr std::int64_t never_again_ms = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t minute_ms = 60'000;

// Of servers that are absent. Later their addresses may belong to others.
constexpr std::int64_t orders_kept_ms = 3'600'000;
constexpr std::size_t orders_kept_max = 1'000;

bool is_down(const ServerFacts& facts) {
  return facts.order == Order::down || facts.health == Health::down;
}

}  // namespace

// ── Latencies ─────────────────────────────────────────────────────────────────────────────────────────────────────

// Steps end at 1, 2, 3, 4, 6, 8, 12, 16 … milliseconds.
std::uint64_t Latencies::end_of(std::size_t step) {
  if (step < 2) return step + 1;
  const std::uint64_t base = std::uint64_t{1} << (step / 2);
  return step % 2 == 0 ? base + base / 2 : 2 * base;
}

std::size_t Latencies::step_of(std::int64_t elapsed_ms) {
  if (elapsed_ms < 1) return 0;
  const auto elapsed = static_cast<std::uint64_t>(elapsed_ms);
  if (elapsed == 1) return 1;
  const auto log = static_cast<std::size_t>(std::bit_width(elapsed) - 1);
  const bool upper_half = (elapsed >> (log - 1) & 1) != 0;
  return std::min(2 * log + (upper_half ? 1 : 0), steps - 1);
}

void Latencies::set_counts(std::span<const std::uint64_t> counts) {
  counts_ = {};
  if (counts.size() == counts_.size()) std::ranges::copy(counts, counts_.begin());
  is_empty_ = count() == 0;
}

void Latencies::operator+=(const Latencies& more) {
  for (std::size_t i = 0; i < steps; ++i) counts_[i] += more.counts_[i];
  is_empty_ = is_empty_ && more.is_empty_;
}

std::uint64_t Latencies::count() const {
  return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
}

std::uint64_t Latencies::quantile_ms(double share) const {
  const auto wanted = static_cast<double>(count()) * share;
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < steps; ++i) {
    seen += counts_[i];
    if (seen != 0 && static_cast<double>(seen) >= wanted) return end_of(i);
  }
  return 0;
}

// ── One server ────────────────────────────────────────────────────────────────────────────────────────────────────

ServerFacts Standing::facts() const {
  return known_.lock()->facts;
}

bool Standing::is_configured() const {
  return known_.lock()->is_configured;
}

Terms Standing::terms() const {
  return known_.lock()->terms;
}

void Standing::change(const std::function<void(ServerFacts&)>& change) {
  auto known = known_.lock();
  const bool was_down = is_down(known->facts);
  change(known->facts);
  if (was_down && !is_down(known->facts)) known->facts.slow_since_ms = runtime::monotonic_ms();
  publish(*known);
}

void Standing::learn(const ServerFacts& theirs) {
  auto known = known_.lock();
  ServerFacts& ours = known->facts;
  if (theirs.ordered_ms > ours.ordered_ms) {
    ours.order = theirs.order;
    ours.weight = theirs.weight;
    ours.ordered_ms = theirs.ordered_ms;
    ours.weight_then = theirs.weight_then;
    ours.drain_then = theirs.drain_then;
  }
  if (theirs.health_ms > ours.health_ms) {
    ours.health = theirs.health;
    ours.health_ms = theirs.health_ms;
    ours.health_why = theirs.health_why;
  }
  if (theirs.ejected_ms > ours.ejected_ms) {
    ours.ejected_until_ms = theirs.ejected_until_ms;
    ours.ejected_ms = theirs.ejected_ms;
    ours.ejections = theirs.ejections;
    ours.ejected_why = theirs.ejected_why;
  }
  ours.slow_since_ms = std::max(ours.slow_since_ms, theirs.slow_since_ms);
  known->is_known = true;
  publish(*known);
}

void Standing::configure(const Terms& terms, bool is_new, std::int64_t now_ms) {
  auto known = known_.lock();
  if (is_new && !known->is_known) known->facts.slow_since_ms = now_ms;
  known->is_known = known->is_configured = true;
  known->terms = terms;
  publish(*known);
}

void Standing::forget_order() {
  change([](ServerFacts& facts) {
    facts.order = Order::none;
    facts.weight = 0;
    facts.ordered_ms = 0;
  });
}

void Standing::remove() {
  auto known = known_.lock();
  known->is_known = known->is_configured = false;
}

void Standing::publish(Known& known) {
  ServerFacts& facts = known.facts;
  const Terms& terms = known.terms;
  const bool is_outdated = facts.drain_then != terms.drain || facts.weight_then != terms.weight_in_file();
  if (known.is_configured && facts.ordered_ms != 0 && is_outdated) {
    facts.order = Order::none;
    facts.weight = 0;
    facts.ordered_ms = 0;
  }
  const bool is_drained = facts.order == Order::drain || (terms.drain && facts.order == Order::none);
  const std::int64_t shut_until_ms = is_down(facts) ? never_again_ms : facts.ejected_until_ms;
  shut_until_ms_.store(shut_until_ms, std::memory_order_relaxed);
  closed_until_ms_.store(is_drained ? never_again_ms : shut_until_ms, std::memory_order_relaxed);
  withdrawn_.store(is_drained || facts.order == Order::down, std::memory_order_relaxed);
  weight_.store(facts.weight != 0 ? facts.weight : terms.weight, std::memory_order_relaxed);
  slow_since_ms_.store(facts.slow_since_ms, std::memory_order_relaxed);
}

void Standing::add(const ServerCounts& counts, std::int64_t begun, std::int64_t now_ms) {
  auto known = known_.lock();
  if (now_ms >= known->minute_ends_ms) {
    known->last_minute = now_ms < known->minute_ends_ms + minute_ms ? known->totals.latencies : Latencies{};
    known->totals.latencies = {};
    known->minute_ends_ms = now_ms + minute_ms;
  }
  known->totals.latencies += counts.latencies;
  known->totals.in_flight += begun;
  count(*known, counts.requests, counts.failures);
}

Standing::Totals Standing::totals(std::int64_t now_ms) {
  add({}, 0, now_ms);
  auto known = known_.lock();
  Totals all = known->totals;
  all.latencies += known->last_minute;
  if (now_ms < known->before_ends_ms) all.latencies += known->latencies_before;
  return all;
}

void Standing::count(Known& known, std::uint64_t requests, std::uint64_t failures) const noexcept {
  const auto name = [this](std::string_view family) {
    return [this, family] { return metrics::server_series(family, upstream, address); };
  };
  known.requests.add(requests);
  known.failures.add(failures);
  known.requests.settle(name("server_requests_total"));
  known.failures.settle(name("server_failures_total"));
}

void Standing::set_latencies_before(const state::ServerRecord& record, std::int64_t now_ms) {
  auto known = known_.lock();
  known->latencies_before.set_counts(record.latencies);
  known->before_ends_ms = now_ms + minute_ms;
}

void Standing::count_before(std::uint64_t requests, std::uint64_t failures) {
  auto known = known_.lock();
  const std::uint64_t requests_before = std::exchange(known->requests_before, requests);
  const std::uint64_t failures_before = std::exchange(known->failures_before, failures);
  count(*known, requests - std::min(requests, requests_before), failures - std::min(failures, failures_before));
}

void Standing::count_more(std::uint64_t requests, std::uint64_t failures) {
  auto known = known_.lock();
  count(*known, requests, failures);
}

// ── All servers ───────────────────────────────────────────────────────────────────────────────────────────────────

std::shared_ptr<Standing> Registry::standing(std::string_view upstream, std::string_view address) {
  auto servers = servers_.lock();
  std::weak_ptr<Standing>& known = servers->by_name[Name(upstream, address)];
  std::shared_ptr<Standing> standing = known.lock();
  if (!standing) known = standing = std::make_shared<Standing>(std::string(upstream), std::string(address));
  return standing;
}

std::shared_ptr<Queue> Registry::queue(std::string_view upstream) {
  auto servers = servers_.lock();
  std::weak_ptr<Queue>& known = servers->queues[std::string(upstream)];
  std::shared_ptr<Queue> queue = known.lock();
  if (!queue) known = queue = std::make_shared<Queue>();
  return queue;
}

std::shared_ptr<Standing> Registry::find(std::string_view upstream, std::string_view address) const {
  auto servers = servers_.lock();
  const auto found = servers->by_name.find(Name(upstream, address));
  std::shared_ptr<Standing> standing = found == servers->by_name.end() ? nullptr : found->second.lock();
  return standing && standing->is_configured() ? standing : nullptr;
}

std::vector<std::shared_ptr<Standing>> Registry::all() const {
  auto servers = servers_.lock();
  std::vector<std::shared_ptr<Standing>> all;
  for (const auto& [name, known] : servers->by_name) {
    if (std::shared_ptr<Standing> standing = known.lock(); standing && standing->is_configured()) {
      all.push_back(std::move(standing));
    }
  }
  return all;
}

void Registry::put_in_force(const std::vector<UpstreamServers>& upstreams, std::int64_t now_ms) {
  auto servers = servers_.lock();
  std::set<const Standing*> configured;
  for (const UpstreamServers& upstream : upstreams) {
    for (const ServerAddress& server : upstream.servers) {
      if (!server.standing || !configured.insert(server.standing.get()).second) continue;
      server.standing->configure({.weight = server.weight,
                                  .drain = server.drain,
                                  .configured_weight = server.configured_weight,
                                  .backup = server.backup},
                                 servers->are_known, now_ms);
    }
  }
  servers->are_known = true;
  settle_loads(*servers, upstreams);
  keep_orders(*servers, upstreams, configured, now_ms);
  std::erase_if(servers->by_name, [&](const auto& one) {
    const std::shared_ptr<Standing> standing = one.second.lock();
    if (standing && !configured.contains(standing.get())) standing->remove();
    return !standing;
  });
  std::erase_if(servers->queues, [](const auto& one) { return one.second.expired(); });
}

// Before the workers have this configuration, so that nothing is counted yet.
void Registry::settle_loads(Servers& servers, const std::vector<UpstreamServers>& upstreams) {
  const auto all = [&] {
    std::vector<std::shared_ptr<const Load>> loads;
    for (const auto& [name, known] : servers.by_name) {
      if (const std::shared_ptr<Standing> standing = known.lock()) loads.emplace_back(standing, &standing->load);
    }
    return loads;
  };
  for (const UpstreamServers& upstream : upstreams) {
    for (const ServerAddress& server : upstream.servers) {
      if (!server.standing || !upstream.counts_together(server)) continue;
      try {
        loads_.make_room();
      } catch (const std::system_error& error) {
        runtime::log::warning("max_connections holds for each process by itself during upgrades: {}", error.what());
      }
      loads_.settle(server.standing->load, upstream.name, server.standing->address, all);
    }
  }
}

void Registry::prepare_loads_for_successor() {
  for (const auto& standing : all()) loads_.prepare_for_successor(standing->load);
}

void Registry::keep_orders(Servers& servers, const std::vector<UpstreamServers>& upstreams,
                           const std::set<const Standing*>& configured, std::int64_t now_ms) {
  std::set<std::string_view> changing;
  for (const UpstreamServers& upstream : upstreams) {
    if (upstream.follows_names) changing.insert(upstream.name);
  }
  for (const auto& [name, known] : servers.by_name) {
    std::shared_ptr<Standing> standing = known.lock();
    const bool has_order = standing && standing->facts().ordered_ms != 0;
    const bool is_absent = has_order && !configured.contains(standing.get()) && changing.contains(name.first);
    if (!is_absent || servers.absent.size() >= orders_kept_max) continue;
    servers.absent.try_emplace(name, Servers::Absent{std::move(standing), now_ms + orders_kept_ms});
  }
  std::erase_if(servers.absent, [&](const auto& one) {
    const auto& [name, absent] = one;
    const bool is_over = absent.until_ms <= now_ms || !changing.contains(name.first);
    if (is_over) absent.standing->forget_order();
    return is_over || configured.contains(absent.standing.get());
  });
}

std::vector<state::ServerRecord> Registry::save(const metrics::Totals& totals, std::int64_t offset_ms,
                                                std::int64_t now_ms) {
  std::vector<state::ServerRecord> records;
  std::vector<std::shared_ptr<Standing>> known = all();
  for (const auto& [name, absent] : servers_.lock()->absent) known.push_back(absent.standing);
  for (const auto& standing : known) {
    const Standing::Totals now = standing->totals(now_ms);
    records.push_back(
        {.upstream = standing->upstream,
         .address = standing->address,
         .facts = standing->facts().shifted(offset_ms),
         .requests_total = totals.of_server("server_requests_total", standing->upstream, standing->address),
         .failures_total = totals.of_server("server_failures_total", standing->upstream, standing->address),
         .latencies = {now.latencies.counts().begin(), now.latencies.counts().end()}});
  }
  return records;
}

void Registry::restore(const std::vector<state::ServerRecord>& records, bool counts, std::int64_t offset_ms) {
  auto servers = servers_.lock();
  const std::int64_t now_ms = runtime::monotonic_ms();
  for (const state::ServerRecord& record : records) {
    const Name name(record.upstream, record.address);
    const auto found = servers->by_name.find(name);
    std::shared_ptr<Standing> standing = found == servers->by_name.end() ? nullptr : found->second.lock();
    const bool is_absent = !standing && record.facts.ordered_ms != 0 && !servers->are_known;
    if (is_absent && servers->absent.size() < orders_kept_max) {
      standing = std::make_shared<Standing>(record.upstream, record.address);
      servers->by_name[name] = standing;
      servers->absent.insert_or_assign(name, Servers::Absent{standing, now_ms + orders_kept_ms});
    }
    if (!standing) continue;
    standing->learn(record.facts.shifted(-offset_ms));
    standing->set_latencies_before(record, now_ms);
    if (counts) standing->count_before(record.requests_total, record.failures_total);
  }
  if (!records.empty()) servers->are_known = true;
}

void Registry::add_counted(const std::vector<state::ServerRecord>& records,
                           const std::vector<state::ServerRecord>& inherited, bool counts, std::int64_t offset_ms) {
  std::map<Name, const state::ServerRecord*> begun;
  for (const state::ServerRecord& record : inherited) begun[Name(record.upstream, record.address)] = &record;
  for (const state::ServerRecord& record : records) {
    const std::shared_ptr<Standing> standing = find(record.upstream, record.address);
    if (!standing) continue;  // only the other configuration has it
    const auto from = begun.find(Name(record.upstream, record.address));
    const state::ServerRecord began = from != begun.end() ? *from->second : state::ServerRecord{};
    standing->learn(record.facts.shifted(-offset_ms));
    if (!counts) continue;
    standing->count_more(record.requests_total - std::min(record.requests_total, began.requests_total),
                         record.failures_total - std::min(record.failures_total, began.failures_total));
  }
}

}  // namespace baton::upstream
