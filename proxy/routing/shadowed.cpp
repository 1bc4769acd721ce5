// Routes that are never taken.
#include <algorithm>
#include <span>

#include "proxy/routing/route_table.hpp"

namespace baton::routing {

namespace {

using config::ValueCondition;

template <class Range, class Value>
bool has(const Range& range, const Value& value) {
  return std::ranges::find(range, value) != range.end();
}

// Whether what meets all of `narrow` meets all of `wide`.
bool implies(const std::vector<ValueCondition>& narrow, const std::vector<ValueCondition>& wide) {
  using Asks = ValueCondition::Asks;
  return std::ranges::all_of(wide, [&](const ValueCondition& one) {
    return has(narrow, one) ||
           (one.asks == Asks::present && std::ranges::any_of(narrow, [&](const ValueCondition& other) {
              return other.name == one.name && other.asks == Asks::value;
            }));
  });
}

bool contains(const config::Network& wide, const config::Network& narrow) {
  return wide.first <= narrow.first && narrow.last() <= wide.last();
}

// Besides host and path.
bool takes_all_of(const config::Match& wide, const config::Match& narrow) {
  const bool methods = wide.methods.empty() ||
                       (!narrow.methods.empty() && std::ranges::all_of(narrow.methods, [&](const std::string& method) {
                         return has(wide.methods, method);
                       }));
  const auto is_in_wide = [&](const config::Network& client) {
    return std::ranges::any_of(wide.clients, [&](const config::Network& one) { return contains(one, client); });
  };
  const bool clients =
      wide.clients.empty() || (!narrow.clients.empty() && std::ranges::all_of(narrow.clients, is_in_wide));
  const bool regexes = wide.path_regex == narrow.path_regex;
  return methods && clients && regexes && implies(narrow.headers, wide.headers) &&
         implies(narrow.queries, wide.queries);
}

}  // namespace

// A route stands in several lists if it has several hosts. It is never taken if an earlier one of each list takes all
// of its requests there.
std::vector<RouteTable::Shadowed> RouteTable::shadowed(const config::Config& config) const {
  std::vector<const Route*> by(routes_.size());
  std::vector<bool> is_taken(routes_.size());
  const auto look_at = [&](Choices list) {
    for (Index i = list.begin; i != list.end; ++i) {
      const Index route = choices_[i].route;
      const auto earlier = std::span(choices_).subspan(list.begin, i - list.begin);
      const auto found = std::ranges::find_if(earlier, [&](const Choice& other) {
        return takes_all_of(config.routes[other.route].match, config.routes[route].match);
      });
      if (found == earlier.end()) {
        is_taken[route] = true;
      } else {
        by[route] = &routes_[found->route];
      }
    }
  };
  const auto look_at_host = [&](const AtHost& host) {
    host.paths.each(look_at);
    host.prefixes.each(look_at);
    look_at(host.regexes);
    look_at(host.any_path);
  };
  hosts_.each(look_at_host);
  wildcards_.each(look_at_host);
  look_at_host(any_host_);
  std::vector<Shadowed> never;
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    if (!is_taken[i]) never.push_back({&routes_[i], by[i]});
  }
  return never;
}

}  // namespace baton::routing
