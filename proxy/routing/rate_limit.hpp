// How many requests pass, compiled from config/rate.hpp and from limits.requests_per_second_per_client.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "proxy/rates/table.hpp"

namespace baton::routing {

struct RateLimit {
  std::uint64_t id = 0;  // the same whatever its numbers are, and in each process
  rates::Rate rate;
  config::RateBy by;
  bool spares_proxies = false;  // requests of a trusted proxy itself are not counted
  std::string_view why;         // for the log, of a refusal
  std::shared_ptr<const rates::Table> table;
};
using RateLimits = std::vector<RateLimit>;

// Those of all requests: none, or one.
RateLimits rates_of(const config::Limits& limits, const std::shared_ptr<const rates::Table>& table);

// Those of a route, `of_all` among them. `name` is the route's.
RateLimits rates_of(const std::optional<config::RateLimit>& limit, std::string_view name, RateLimits of_all,
                    const std::shared_ptr<const rates::Table>& table);

// Whether requests are counted at all.
bool has_rates(const config::Config& config);

}  // namespace baton::routing
