#include "config/route_schema.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/entry_name.hpp"
#include "config/file_order.hpp"
#include "config/gate_schema.hpp"
#include "config/log_schema.hpp"
#include "config/match.hpp"
#include "config/match_conditions_schema.hpp"
#include "config/path_regex.hpp"
#include "config/rate_schema.hpp"
#include "config/retries_schema.hpp"
#include "config/rewrite_schema.hpp"
#include "config/route_rules_schema.hpp"
#include "config/split_schema.hpp"
#include "config/text.hpp"

namespace baton::config {
namespace {

// The match of a route.

void read_hosts(Reader& reader, const Node& node, Match& match) {
  const auto items = reader.one_or_list(node);
  if (items.empty()) reader.refuse(node, "the list is empty; leave out `host` to match every host");
  for (const Node& item : items) {
    const auto text = reader.text(item);
    if (!text) continue;
    auto host = parse_match_host(*text);
    if (!host) {
      reader.refuse(item, host.error());
    } else if (std::ranges::find(match.hosts, *host) != match.hosts.end()) {
      reader.refuse(item, quote(*host) + " appears twice");
    } else {
      match.hosts.push_back(*std::move(host));
    }
  }
}

void read_path(Reader& reader, const Node& node, Match& match) {
  if (const auto text = reader.text(node)) reader.assign(match.path, node, parse_match_path(*text));
}

void read_path_prefix(Reader& reader, const Node& node, Match& match) {
  if (!match.path.empty()) return reader.refuse(node, "a route has either `path` or `path_prefix`, not both");
  if (const auto text = reader.text(node)) reader.assign(match.path_prefix, node, parse_match_prefix(*text));
}

void read_path_regex(Reader& reader, const Node& node, Match& match) {
  if (!match.path.empty() || !match.path_prefix.empty()) {
    return reader.refuse(node, "a route has only one of `path`, `path_prefix` and `path_regex`");
  }
  const auto text = reader.text(node);
  if (!text) return;
  if (const auto regex = PathRegex::parse(*text); !regex) return reader.refuse(node, regex.error());
  match.path_regex = *text;
}

constexpr Key<Match> match_keys[] = {
    {"host", read_hosts},
    {"path", read_path},
    // Needs the path.
    {"path_prefix", read_path_prefix},
    // Needs both.
    {"path_regex", read_path_regex},
    {"method", read_methods},
    {"header", read_headers},
    {"query", read_queries},
    {"client", read_clients},
};
std::string match_of(std::string_view text) {
  if (text.starts_with('/') && parse_match_prefix(text)) return fmt::format("{{ path_prefix: {} }}", text);
  return fmt::format("{{ host: \"{}\" }}", parse_match_host(text) ? text : "example.com");
}

constexpr Section<Match> match_section{"routes.match", "in `match`", match_keys, match_of};

// Without conditions, perhaps by mistake, a route would take all other requests.
void read_match(Reader& reader, const Node& node, Route& route) {
  const Node::Map* map = as_map(node);
  if (map && map->empty()) {
    return reader.refuse(node,
                         "expected conditions, as in `match: { host: example.com }`; leave out `match` for the "
                         "route of all other requests");
  }
  read_section(reader, node, match_section, route.match);
}

// Routes.

constexpr Key<Route> route_keys[] = {
    {"name", read_name<&Route::name>},
    {"match", read_match},
    {"upstream", read_name<&Route::upstream>},
    {"split", read_split},
    {"timeouts", read_route_timeouts},
    {"limits", read_route_limits},
    {"retries", read_retries},
    {"upgrades", read_upgrades},
    {"access_log", read_share_logged},
    {"path", read_path_rewrite},
    {"host", read_host_rewrite},
    {"request_headers", read_request_headers},
    {"response_headers", read_response_headers},
    {"access", read_route_access},
    {"basic_auth", read_basic_auth},
    {"rate_limit", read_rate_limit},
    {"redirect", read_redirect},
    {"respond", read_respond},
};
std::string route_of(std::string_view text) {
  return fmt::format("{{ upstream: {} }}", parse_name(text) ? text : "app");
}

constexpr Section<Route> route_section{"routes", "on a route", route_keys, route_of};

// What a route does with its requests; each route has exactly one of these keys.
constexpr std::string_view actions[] = {"upstream", "split", "redirect", "respond"};

bool read_route(Reader& reader, const Node& entry, Route& route) {
  route.where = reader.position(entry);
  if (!read_section(reader, entry, route_section, route)) return false;
  const Node* action = nullptr;
  for (const std::string_view key : actions) {
    const Node* other = entry.find(key);
    if (other != nullptr && action != nullptr) {
      reader.report(reader.position(*other),
                    fmt::format("`{}`: a route has only one of `upstream`, `split`, `redirect` and "
                                "`respond`",
                                key));
      return false;
    }
    if (other != nullptr) action = other;
  }
  if (action == nullptr) reader.refuse_missing_key(entry, route_section.place, actions[0]);
  return action != nullptr;
}

// One text for all matches that take the same requests.
std::string text_of_any_order(Match match) {
  std::ranges::sort(match.hosts);
  std::ranges::sort(match.methods);
  std::ranges::sort(match.headers, {}, &ValueCondition::name);
  std::ranges::sort(match.queries, {}, &ValueCondition::name);
  std::ranges::sort(match.clients, {}, &Network::text);
  return match.text();
}

// Reports a route that takes the same requests as an earlier one, or has its name.
class Twins {
 public:
  void check(Reader& reader, const Node& entry, const Route& route) {
    const Node* match = entry.find("match");
    const auto [seen, is_new] = matches_.emplace(text_of_any_order(route.match), route.where);
    if (is_new) {
      const Node* name = entry.find("name");
      return check_unique(reader, name ? *name : entry, route.label(), names_);
    }
    const Position here = reader.position(match ? *match : entry);
    const std::string there = other_place(seen->second, here);
    reader.report(here, match ? fmt::format("the route in {} has the same `match`", there)
                              : fmt::format("the route in {} has no `match` either; only one route can take all other "
                                            "requests",
                                            there));
  }

 private:
  NamePlaces matches_;
  NamePlaces names_;
};

}  // namespace

void read_routes(Reader& reader, const Node& node, std::vector<Route>& routes) {
  const auto entries = reader.list(node, "`- upstream: web`");
  if (!entries) return;
  Twins twins;
  for (const Node& entry : *entries) {
    Route& route = routes.emplace_back();
    if (read_route(reader, entry, route)) twins.check(reader, entry, route);
  }
}

void add_route_keys(std::vector<KnownKey>& known) {
  add_keys(known, route_section);
  add_keys(known, match_section);
  add_route_rule_keys(known);
  add_rewrite_keys(known);
  add_gate_keys(known);
  add_split_keys(known);
  add_retry_keys(known);
  add_rate_keys(known);
}

}  // namespace baton::config
