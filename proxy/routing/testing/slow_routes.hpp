// For tests: random routes, random requests, and the route that a request takes, found by trying all of them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/testing/slow_path.hpp"

namespace baton::routing::test {

// How specific the condition is that a request meets; 0: it does not meet it, 1: there is none.
inline std::size_t host_rank(const config::Match& match, std::string_view host) {
  if (match.hosts.empty()) return 1;
  std::size_t best = 0;
  for (const std::string& rule : match.hosts) {
    const bool is_below = rule.starts_with('*') && host.size() >= rule.size() && host.ends_with(rule.substr(1));
    best = std::max(best, rule == host ? 1'000'000 : is_below ? 1 + rule.size() : 0);
  }
  return best;
}

inline std::size_t path_rank(const config::Match& match, std::string_view path) {
  if (!match.path.empty()) return match.path == path ? 1'000'000 : 0;
  if (match.path_prefix.empty()) return 1;
  const std::string below = match.path_prefix == "/" ? "/" : match.path_prefix + "/";
  return path == match.path_prefix || path.starts_with(below) ? 1 + match.path_prefix.size() : 0;
}

// `host` and `path` in the compared form. nullptr: no route takes them.
inline const config::Route* slowly_found(const std::vector<config::Route>& routes, std::string_view host,
                                         std::string_view path) {
  const config::Route* best = nullptr;
  std::array<std::size_t, 2> best_rank{};
  for (const config::Route& route : routes) {
    const std::array rank{host_rank(route.match, host), path_rank(route.match, path)};
    if (rank[0] == 0 || rank[1] == 0 || (best && rank <= best_rank)) continue;
    best = &route;
    best_rank = rank;
  }
  return best;
}

// The host of a request without port, case and final dot; IPv6 addresses as the tests write them.
inline std::string slowly_matched_host(std::string_view host) {
  const std::size_t bracket = host.starts_with('[') ? host.find(']') : std::string_view::npos;
  std::string result(bracket != std::string_view::npos ? host.substr(0, bracket + 1) : host.substr(0, host.find(':')));
  if (result.ends_with('.')) result.pop_back();
  for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (result == "[0:0::1]") result = "[::1]";
  return result;
}

// `random(n)` gives numbers below n.
template <class Random>
config::Match random_match(Random& random) {
  constexpr std::string_view hosts[] = {"a",     "b.a",   "c.b.a", "*.a",   "*.b.a",    "*.c.b.a",
                                        "[::1]", "x.com", "*.com", "y.com", "10.0.0.1", "b-a.a"};
  constexpr std::string_view paths[] = {"/", "/a", "/a/", "/a/b", "/a/b/c", "/a-b", "/ab", "/b", "/a b", "/a/b/c/d"};
  config::Match match;
  for (std::size_t count = random(4); count > 0; --count) {
    const std::string host(hosts[random(std::size(hosts))]);
    if (std::ranges::find(match.hosts, host) == match.hosts.end()) match.hosts.push_back(host);
  }
  const std::size_t kind = random(3);
  const std::string path(paths[random(std::size(paths))]);
  if (kind == 1) match.path = path;
  if (kind == 2 && path != "/a/") match.path_prefix = path;
  return match;
}

template <class Random>
config::Config random_routes(Random& random) {
  config::Config config;
  config.upstreams = {{.name = "u0"}, {.name = "u1"}, {.name = "u2"}};
  for (std::size_t count = random(12); count > 0; --count) {
    config.routes.push_back({.name = "r" + std::to_string(count),
                             .match = random_match(random),
                             .upstream = "u" + std::to_string(random(3))});
  }
  return config;
}

}  // namespace baton::routing::test
