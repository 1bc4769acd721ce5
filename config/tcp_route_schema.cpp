#include "config/tcp_route_schema.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/entry_name.hpp"
#include "config/file_order.hpp"
#include "config/gate_schema.hpp"
#include "config/match.hpp"
#include "config/text.hpp"

namespace baton::config {
namespace {

template <class Value>
void add_once(Reader& reader, const Node& item, std::string_view text, std::expected<Value, std::string> parsed,
              std::vector<Value>& values) {
  if (!parsed) {
    reader.refuse(item, parsed.error());
  } else if (std::ranges::find(values, *parsed) != values.end()) {
    reader.refuse(item, quote(text) + " appears twice");
  } else {
    values.push_back(*std::move(parsed));
  }
}

template <class Value, class Parse>
void read_values(Reader& reader, const Node& node, std::vector<Value>& values, Parse parse) {
  const auto items = reader.one_or_list(node);
  if (items.empty()) reader.refuse(node, "the list is empty; leave out the key to match every connection");
  for (const Node& item : items) {
    if (const auto text = reader.text(item)) add_once<Value>(reader, item, *text, parse(*text), values);
  }
}

void read_tcp_sni(Reader& reader, const Node& node, TcpMatch& match) {
  read_values(reader, node, match.sni, [](std::string_view text) { return parse_match_host(text); });
}

Parsed<std::string> parse_alpn_name(std::string_view text) {
  constexpr std::size_t bytes_max = 255;  // RFC 7301 §3.1
  if (!text.empty() && text.size() <= bytes_max) return std::string(text);
  return std::unexpected(fmt::format("{} must have 1 to {} bytes", quote(text), bytes_max));
}

void read_tcp_alpn(Reader& reader, const Node& node, TcpMatch& match) {
  read_values(reader, node, match.alpn, parse_alpn_name);
}

void read_tcp_client(Reader& reader, const Node& node, TcpMatch& match) {
  read_values(reader, node, match.client, parse_network);
}

constexpr Key<TcpMatch> tcp_match_keys[] = {
    {"sni", read_tcp_sni}, {"alpn", read_tcp_alpn}, {"client", read_tcp_client}};
std::string tcp_match_of(std::string_view text) {
  return fmt::format("{{ sni: \"{}\" }}", parse_match_host(text) ? text : "a.example.com");
}
constexpr Section<TcpMatch> tcp_match_section{"listeners.routes.match", "in `match` of a tcp route", tcp_match_keys,
                                              tcp_match_of};

void read_tcp_match(Reader& reader, const Node& node, TcpRoute& route) {
  const Node::Map* map = as_map(node);
  if (map && map->empty()) {
    return reader.refuse(node,
                         "expected conditions, as in `match: { sni: a.example.com }`; what no route takes goes to "
                         "the listener's `upstream`");
  }
  read_section(reader, node, tcp_match_section, route.match);
}

void read_tcp_access(Reader& reader, const Node& node, TcpRoute& route) {
  read_tcp_route_access(reader, node, route.access);
}

constexpr Key<TcpRoute> tcp_route_keys[] = {
    {"match", read_tcp_match, true}, {"upstream", read_name<&TcpRoute::upstream>, true}, {"access", read_tcp_access}};
constexpr Section<TcpRoute> tcp_route_section{"listeners.routes", "on a tcp route", tcp_route_keys};

// One text for all matches that take the same connections.
std::string text_of_any_order(TcpMatch match) {
  std::vector<std::string> networks;
  for (const Network& network : match.client) networks.push_back(network.text());
  std::string text;
  for (auto* list : {&match.sni, &match.alpn, &networks}) {
    std::ranges::sort(*list);
    for (const std::string& value : *list) text += value + '\n';
    text += '\n';
  }
  return text;
}

}  // namespace

void read_tcp_routes(Reader& reader, const Node& node, std::vector<TcpRoute>& routes) {
  const auto entries = reader.list(node, "`- { match: { sni: a.example.com }, upstream: app }`");
  if (!entries) return;
  NamePlaces matches;
  for (const Node& entry : *entries) {
    TcpRoute& route = routes.emplace_back();
    route.where = reader.position(entry);
    if (!read_section(reader, entry, tcp_route_section, route)) continue;
    const auto [seen, is_new] = matches.emplace(text_of_any_order(route.match), route.where);
    if (is_new) continue;
    reader.report(route.where,
                  fmt::format("the route in {} has the same `match`", other_place(seen->second, route.where)));
  }
}

void add_tcp_route_keys(std::vector<KnownKey>& known) {
  add_keys(known, tcp_route_section);
  add_keys(known, tcp_match_section);
}

}  // namespace baton::config
