#include "config/match_conditions_schema.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/text.hpp"

namespace baton::config {
namespace {

constexpr std::size_t name_bytes_max = 256;

Parsed<std::string> parse_method(std::string_view text) {
  constexpr std::string_view usual[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"};
  if (!is_token(text)) return std::unexpected(quote(text) + " is not a method, as in `GET`");
  if (text == "CONNECT") return std::unexpected("`CONNECT` never reaches a route; Baton is no forward proxy");
  const auto meant =
      std::ranges::find_if(usual, [&](std::string_view one) { return lowercase(one) == lowercase(text); });
  if (meant == std::end(usual) || *meant == text) return std::string(text);
  return std::unexpected(fmt::format("{}: methods are written in capitals; write {}", quote(text), quote(*meant)));
}

Parsed<std::string> parse_header_name(std::string_view text) {
  if (!is_token(text) || text.size() > name_bytes_max)
    return std::unexpected(quote(text) + " is not the name of a header");
  const std::string name = lowercase(text);
  if (name == "host") return std::unexpected("`host` has a condition of its own: `match: { host: example.com }`");
  return name;
}

Parsed<std::string> parse_query_name(std::string_view text) {
  if (text.size() > name_bytes_max) {
    return std::unexpected(fmt::format("{} is longer than {} bytes", quote(text), name_bytes_max));
  }
  if (find_unprintable(text, true) == std::string::npos) return std::string(text);
  return std::unexpected(quote(text) + " must be one line of UTF-8 without control characters");
}

ValueCondition condition(std::string name, std::string value) {
  if (value == "*") return {std::move(name), ValueCondition::Asks::present, ""};
  if (value == "!") return {std::move(name), ValueCondition::Asks::absent, ""};
  return {std::move(name), ValueCondition::Asks::value, std::move(value)};
}

void read_values(Reader& reader, const Node& node, std::vector<ValueCondition>& conditions,
                 Parsed<std::string> (*parse)(std::string_view), const char* example) {
  const Node::Map* map = as_map(node);
  if (map == nullptr || map->empty()) {
    return reader.refuse(
        node, fmt::format("expected names with values, as in `{}`; `\"*\"` is any value, `\"!\"` none", example));
  }
  for (const Entry& entry : *map) {
    Node at = entry.value;
    at.line = entry.line;
    at.column = entry.column;
    at.file = entry.value.file;
    auto name = parse(entry.key);
    const auto value = reader.text(entry.value);
    if (!name) {
      reader.refuse(at, name.error());
    } else if (std::ranges::find(conditions, *name, &ValueCondition::name) != conditions.end()) {
      reader.refuse(at, quote(entry.key) + " appears twice");
    } else if (value) {
      conditions.push_back(condition(*std::move(name), *value));
    }
  }
}

}  // namespace

void read_methods(Reader& reader, const Node& node, Match& match) {
  const auto items = reader.one_or_list(node);
  if (items.empty()) reader.refuse(node, "the list is empty; leave out `method` to match every method");
  for (const Node& item : items) {
    const auto text = reader.text(item);
    if (!text) continue;
    auto method = parse_method(*text);
    if (!method) {
      reader.refuse(item, method.error());
    } else if (std::ranges::find(match.methods, *method) != match.methods.end()) {
      reader.refuse(item, quote(*method) + " appears twice");
    } else {
      match.methods.push_back(*std::move(method));
    }
  }
}

void read_headers(Reader& reader, const Node& node, Match& match) {
  read_values(reader, node, match.headers, parse_header_name, "header: { x-canary: \"1\" }");
}

void read_queries(Reader& reader, const Node& node, Match& match) {
  read_values(reader, node, match.queries, parse_query_name, "query: { beta: \"1\" }");
}

void read_clients(Reader& reader, const Node& node, Match& match) {
  const auto items = reader.one_or_list(node);
  if (items.empty()) reader.refuse(node, "the list is empty; leave out `client` to match every client");
  for (const Node& item : items) {
    const auto text = reader.text(item);
    if (!text) continue;
    auto network = parse_network(*text);
    if (!network) {
      reader.refuse(item, network.error());
    } else if (std::ranges::find(match.clients, *network) != match.clients.end()) {
      reader.refuse(item, quote(network->text()) + " appears twice");
    } else {
      match.clients.push_back(*network);
    }
  }
}

}  // namespace baton::config
