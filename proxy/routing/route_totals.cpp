#include "proxy/routing/route_totals.hpp"

#include <algorithm>

namespace baton::routing {

void RouteTotals::take(const RouteTable& table, RouteTally& tally) {
  auto routes = routes_.lock();
  for (std::size_t i = 0; i < tally.counts_.size(); ++i) {
    RouteCounts& counts = tally.counts_[i];
    if (counts.requests == 0) continue;
    RouteCounts& sum = (*routes)[table.routes()[i].name].here;
    sum.requests += counts.requests;
    sum.failures += counts.failures;
    counts = {};
  }
}

void RouteTotals::keep_only(const RouteTable& table) {
  auto routes = routes_.lock();
  std::erase_if(*routes, [&table](const auto& one) { return table.named(one.first) == nullptr; });
}

RouteCounts RouteTotals::of(std::string_view name) {
  auto routes = routes_.lock();
  const auto found = routes->find(name);
  return found != routes->end() ? found->second.sum() : RouteCounts{};
}

std::vector<state::RouteRecord> RouteTotals::save() {
  auto routes = routes_.lock();
  std::vector<state::RouteRecord> records;
  for (const auto& [name, counted] : *routes) {
    const RouteCounts sum = counted.sum();
    records.push_back({.name = name, .requests_total = sum.requests, .failures_total = sum.failures});
  }
  return records;
}

void RouteTotals::restore(const std::vector<state::RouteRecord>& records) {
  auto routes = routes_.lock();
  for (auto& [name, counted] : *routes) counted.before = {};
  for (const state::RouteRecord& record : records) {
    (*routes)[record.name].before = {record.requests_total, record.failures_total};
  }
}

void RouteTotals::add(const std::vector<state::RouteRecord>& records,
                      const std::vector<state::RouteRecord>& inherited) {
  std::map<std::string_view, const state::RouteRecord*> begun;
  for (const state::RouteRecord& record : inherited) begun[record.name] = &record;
  auto routes = routes_.lock();
  for (const state::RouteRecord& record : records) {
    const auto from = begun.find(record.name);
    const state::RouteRecord began = from != begun.end() ? *from->second : state::RouteRecord{};
    RouteCounts& before = (*routes)[record.name].before;
    before.requests += record.requests_total - std::min(record.requests_total, began.requests_total);
    before.failures += record.failures_total - std::min(record.failures_total, began.failures_total);
  }
}

}  // namespace baton::routing
