#include "proxy/server/history_watch.hpp"

#include <algorithm>
#include <chrono>

#include "proxy/runtime/loop.hpp"
#include "proxy/server/timer.hpp"

namespace baton::proxy {

namespace {

using state::History;

// A successor takes the sample that its predecessor did not come to.
constexpr std::chrono::milliseconds look_every{1000};
// A process that replaces a crashed one goes on from what was announced last.
constexpr std::int64_t announce_every_ms = 60'000;

std::int64_t unix_ms() {
  return runtime::unix_us() / 1000;
}

}  // namespace

void HistoryWatch::watch() {
  const std::chrono::milliseconds until_next(History::every_ms - unix_ms() % History::every_ms);
  call_after(timer_, std::min(until_next, look_every), [this] { look(); });
}

void HistoryWatch::look() {
  watch();  // first, so that the timer survives whatever fails below
  const std::int64_t slot_ms = History::slot_of(unix_ms());
  if (!parts_.role.is_instance() || !parts_.generation.history.is_due(slot_ms)) return;
  // Workers add what they have counted at each of their ticks, so none needs to be asked.
  take(slot_ms, metrics::Totals(metrics::ledger().read()));
}

void HistoryWatch::take(std::int64_t slot_ms, const metrics::Totals& totals) {
  History& history = parts_.generation.history;
  const state::SampledTotals now{.requests = totals.sum("requests_total"),
                                 .failures = totals.sum("requests_total", "code", "5xx")};
  // What a predecessor has counted that keeps no history does not belong to the first sample.
  const bool is_first = history.samples().empty();
  const state::SampledTotals before = !is_first                            ? history.totals()
                                      : parts_.data_path.generation() == 1 ? state::SampledTotals{}
                                                                           : now;
  upstream::Latencies latencies;
  const std::int64_t now_ms = runtime::monotonic_ms();
  for (const auto& standing : parts_.data_path.settings()->servers->all()) {
    latencies += standing->totals(now_ms).latencies;
  }
  history.add(slot_ms,
              {.requests = now.requests - std::min(now.requests, before.requests),
               .failures = now.failures - std::min(now.failures, before.failures),
               .p50_ms = latencies.quantile_ms(0.5),
               .p99_ms = latencies.quantile_ms(0.99),
               .connections = parts_.data_path.connections()},
              now);
  parts_.instance.events().tell_history();
  if (is_first || slot_ms % announce_every_ms == 0) parts_.supervision.announce();
}

}  // namespace baton::proxy
