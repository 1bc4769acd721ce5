#include "proxy/upstream/standing.hpp"

#include <algorithm>
#include <bit>
#include <numeric>
#include <set>

#include "proxy/upstream/pool.hpp"

namespace baton::upstream {

using state::Health;
using state::Order;
using state::ServerFacts;

namespace {

constexpr std::int64_t never_again_ms = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t minute_ms = 60'000;

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

void Latencies::operator+=(const Latencies& more) {
  for (std::size_t i = 0; i < steps; ++i) counts_[i] += more.counts_[i];
}

std::uint64_t Latencies::count() const { return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0}); }

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
  const std::lock_guard lock(mutex_);
  return facts_;
}

void Standing::change(const std::function<void(ServerFacts&)>& change) {
  const std::lock_guard lock(mutex_);
  change(facts_);
  publish();
}

void Standing::learn(const ServerFacts& theirs) {
  change([&](ServerFacts& ours) {
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
    is_known_ = true;
    end_outdated_order();
  });
}

void Standing::configure(const Terms& terms, bool is_new, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  if (is_new && !is_known_) facts_.slow_since_ms = now_ms;
  is_known_ = is_configured_ = true;
  terms_ = terms;
  end_outdated_order();
  publish();
}

void Standing::remove() {
  const std::lock_guard lock(mutex_);
  is_known_ = is_configured_ = false;
}

void Standing::end_outdated_order() {
  if (!is_configured_ || facts_.ordered_ms == 0) return;
  if (facts_.drain_then == terms_.drain && facts_.weight_then == terms_.weight) return;
  facts_.order = Order::none;
  facts_.weight = 0;
  facts_.ordered_ms = 0;
}

bool Standing::is_configured() const {
  const std::lock_guard lock(mutex_);
  return is_configured_;
}

Terms Standing::terms() const {
  const std::lock_guard lock(mutex_);
  return terms_;
}

void Standing::publish() {
  const bool is_drained = facts_.order == Order::drain || (terms_.drain && facts_.order == Order::none);
  const bool is_down = facts_.order == Order::down || facts_.health == Health::down;
  const std::int64_t shut_until_ms = is_down ? never_again_ms : facts_.ejected_until_ms;
  shut_until_ms_.store(shut_until_ms, std::memory_order_relaxed);
  closed_until_ms_.store(is_drained ? never_again_ms : shut_until_ms, std::memory_order_relaxed);
  withdrawn_.store(is_drained || facts_.order == Order::down, std::memory_order_relaxed);
  weight_.store(facts_.weight != 0 ? facts_.weight : terms_.weight, std::memory_order_relaxed);
  slow_since_ms_.store(facts_.slow_since_ms, std::memory_order_relaxed);
}

void Standing::add(const ServerCounts& counts, std::int64_t begun, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  if (now_ms >= minute_ends_ms_) {
    last_minute_ = now_ms < minute_ends_ms_ + minute_ms ? totals_.latencies : Latencies{};
    totals_.latencies = {};
    minute_ends_ms_ = now_ms + minute_ms;
  }
  totals_.requests += counts.requests;
  totals_.failures += counts.failures;
  totals_.latencies += counts.latencies;
  totals_.in_flight += begun;
}

Standing::Totals Standing::totals(std::int64_t now_ms) {
  add({}, 0, now_ms);
  const std::lock_guard lock(mutex_);
  Totals all = totals_;
  all.requests += requests_before_;
  all.failures += failures_before_;
  all.latencies += last_minute_;
  return all;
}

void Standing::set_totals_before(std::uint64_t requests, std::uint64_t failures) {
  const std::lock_guard lock(mutex_);
  requests_before_ = requests;
  failures_before_ = failures;
}

// ── All servers ───────────────────────────────────────────────────────────────────────────────────────────────────

std::shared_ptr<Standing> Registry::standing(std::string_view upstream, std::string_view address) {
  const std::lock_guard lock(mutex_);
  std::weak_ptr<Standing>& known = standings_[Name(upstream, address)];
  std::shared_ptr<Standing> standing = known.lock();
  if (!standing) known = standing = std::make_shared<Standing>(std::string(upstream), std::string(address));
  return standing;
}

std::shared_ptr<Standing> Registry::find(std::string_view upstream, std::string_view address) const {
  const std::lock_guard lock(mutex_);
  const auto found = standings_.find(Name(upstream, address));
  std::shared_ptr<Standing> standing = found == standings_.end() ? nullptr : found->second.lock();
  return standing && standing->is_configured() ? standing : nullptr;
}

std::vector<std::shared_ptr<Standing>> Registry::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Standing>> all;
  for (const auto& [name, known] : standings_) {
    if (std::shared_ptr<Standing> standing = known.lock(); standing && standing->is_configured()) {
      all.push_back(std::move(standing));
    }
  }
  return all;
}

void Registry::put_in_force(const std::vector<UpstreamServers>& upstreams, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  std::set<const Standing*> configured;
  for (const UpstreamServers& upstream : upstreams) {
    for (const ServerAddress& server : upstream.servers) {
      if (!server.standing || !configured.insert(server.standing.get()).second) continue;
      server.standing->configure({.weight = server.weight, .drain = server.drain}, knows_servers_, now_ms);
    }
  }
  knows_servers_ = true;
  std::erase_if(standings_, [&](const auto& one) {
    const std::shared_ptr<Standing> standing = one.second.lock();
    if (standing && !configured.contains(standing.get())) standing->remove();
    return !standing;
  });
}

std::vector<state::ServerRecord> Registry::save(std::int64_t offset_ms, std::int64_t now_ms) {
  std::vector<state::ServerRecord> records;
  for (const auto& standing : all()) {
    const Standing::Totals totals = standing->totals(now_ms);
    records.push_back({.upstream = standing->upstream,
                       .address = standing->address,
                       .facts = standing->facts().shifted(offset_ms),
                       .requests_total = totals.requests,
                       .failures_total = totals.failures});
  }
  return records;
}

void Registry::restore(const std::vector<state::ServerRecord>& records, std::int64_t offset_ms) {
  const std::lock_guard lock(mutex_);
  for (const state::ServerRecord& record : records) {
    const auto found = standings_.find(Name(record.upstream, record.address));
    const std::shared_ptr<Standing> standing = found == standings_.end() ? nullptr : found->second.lock();
    if (!standing) continue;
    standing->learn(record.facts.shifted(-offset_ms));
    standing->set_totals_before(record.requests_total, record.failures_total);
  }
  if (!records.empty()) knows_servers_ = true;
}

}  // namespace baton::upstream
