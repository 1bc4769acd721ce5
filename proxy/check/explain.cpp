#include "proxy/check/explain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "config/gate_schema.hpp"
#include "config/rate_schema.hpp"
#include "config/text.hpp"
#include "proxy/http1/head.hpp"
#include "proxy/http1/meaning.hpp"
#include "proxy/routing/route_table.hpp"

namespace baton::check {

namespace {

using config::quote;

constexpr std::string_view schemes[] = {"http", "https", "ws", "wss"};

struct Request {
  std::string host;  // with its port; may be empty
  std::string target;
};

struct Field {
  std::string name;
  std::string value;
};

bool is_host_field(const Field& field) {
  return http1::equals_ignoring_case("host", field.name);
}

std::expected<std::vector<Field>, std::string> fields_of(const std::vector<std::string>& headers) {
  std::vector<Field> fields;
  for (const std::string& header : headers) {
    const std::size_t colon = header.find(':');
    Field field{.name = header.substr(0, colon), .value = {}};
    if (colon == std::string::npos || !config::is_token(field.name)) {
      return std::unexpected(fmt::format("{} is not a header; write it as in `x-canary: 1`", quote(header)));
    }
    if (http1::field_name(field.name) == http1::FieldName::client_identity) {
      return std::unexpected(fmt::format(
          "no route sees {}, since any client can send it; write --client for its address", quote(field.name)));
    }
    const std::size_t value = std::min(header.find_first_not_of(" \t", colon + 1), header.size());
    field.value = header.substr(value, header.find_last_not_of(" \t") + 1 - value);
    if (is_host_field(field)) {
      if (std::ranges::any_of(fields, is_host_field)) {
        return std::unexpected("a request with two `Host` fields gets 400; name one");
      }
      if (!field.value.empty() && !http1::is_host_and_port(field.value)) {
        return std::unexpected(quote(field.value) + " is not a host, so a request with it gets 400");
      }
    }
    fields.push_back(std::move(field));
  }
  return fields;
}

// Why no request has this method and reaches a route; empty: one may.
std::string fault_of_method(const std::string& method) {
  if (!config::is_token(method)) return quote(method) + " is not a method, as in `GET`";
  if (method == "CONNECT") return "`CONNECT` never reaches a route; Baton is no forward proxy";
  return {};
}

// An unknown client has no address.
std::expected<state::SocketAddress, std::string> client_of(const std::string& text) {
  state::SocketAddress address;
  if (text.empty()) return address;
  const auto network = config::parse_network(text);
  if (!network || network->bits != 128) return std::unexpected(quote(text) + " is not an IP address");
  address.family = state::Family::ipv6;
  address.ip = network->first;
  return address;
}

// As a client sends it: a fragment stays with the client (RFC 9110 §4.2.5).
std::expected<Request, std::string> request_of(const std::string_view url) {
  std::string_view rest = url.substr(0, url.find('#'));
  if (const auto scheme = rest.find("://"); scheme < rest.find_first_of("/?")) {
    const auto is_it = [&](std::string_view one) { return http1::equals_ignoring_case(one, rest.substr(0, scheme)); };
    if (std::ranges::none_of(schemes, is_it)) return std::unexpected(quote(url) + " is not an HTTP URL");
    rest.remove_prefix(scheme + 3);
    if (rest.starts_with('/') || rest.empty()) return std::unexpected(quote(url) + " names no host");
  }
  if (rest.starts_with('/') || rest == "*") return Request{"", std::string(rest)};
  const std::string_view host = rest.substr(0, rest.find_first_of("/?"));
  if (!http1::is_host_and_port(host)) {
    return std::unexpected(fmt::format("{} is not a host; write a URL like https://example.com/path", quote(host)));
  }
  rest.remove_prefix(host.size());
  return Request{std::string(host), std::string(rest.starts_with('/') ? rest : "/")};
}

std::string text_of(const config::Position& where) {
  return fmt::format("{}:{}:{}", where.file, where.line, where.column);
}

std::string named(const routing::Route& route) {
  return fmt::format("{}, at {}", quote(route.name), text_of(route.where));
}

std::string shown(std::string_view what, const std::string& text) {
  return text.empty() ? fmt::format("no {}", what) : fmt::format("{} {}", what, quote(text));
}

std::string why_host(const routing::RouteTable::Reason& reason) {
  if (reason.host_rule.empty()) return "the route matches every host";
  if (reason.host_rule.starts_with('*')) return fmt::format("it is below {}", quote(reason.host_rule));
  return "the route names it";
}

std::string why_path(const routing::RouteTable::Reason& reason, const config::Match& match) {
  if (reason.is_regex) return fmt::format("the expression {} matches", quote(match.path_regex));
  if (reason.path_rule.empty()) return "the route matches every path";
  if (!reason.is_prefix) return "the route names it";
  return fmt::format("the prefix {} matches", quote(reason.path_rule));
}

void add_values(std::vector<std::string>& texts, std::string_view kind,
                const std::vector<config::ValueCondition>& conditions) {
  using Asks = config::ValueCondition::Asks;
  for (const config::ValueCondition& one : conditions) {
    const std::string name = fmt::format("{} {}", kind, quote(one.name));
    texts.push_back(one.asks == Asks::present  ? name
                    : one.asks == Asks::absent ? "no " + name
                                               : fmt::format("{} with {}", name, quote(one.value)));
  }
}

// What a route asks for besides host and path; empty: nothing.
std::string conditions_of(const config::Match& match) {
  std::vector<std::string> texts;
  std::string list;
  for (const std::string& method : match.methods) list += (list.empty() ? "" : " or ") + quote(method);
  if (!list.empty()) texts.push_back("method " + list);
  add_values(texts, "header", match.headers);
  add_values(texts, "query", match.queries);
  list.clear();
  for (const config::Network& client : match.clients) list += (list.empty() ? "" : " or ") + quote(client.text());
  if (!list.empty()) texts.push_back("client in " + list);
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : ", ") + text;
  return all;
}

// Why a route that is more specific was passed over.
std::string lacks(const config::Match& match) {
  const std::string conditions = conditions_of(match);
  if (match.path_regex.empty()) return "it wants " + conditions;
  return fmt::format("it wants the path {}{}", quote(match.path_regex), conditions.empty() ? "" : ", " + conditions);
}

std::string servers_of(const config::Upstream& upstream) {
  std::string servers;
  for (const config::Server& server : upstream.servers) {
    servers += (servers.empty() ? "" : ", ") + server.address.text();
  }
  return servers;
}

// The route that would take the request if `taken` were not there.
std::string next_in_line(config::Config config, const routing::Route& taken, const routing::Request& request) {
  std::erase_if(config.routes, [&](const config::Route& route) { return route.label() == taken.name; });
  const routing::RouteTable others(config);
  routing::Scratch scratch;
  const routing::Route* next = others.find(request, scratch);
  return next == nullptr ? "404" : named(*next);
}

// What it does with the request.
std::string action_of(const config::Config& config, const routing::Route& route) {
  if (route.gate && route.gate->answer) {
    const routing::Answer& answer = *route.gate->answer;
    return fmt::format("{}{}{}", answer.status, answer.fields.empty() ? "" : ", ",
                       answer.fields.substr(0, answer.fields.find('\r')));
  }
  return fmt::format("{} ({})", quote(route.upstream), servers_of(config.upstreams[route.upstream_index]));
}

// Whom a route admits, and whether the client that was asked about is one of them.
std::string access_of(const config::Access& access, const std::string& asked_client,
                      const state::SocketAddress& client) {
  const std::string text = config::access_text(access);
  if (asked_client.empty()) return text;
  return text + (routing::Access(access).admits(client) ? ", which admits the client" : ", so the client gets 403");
}

// The lines of an explanation, and the same as an object.
class Report {
 public:
  void add(const char* key, const std::string& text) {
    show(key, text);
    json_[key] = text;
  }
  // For a key with several values.
  void add_one_more(const char* key, const std::string& text) {
    show(key, text);
    if (!json_.contains(key)) json_[key] = boost::json::array();
    json_[key].as_array().emplace_back(text);
  }
  Explanation finish(const routing::Route* route) && {
    json_["taken"] = route != nullptr;
    if (route != nullptr) {
      json_["name"] = route->name;
      json_["file"] = route->where.file;
      json_["line"] = route->where.line;
      json_["column"] = route->where.column;
    }
    return {route != nullptr, std::move(text_), boost::json::serialize(json_)};
  }

