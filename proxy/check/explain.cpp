#include "proxy/check/explain.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/text.hpp"
#include "proxy/http1/head.hpp"
#include "proxy/http1/meaning.hpp"
#include "proxy/routing/route_table.hpp"

namespace baton::check {

namespace {

using config::quote;

constexpr std::string_view schemes[] = {"http", "https", "ws", "wss"};

struct Request {
  std::string_view host;  // with its port; may be empty
  std::string_view target;
};

// As a client sends it: a fragment stays with the client (RFC 9110 §4.2.5).
std::expected<Request, std::string> request_of(const std::string_view url) {
  std::string_view rest = url.substr(0, url.find('#'));
  if (const auto scheme = rest.find("://"); scheme < rest.find_first_of("/?")) {
    const auto is_it = [&](std::string_view one) { return http1::equals_ignoring_case(one, rest.substr(0, scheme)); };
    if (std::ranges::none_of(schemes, is_it)) return std::unexpected(quote(url) + " is not an HTTP URL");
    rest.remove_prefix(scheme + 3);
    if (rest.starts_with('/') || rest.empty()) return std::unexpected(quote(url) + " names no host");
  }
  if (rest.starts_with('/') || rest == "*") return Request{{}, rest};
  const std::string_view host = rest.substr(0, rest.find_first_of("/?"));
  if (!http1::is_host_and_port(host)) {
    return std::unexpected(fmt::format("{} is not a host; write a URL like https://example.com/path", quote(host)));
  }
  rest.remove_prefix(host.size());
  return Request{host, rest.starts_with('/') ? rest : "/"};
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

std::string why_path(const routing::RouteTable::Reason& reason) {
  if (reason.path_rule.empty()) return "the route matches every path";
  if (!reason.is_prefix) return "the route names it";
  return fmt::format("the prefix {} matches", quote(reason.path_rule));
}

std::string servers_of(const config::Upstream& upstream) {
  std::string servers;
  for (const config::Server& server : upstream.servers) {
    servers += (servers.empty() ? "" : ", ") + server.address.text();
  }
  return servers;
}

// The route that would take the request if `taken` were not there.
std::string next_in_line(config::Config config, const routing::Route& taken, const Request& request) {
  std::erase_if(config.routes, [&](const config::Route& route) { return route.label() == taken.name; });
  const routing::RouteTable others(config);
  const routing::Route* next = others.find(request.host, request.target);
  return next == nullptr ? "404" : named(*next);
}

std::string action_of(const config::Config& config, const routing::Route& route) {
  if (route.gate && route.gate->answer) {
    const routing::Answer& answer = *route.gate->answer;
    return fmt::format("answer:    {}{}{}\n", answer.status, answer.fields.empty() ? "" : ", ",
                       answer.fields.substr(0, answer.fields.find('\r')));
  }
  return fmt::format("upstream:  {} ({})\n", quote(route.upstream), servers_of(config.upstreams[route.upstream_index]));
}

}  // namespace

std::expected<Explanation, std::string> explain(const config::Config& config, std::string_view url) {
  const auto request = request_of(url);
  if (!request) return std::unexpected(request.error());
  const routing::RouteTable table(config);
  const auto reason = table.explain(request->host, request->target);
  Explanation explanation{
      .is_taken = reason.route != nullptr,
      .text = fmt::format("request:   {}, {}\n", shown("host", reason.host), shown("path", reason.path))};
  if (reason.route == nullptr) {
    explanation.text += "route:     none, the answer is 404\n";
    return explanation;
  }
  explanation.text += fmt::format("route:     {}\n", named(*reason.route));
  explanation.text += fmt::format("host:      {}\n", why_host(reason));
  explanation.text += fmt::format("path:      {}\n", why_path(reason));
  explanation.text += action_of(config, *reason.route);
  explanation.text += fmt::format("otherwise: {}\n", next_in_line(config, *reason.route, *request));
  return explanation;
}

}  // namespace baton::check
