#include "proxy/upstream/ejections.hpp"

#include <algorithm>
#include <utility>

#include "config/scalars.hpp"
#include "proxy/runtime/log.hpp"

namespace baton::upstream {

namespace log = runtime::log;

namespace {

constexpr std::int64_t longest_ms = 10 * 60'000;

std::int64_t length_ms(std::int64_t first_ms, std::uint32_t in_a_row) {
  const std::int64_t most_ms = std::max(first_ms, longest_ms);
  std::int64_t ms = first_ms;
  for (std::uint32_t i = 1; i < in_a_row && ms < most_ms; ++i) ms *= 2;
  return std::min(ms, most_ms);
}

std::vector<std::shared_ptr<Standing>> each_once(std::vector<std::shared_ptr<Standing>> servers) {
  std::ranges::sort(servers);
  const auto again = std::ranges::unique(servers);
  servers.erase(again.begin(), again.end());
  return servers;
}

}  // namespace

Ejection next_ejection(const state::ServerFacts& facts, std::int64_t first_ms, std::int64_t now_ms) {
  std::uint32_t before = facts.ejections;
  if (before != 0) {
    const std::int64_t good_ms = std::max<std::int64_t>(now_ms - facts.ejected_until_ms, 0);
    before -= static_cast<std::uint32_t>(std::min<std::int64_t>(before, good_ms / length_ms(first_ms, before)));
  }
  return {.in_a_row = before + 1, .ms = length_ms(first_ms, before + 1)};
}

Ejections::Ejections(std::string upstream, config::PassiveHealth terms, std::vector<std::shared_ptr<Standing>> servers)
    : upstream_(std::move(upstream)),
      terms_(std::move(terms)),
      suspicion_{.failures = terms_.failures, .within_ms = terms_.within.count()},
      servers_(each_once(std::move(servers))) {}

bool Ejections::is_failure(std::uint16_t status) const {
  return std::ranges::any_of(terms_.status, [&](const config::StatusRange& range) { return range.has(status); });
}

void Ejections::note_success(Standing& server, std::uint64_t client, std::int64_t now_ms) {
  server.suspicion.note_success(client, now_ms, suspicion_);
}

bool Ejections::may_eject(const Standing& server, std::int64_t now_ms) const {
  const auto is_out = [&](const auto& one) { return one.get() != &server && !one->takes_its_clients(now_ms); };
  const auto out = static_cast<std::size_t>(std::ranges::count_if(servers_, is_out));
  return (out + 1) * 100 <= servers_.size() * terms_.at_most_percent;
}

void Ejections::note_failure(Standing& server, std::uint64_t client, std::int64_t now_ms, std::string_view why) {
  if (!server.takes_its_clients(now_ms)) return;  // what had begun before
  if (!server.suspicion.note_failure(client, now_ms, suspicion_)) return;
  const std::lock_guard lock(mutex_);
  if (!server.takes_its_clients(now_ms)) return;
  if (!may_eject(server, now_ms)) {
    log::debug("upstream {}: server {} fails ({}), but {}% of the servers are out already", upstream_, server.address,
               why, terms_.at_most_percent);
    return;
  }
  Ejection ejection;
  server.change([&](state::ServerFacts& facts) {
    ejection = next_ejection(facts, terms_.eject.count(), now_ms);
    facts.ejections = ejection.in_a_row;
    facts.ejected_ms = now_ms;
    facts.ejected_until_ms = now_ms + ejection.ms;
    facts.ejected_why = why;
    facts.slow_since_ms = facts.ejected_until_ms;
  });
  metrics::ledger().add(metrics::server_series("server_ejections_total", upstream_, server.address));
  log::warning("upstream {}: server {} is ejected for {}: {} failures within {}, the last: {}", upstream_,
               server.address, config::duration_text(config::Milliseconds(ejection.ms)), terms_.failures,
               config::duration_text(terms_.within), why);
}

}  // namespace baton::upstream
