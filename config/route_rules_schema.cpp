#include "config/route_rules_schema.hpp"

#include <algorithm>

#include "config/text.hpp"
#include "config/upgrades.hpp"

namespace baton::config {
namespace {

constexpr Key<RouteTimeouts> route_timeout_keys[] = {
    {"body", read_duration<&RouteTimeouts::body, some_time>},
    {"send", read_duration<&RouteTimeouts::send, some_time>},
    {"connect", read_duration<&RouteTimeouts::connect, some_time>},
    {"response", read_duration<&RouteTimeouts::response, some_time>},
    {"response_body", read_duration<&RouteTimeouts::response_body, some_time>},
    {"total", read_duration<&RouteTimeouts::total, any_time>},
    {"tunnel_idle", read_duration<&RouteTimeouts::tunnel_idle, some_time>},
};
constexpr GlobalKey global_timeouts[] = {
    {"head", "a request has no route before its head is whole"},
    {"idle", "a client between two requests has no route"},
    {"handshake", "a connection outlives the requests on it, and its handshake comes before them"},
    {"upstream_idle", "an idle connection to a server may next serve another route"},
    {"shutdown", "it is the time of the whole process"},
};
constexpr Section<RouteTimeouts> route_timeouts_section{"routes.timeouts", "in `timeouts` of a route",
                                                        route_timeout_keys, nullptr, global_timeouts};

constexpr Key<RouteLimits> route_limit_keys[] = {
    {"body_bytes", read_size<&RouteLimits::body_bytes, body_bytes_bounds>},
    {"buffer_bytes", read_size<&RouteLimits::buffer_bytes, buffer_bytes_bounds>},
};
constexpr GlobalKey global_limits[] = {
    {"head_bytes", "a request has no route before its head is whole"},
    {"uri_bytes", "a request has no route before its head is whole"},
    {"fields", "a request has no route before its head is whole"},
    {"requests_per_connection", "the requests of a connection may take several routes"},
    {"connections", "a connection has no route"},
    {"http2_streams", "a connection has no route"},
    {"http2_stream_window", "a connection has no route"},
    {"http2_connection_window", "a connection has no route"},
    {"upstream_connections", "connections to servers are shared by all routes"},
    {"connections_per_client", "a connection has no route"},
    {"requests_per_second_per_client", "it counts the requests of all routes; `rate_limit` counts those of one"},
};
constexpr Section<RouteLimits> route_limits_section{"routes.limits", "in `limits` of a route", route_limit_keys,
                                                    nullptr, global_limits};

}  // namespace

void read_route_timeouts(Reader& reader, const Node& node, Route& route) {
  read_section(reader, node, route_timeouts_section, route.timeouts);
}

void read_route_limits(Reader& reader, const Node& node, Route& route) {
  read_section(reader, node, route_limits_section, route.limits);
}

void read_upgrades(Reader& reader, const Node& node, Route& route) {
  route.upgrades.clear();
  for (const Node& item : reader.one_or_list(node)) {
    const auto text = reader.text(item);
    if (!text) continue;
    auto protocol = parse_upgrade(*text);
    if (!protocol) {
      reader.refuse(item, protocol.error());
    } else if (std::ranges::find(route.upgrades, *protocol) != route.upgrades.end()) {
      reader.refuse(item, quote(*protocol) + " appears twice");
    } else {
      route.upgrades.push_back(*std::move(protocol));
    }
  }
}

void add_route_rule_keys(std::vector<KnownKey>& known) {
  add_keys(known, route_timeouts_section);
  add_keys(known, route_limits_section);
}

}  // namespace baton::config
