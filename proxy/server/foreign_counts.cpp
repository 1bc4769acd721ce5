#include "proxy/server/foreign_counts.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>

#include "proxy/metrics/ledger.hpp"

namespace baton::proxy {

namespace {

std::uint64_t more(std::uint64_t now, std::uint64_t before) {
  return now - std::min(now, before);
}

// Other labels than these are not known.
void add_requests(std::string_view route, std::string_view code, std::uint64_t number) {
  if (number == 0) return;
  const metrics::Labels labels{{"listener", ""}, {"route", route}, {"protocol", ""}, {"tls", ""}, {"code", code}};
  metrics::ledger().add(metrics::series_name("requests_total", labels), number);
}

void add(const std::string& series, std::uint64_t number) {
  if (number != 0) metrics::ledger().add(series, number);
}

void add_difference(const state::InstanceRecord& now, const state::InstanceRecord& before) {
  using metrics::series_name;
  add(series_name("connections_accepted_total", {{"listener", ""}}), more(now.accepted_total, before.accepted_total));
  add(series_name("requests_ended_total", {{"route", ""}, {"ended", "rate"}}),
      more(now.rate_refusals_total, before.rate_refusals_total));
  add(series_name("connections_refused_total", {{"listener", ""}, {"reason", "connections_per_client"}}),
      more(now.connection_refusals_total, before.connection_refusals_total));
  add(series_name("connections_refused_total", {{"listener", ""}, {"reason", "access"}}),
      more(now.access_refusals_total, before.access_refusals_total));
  std::map<std::string_view, const state::RouteRecord*> begun;
  for (const state::RouteRecord& route : before.routes) begun[route.name] = &route;
  std::uint64_t without_route = more(now.requests_total, before.requests_total);
  for (const state::RouteRecord& route : now.routes) {
    const auto from = begun.find(route.name);
    const state::RouteRecord began = from != begun.end() ? *from->second : state::RouteRecord{};
    const std::uint64_t requests = more(route.requests_total, began.requests_total);
    const std::uint64_t failures = std::min(requests, more(route.failures_total, began.failures_total));
    add_requests(route.name, "5xx", failures);
    add_requests(route.name, "", requests - failures);
    without_route = more(without_route, requests);
  }
  add_requests("", "", without_route);
}

}  // namespace

void ForeignCounts::count_before(const state::InstanceRecord& record) {
  if (metrics::ledger().is_adopted()) return;
  state::InstanceRecord said = record;  // may throw, and then nothing is counted
  add_difference(record, said_);
  said_ = std::move(said);
}

void ForeignCounts::count_more(const state::InstanceRecord& record, const state::InstanceRecord& inherited) {
  if (!record.shares_ledger) add_difference(record, inherited);
}

void describe_counts(const metrics::Totals& totals, state::InstanceRecord& record) {
  record.accepted_total = totals.sum("connections_accepted_total");
  record.requests_total = totals.sum("requests_total");
  record.rate_refusals_total = totals.sum("requests_ended_total", "ended", "rate");
  record.connection_refusals_total = totals.sum("connections_refused_total", "reason", "connections_per_client");
  record.access_refusals_total = totals.sum("connections_refused_total", "reason", "access");
}

}  // namespace baton::proxy
