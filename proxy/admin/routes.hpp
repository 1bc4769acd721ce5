// What `GET /routes` reports: the routes of the configuration in force, in file order.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace baton::admin {

struct RouteStatus {
  std::string name;
  std::string match;   // config::Match::text
  std::string action;  // config::Route::action_text
  std::string file;    // where it is written
  int line = 0;
  std::uint64_t requests_total = 0;  // over all generations, counted when they end
  std::uint64_t failures_total = 0;  // of them, those that ended with a 5xx
};

// As JSON, one line.
std::string routes_json(const std::vector<RouteStatus>& routes);

}  // namespace baton::admin
