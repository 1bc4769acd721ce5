// For tests: random routes, random requests, and the route that a request takes, found by trying all of them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <regex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.hpp"
#include "config/testing/slow_path.hpp"
#include "proxy/routing/address_set.hpp"
#include "proxy/routing/request.hpp"

namespace baton::routing::test {

struct Field {
  std::string name;
  std::string value;
};

// What a request says besides host and path.
struct Rest {
  std::string method;
  std::vector<Field> fields;
  std::string query;  // as sent
  state::SocketAddress client;

  Request request(std::string_view host, std::string_view target) const {
    return {.host = host, .target = target, .method = method, .fields = Fields(fields), .client = &client};
  }
};

inline std::string slow_lowercase(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

// Those of the header with names in lowercase, or those of the query decoded.
inline std::vector<Field> slow_values(const Rest& rest, bool of_query) {
  std::vector<Field> values;
  if (!of_query) {
    for (const Field& field : rest.fields) values.push_back({slow_lowercase(field.name), field.value});
    return values;
  }
  const auto decoded = [](std::string text) {
    std::ranges::replace(text, '+', ' ');
    return config::slowly_decoded(text);
  };
  for (std::size_t begin = 0; begin < rest.query.size();) {
    const std::size_t end = std::min(rest.query.find('&', begin), rest.query.size());
    const std::string pair = rest.query.substr(begin, end - begin);
    const std::size_t equals = pair.find('=');
    if (!pair.empty()) {
      values.push_back(
          {decoded(pair.substr(0, equals)), equals == std::string::npos ? "" : decoded(pair.substr(equals + 1))});
    }
    begin = end + 1;
  }
  return values;
}

inline bool slowly_meets(const std::vector<config::ValueCondition>& conditions, const std::vector<Field>& values) {
  using Asks = config::ValueCondition::Asks;
  return std::ranges::all_of(conditions, [&](const config::ValueCondition& one) {
    const auto fits = [&](const Field& field) {
      return field.name == one.name && (one.asks != Asks::value || field.value == one.value);
    };
    return std::ranges::any_of(values, fits) == (one.asks != Asks::absent);
  });
}

// Besides host and path.
inline bool slowly_meets(const config::Match& match, const Rest& rest) {
  const bool method = match.methods.empty() || std::ranges::find(match.methods, rest.method) != match.methods.end();
  const bool client = match.clients.empty() || std::ranges::any_of(match.clients, [&](const config::Network& network) {
                        return AddressSet({network}).contains(rest.client);
                      });
  return method && client && slowly_meets(match.headers, slow_values(rest, false)) &&
         slowly_meets(match.queries, slow_values(rest, true));
}

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
  if (!match.path_regex.empty()) {
    return !path.empty() && std::regex_search(std::string(path), std::regex(match.path_regex)) ? 2 : 0;
  }
  if (!match.path.empty()) return match.path == path ? 1'000'000 : 0;
  if (match.path_prefix.empty()) return 1;
  const std::string below = match.path_prefix == "/" ? "/" : match.path_prefix + "/";
  return path == match.path_prefix || path.starts_with(below) ? 2 + match.path_prefix.size() : 0;
}

// `host` and `path` in the compared form. nullptr: no route takes them.
inline const config::Route* slowly_found(const std::vector<config::Route>& routes, std::string_view host,
                                         std::string_view path, const Rest& rest) {
  const config::Route* best = nullptr;
  std::array<std::size_t, 3> best_rank{};
  for (const config::Route& route : routes) {
    const std::array rank{host_rank(route.match, host), path_rank(route.match, path), route.match.conditions()};
    if (rank[0] == 0 || rank[1] == 0 || !slowly_meets(route.match, rest) || (best && rank <= best_rank)) continue;
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
  const std::size_t kind = random(4);
  const std::string path(paths[random(std::size(paths))]);
  if (kind == 1) match.path = path;
  if (kind == 2 && path != "/a/") match.path_prefix = path;
  constexpr std::string_view regexes[] = {"^/a", "b$", "^/[ab]+/b", "/c", "^/$"};
  if (kind == 3) match.path_regex = regexes[random(std::size(regexes))];
  constexpr std::string_view methods[] = {"GET", "POST", "PUT"};
  if (random(3) == 0) match.methods.push_back(std::string(methods[random(3)]));
  const auto add_values = [&](std::vector<config::ValueCondition>& to) {
    constexpr std::string_view names[] = {"x", "y-z"};
    constexpr std::string_view values[] = {"1", "2", "a b"};
    using Asks = config::ValueCondition::Asks;
    for (const std::string_view name : names) {
      const std::size_t which = random(12);
      if (which < 3) to.push_back({std::string(name), Asks::value, std::string(values[which])});
      if (which == 3) to.push_back({std::string(name), Asks::present, ""});
      if (which == 4) to.push_back({std::string(name), Asks::absent, ""});
    }
  };
  add_values(match.headers);
  add_values(match.queries);
  constexpr std::string_view clients[] = {"10.0.0.0/8", "10.1.0.0/16", "::1"};
  if (random(5) == 0) match.clients.push_back(*config::parse_network(clients[random(3)]));
  return match;
}

template <class Random>
Rest random_rest(Random& random) {
  constexpr std::string_view methods[] = {"GET", "POST", "HEAD", ""};
  constexpr std::string_view names[] = {"X", "x", "Y-Z", "y-Z", "other"};
  constexpr std::string_view values[] = {"1", "2", "a b", ""};
  constexpr std::string_view queries[] = {"x=1", "x=2", "y-z=a+b", "y%2Dz=a%20b", "x",
                                          "X=1", "&",   "=",       "%78=%31",     "x=%3"};
  Rest rest;
  rest.method = methods[random(4)];
  for (std::size_t count = random(4); count > 0; --count) {
    rest.fields.push_back({std::string(names[random(5)]), std::string(values[random(4)])});
  }
  for (std::size_t count = random(4); count > 0; --count) {
    rest.query += (rest.query.empty() ? "" : "&") + std::string(queries[random(std::size(queries))]);
  }
  rest.client = {.family = state::Family::ipv4, .port = 1, .ip = {10, static_cast<std::uint8_t>(random(3)), 0, 1}};
  if (random(4) == 0) rest.client = {};
  return rest;
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