 private:
  void show(const char* key, const std::string& text) {
    text_ += fmt::format("{:<12}{}\n", std::string(key) + ":", text);
  }

  std::string text_;
  boost::json::object json_;
};

}  // namespace

std::expected<Explanation, std::string> explain(const config::Config& config, std::string_view url,
                                                const Asked& asked) {
  auto url_parts = request_of(url);
  if (!url_parts) return std::unexpected(url_parts.error());
  if (std::string fault = fault_of_method(asked.method); !fault.empty()) return std::unexpected(std::move(fault));
  const auto fields = fields_of(asked.headers);
  if (!fields) return std::unexpected(fields.error());
  const auto host_field = std::ranges::find_if(*fields, is_host_field);
  if (host_field != fields->end()) url_parts->host = host_field->value;
  const auto client = client_of(asked.client);
  if (!client) return std::unexpected(client.error());
  const routing::Request request{.host = url_parts->host,
                                 .target = url_parts->target,
                                 .method = asked.method,
                                 .fields = routing::Fields(*fields),
                                 .client = &*client};
  const routing::RouteTable table(config);
  const auto reason = table.explain(request);
  const auto configured = [&](const routing::Route& route) -> const config::Route& {
    return config.routes[table.index_of(route)];
  };
  Report answer;
  answer.add("request", fmt::format("{}, {}", shown("host", reason.host), shown("path", reason.path)));
  for (const routing::Route* other : reason.passed_over) {
    answer.add_one_more("not", fmt::format("{}: {}", named(*other), lacks(configured(*other).match)));
  }
  if (reason.route == nullptr) {
    answer.add("route", "none, the answer is 404");
    return std::move(answer).finish(nullptr);
  }
  const config::Match& match = configured(*reason.route).match;
  const config::Gate& gate = configured(*reason.route).gate;
  answer.add("route", named(*reason.route));
  answer.add("host", why_host(reason));
  answer.add("path", why_path(reason, match));
  if (const std::string conditions = conditions_of(match); !conditions.empty()) answer.add("also", conditions);
  if (gate.access != config::Access{}) answer.add("access", access_of(gate.access, asked.client, *client));
  if (gate.rate_limit) answer.add("rate_limit", config::rate_limit_text(*gate.rate_limit));
  if (gate.basic_auth) answer.add("basic_auth", config::basic_auth_text(*gate.basic_auth));
  if (reason.route->split.empty()) {
    const bool answers = reason.route->gate && reason.route->gate->answer;
    answer.add(answers ? "answer" : "upstream", action_of(config, *reason.route));
  }
  for (const routing::Share& share : reason.route->split) {
    answer.add_one_more("split", fmt::format("{} to {} ({})", share.weight, quote(share.upstream),
                                             servers_of(config.upstreams[share.upstream_index])));
  }
  answer.add("otherwise", next_in_line(config, *reason.route, request));
  return std::move(answer).finish(reason.route);
}

}  // namespace baton::check
