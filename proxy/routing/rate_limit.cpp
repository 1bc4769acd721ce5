#include "proxy/routing/rate_limit.hpp"

#include <algorithm>
#include <utility>

#include "proxy/runtime/keyed_hash.hpp"

namespace baton::routing {

namespace {

// An operator chooses the names, so this needs no key; each process must find the same.
std::uint64_t id_of(std::string_view name) {
  return runtime::keyed_hash(runtime::HashKey{}, name);
}

// No route's name has a line feed.
constexpr std::string_view all_requests = "\n";

rates::Rate rate_of(const config::RateLimit& limit) {
  // Time is read once in a millisecond, so what comes within one comes at once.
  constexpr std::int64_t tick_us = 1000;
  const auto interval_us = static_cast<std::int64_t>(limit.interval_us());
  return {interval_us, std::max(interval_us * static_cast<std::int64_t>(limit.burst), tick_us)};
}

}  // namespace

RateLimits rates_of(const config::Limits& limits, const std::shared_ptr<const rates::Table>& table) {
  const std::uint64_t requests = limits.requests_per_second_per_client;
  if (requests == 0) return {};
  return {{.id = id_of(all_requests),
           .rate = rate_of({.requests = requests, .burst = requests}),
           .by = {},
           .spares_proxies = true,
           .why = "limits.requests_per_second_per_client: the client sends more",
           .table = table}};
}

RateLimits rates_of(const std::optional<config::RateLimit>& limit, std::string_view name, RateLimits of_all,
                    const std::shared_ptr<const rates::Table>& table) {
  if (!limit) return of_all;
  of_all.push_back({.id = id_of(name),
                    .rate = rate_of(*limit),
                    .by = limit->by,
                    .spares_proxies = false,
                    .why = "rate_limit: there are more",
                    .table = table});
  return of_all;
}

bool has_rates(const config::Config& config) {
  return config.limits.requests_per_second_per_client != 0 ||
         std::ranges::any_of(config.routes,
                             [](const config::Route& route) { return route.gate.rate_limit.has_value(); });
}

}  // namespace baton::routing
