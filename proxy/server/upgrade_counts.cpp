#include "proxy/server/upgrade_counts.hpp"

#include <algorithm>
#include <new>

#include "proxy/metrics/histogram.hpp"
#include "proxy/metrics/ledger.hpp"

namespace baton::proxy {

namespace {

using metrics::ledger;
using metrics::series_name;

void count_result(std::string_view result) {
  ledger().add(series_name("upgrades_total", {{"result", result}}));
}

void count_pauses(const handoff::Pauses& pauses) {
  const metrics::Series series = ledger().series("handover_pause_seconds", metrics::pause_numbers);
  for (std::size_t i = 0; i < pauses.by_log2.size(); ++i) {
    const std::size_t bucket = i - std::min(i, metrics::pause_log2_first);
    series.add(pauses.by_log2[i], std::min(bucket, metrics::pause_bounds_us.size()));
  }
  series.add(pauses.sum_us, metrics::pause_numbers - 1);
}

// Which step it did not get over.
std::string_view step_of(const admin::LastUpgrade& upgrade, bool was_started) {
  if (!was_started) return "start";
  const auto has_reached = [&](std::string_view name) {
    return std::ranges::any_of(upgrade.steps, [name](const auto& one) { return one.step == name; });
  };
  if (has_reached("moving")) return "moving";
  if (has_reached("probation")) return "probation";
  if (has_reached("canary")) return "canary";
  if (has_reached("ready")) return "moving";
  return upgrade.report.to.pid != 0 ? "ready" : "hello";
}

}  // namespace

void count_completed(const handoff::Report& report) noexcept try {
  count_result("completed");
  const admin::Moved moved = admin::moved_of(report);
  for (const auto& [state, number] : moved.clients) {
    ledger().add(series_name("handover_connections_total", {{"state", state}}), number);
  }
  for (const auto& [reason, number] : report.refused) {
    ledger().add(series_name("handover_refused_connections_total", {{"reason", reason}}), number);
  }
  ledger().add("handover_taken_back_connections_total", report.taken_back);
  count_pauses(report.pauses);
} catch (const std::bad_alloc&) {
}

void count_canary(const state::CanaryRecord& canary) noexcept try {
  ledger().add(series_name("canaries_total", {{"verdict", canary.verdict}, {"decided_by", canary.decided_by}}));
  const auto count = [](std::string_view side, const state::CanarySide& served) {
    ledger().add(series_name("canary_exchanges_total", {{"side", side}}), served.exchanges);
    ledger().add(series_name("canary_failed_clients_total", {{"side", side}}), served.clients_failed);
  };
  count("canary", canary.canary);
  count("others", canary.others);
} catch (const std::bad_alloc&) {
}

void count_failed(const admin::LastUpgrade& upgrade, bool was_started) noexcept try {
  count_result(upgrade.result);
  if (upgrade.canary) count_canary(*upgrade.canary);
  ledger().add(series_name("upgrade_failures_total", {{"step", step_of(upgrade, was_started)}}));
  ledger().add("handover_taken_back_connections_total", upgrade.report.taken_back);
} catch (const std::bad_alloc&) {
}

}  // namespace baton::proxy
