#include <fmt/format.h>

#include "config/balancing_schema.hpp"
#include "config/canary_schema.hpp"
#include "config/client_schema.hpp"
#include "config/gate_schema.hpp"
#include "config/health_schema.hpp"
#include "config/load.hpp"
#include "config/log_schema.hpp"
#include "config/names.hpp"
#include "config/place_comment.hpp"
#include "config/rate_schema.hpp"
#include "config/retries_schema.hpp"
#include "config/rewrite_schema.hpp"
#include "config/scalars.hpp"
#include "config/written.hpp"

namespace baton::config {
namespace {

std::string or_auto(const std::optional<std::string>& text) {
  return text ? in_quotes(*text) : "auto";
}

template <class Number>
std::string or_auto(const std::optional<Number>& number) {
  return number ? std::to_string(*number) : "auto";
}

std::string bind_text(const std::vector<Address>& addresses) {
  std::vector<std::string> texts;
  for (const Address& address : addresses) texts.push_back(address.text());
  return list_of(texts);
}

// A single item is not a list, so that every version can read it.
std::string admin_text(const std::vector<std::optional<Address>>& addresses) {
  std::string texts;
  for (const auto& address : addresses) {
    texts += (texts.empty() ? "" : ", ") + (address ? in_quotes(address->text()) : "auto");
  }
  return addresses.size() == 1 ? texts : "[" + texts + "]";
}

std::string certificate_text(const Certificate& certificate) {
  return fmt::format("{{ cert: {}, key: {} }}", in_quotes(certificate.cert.path), in_quotes(certificate.key.path));
}

// Lines of YAML, two spaces per level.
class Printer {
 public:
  template <class... Values>
  void line(int level, fmt::format_string<Values...> format, Values&&... values) {
    text_.append(static_cast<std::size_t>(2 * level), ' ');
    text_ += fmt::format(format, std::forward<Values>(values)...);
    text_ += '\n';
  }
  void duration(std::string_view key, Milliseconds value) { line(1, "{}: {}", key, duration_text(value)); }
  void size(std::string_view key, std::uint64_t value) { line(1, "{}: {}", key, size_text(value)); }

  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

void print_tls(Printer& out, const ListenerTls& tls) {
  out.line(2, "tls:");
  out.line(3, "certificates:");
  for (const Certificate& certificate : tls.certificates) out.line(4, "- {}", certificate_text(certificate));
  for (const File& folder : tls.folders) out.line(4, "- {{ folder: {} }}", in_quotes(folder.path));
  out.line(3, "min_version: {}", in_quotes(name_of(tls.min_version, tls_minimums)));
  out.line(3, "max_version: {}", in_quotes(name_of(tls.max_version, tls_minimums)));
  if (!tls.ciphers.empty()) out.line(3, "ciphers: {}", list_of(tls.ciphers));
  if (!tls.ciphersuites.empty()) out.line(3, "ciphersuites: {}", list_of(tls.ciphersuites));
  if (!tls.curves.empty()) out.line(3, "curves: {}", list_of(tls.curves));
  out.line(3, "alpn: {}", list_of(tls.alpn));
  out.line(3, "client_auth: {}", in_quotes(name_of(tls.client_auth, client_auths)));
  if (tls.client_ca) out.line(3, "client_ca: {}", in_quotes(tls.client_ca->path));
  out.line(3, "session_tickets: {}", name_of(tls.session_tickets, flags));
}

void print_tls(Printer& out, const UpstreamTls& tls) {
  out.line(2, "tls:");
  out.line(3, "verify: {}", name_of(tls.verify, flags));
  out.line(3, "ca: {}", tls.ca ? in_quotes(tls.ca->path) : "auto");
  out.line(3, "server_name: {}", tls.server_name.empty() ? "auto" : in_quotes(tls.server_name));
  if (tls.certificate) out.line(3, "certificate: {}", certificate_text(*tls.certificate));
  out.line(3, "min_version: {}", in_quotes(name_of(tls.min_version, tls_minimums)));
}

void print_resolve(Printer& out, const Resolve& resolve) {
  std::string keys =
      fmt::format("every: {}, family: {}", duration_text(resolve.every), name_of(resolve.family, name_families));
  if (!resolve.nameservers.empty()) keys += ", nameservers: " + bind_text(resolve.nameservers);
  out.line(2, "resolve: {{ {} }}", keys);
}

std::string values_text(const std::vector<ValueCondition>& conditions) {
  using Asks = ValueCondition::Asks;
  std::string keys;
  for (const ValueCondition& one : conditions) {
    const std::string value = one.asks == Asks::present ? "*" : one.asks == Asks::absent ? "!" : one.value;
    keys += fmt::format("{} {}: {}", keys.empty() ? "" : ",", key_in_quotes(one.name), in_quotes(value));
  }
  return "{" + keys + " }";
}

std::string match_text(const Match& match) {
  std::string keys;
  const auto add = [&keys](std::string_view key, const std::string& value) {
    keys += fmt::format("{} {}: {}", keys.empty() ? "" : ",", key, value);
  };
  if (!match.hosts.empty()) add("host", list_of(match.hosts));
  if (!match.path.empty()) add("path", in_quotes(match.path));
  if (!match.path_prefix.empty()) add("path_prefix", in_quotes(match.path_prefix));
  if (!match.path_regex.empty()) add("path_regex", in_quotes(match.path_regex));
  if (!match.methods.empty()) add("method", list_of(match.methods));
  if (!match.headers.empty()) add("header", values_text(match.headers));
  if (!match.queries.empty()) add("query", values_text(match.queries));
  std::vector<std::string> clients;
  for (const Network& client : match.clients) clients.push_back(client.text());
  if (!clients.empty()) add("client", list_of(clients));
  return "{" + keys + " }";
}

std::string timeouts_text(const RouteTimeouts& timeouts) {
  std::string keys;
  const auto add = [&keys](std::string_view key, const std::optional<Milliseconds>& value) {
    if (value) keys += fmt::format("{} {}: {}", keys.empty() ? "" : ",", key, duration_text(*value));
  };
  add("body", timeouts.body);
  add("send", timeouts.send);
  add("connect", timeouts.connect);
  add("response", timeouts.response);
  add("response_body", timeouts.response_body);
  add("total", timeouts.total);
  add("tunnel_idle", timeouts.tunnel_idle);
  return keys;
}

std::string limits_text(const RouteLimits& limits) {
  std::string keys;
  const auto add = [&keys](std::string_view key, const std::optional<std::uint64_t>& value) {
    if (value) keys += fmt::format("{} {}: {}", keys.empty() ? "" : ",", key, size_text(*value));
  };
  add("body_bytes", limits.body_bytes);
  add("buffer_bytes", limits.buffer_bytes);
  return keys;
}

std::string respond_text(const Respond& respond) {
  std::string text = fmt::format("{{ status: {}", respond.status);
  if (respond.body) text += ", body: " + in_quotes(*respond.body);
  if (respond.file) text += ", file: " + in_quotes(respond.file->path);
  if (!respond.content_type.empty()) text += ", content_type: " + in_quotes(respond.content_type);
  return text + " }";
}

void add_gate(std::vector<std::string>& keys, const Gate& gate) {
  if (gate.access != Access{}) keys.push_back("access: " + access_text(gate.access));
  if (gate.basic_auth) keys.push_back("basic_auth: " + basic_auth_text(*gate.basic_auth));
  if (gate.rate_limit) keys.push_back("rate_limit: " + rate_limit_text(*gate.rate_limit));
  if (gate.respond) keys.push_back("respond: " + respond_text(*gate.respond));
  if (gate.redirect) {
    keys.push_back(
        fmt::format("redirect: {{ to: {}, status: {} }}", in_quotes(gate.redirect->to), gate.redirect->status));
  }
}

void print_route(Printer& out, const Route& route) {
  std::vector<std::string> keys;
  if (!route.name.empty()) keys.push_back("name: " + in_quotes(route.name));
  if (route.match != Match{}) keys.push_back("match: " + match_text(route.match));
  if (!route.upstream.empty()) keys.push_back("upstream: " + in_quotes(route.upstream));
  add_gate(keys, route.gate);
  std::string shares;
  for (const Share& share : route.split) {
    shares += fmt::format("{} {{ upstream: {}, weight: {} }}", shares.empty() ? "" : ",", in_quotes(share.upstream),
                          share.weight);
  }
  if (!shares.empty()) keys.push_back("split: [" + shares + " ]");
  const std::string timeouts = timeouts_text(route.timeouts);
  if (!timeouts.empty()) keys.push_back("timeouts: {" + timeouts + " }");
  const std::string limits = limits_text(route.limits);
  if (!limits.empty()) keys.push_back("limits: {" + limits + " }");
  if (route.retries) keys.push_back("retries: " + retries_text(*route.retries));
  if (route.upgrades != Route{}.upgrades) keys.push_back("upgrades: " + list_of(route.upgrades));
  if (route.access_log != access_log_all) keys.push_back("access_log: " + share_logged_text(route.access_log));
  if (route.path != PathRewrite{}) keys.push_back("path: " + written(route.path));
  if (route.host != HostRewrite{}) keys.push_back("host: " + written(route.host));
  if (!route.request_headers.empty()) keys.push_back("request_headers: " + written(route.request_headers));
  if (!route.response_headers.empty()) keys.push_back("response_headers: " + written(route.response_headers));
  for (std::size_t i = 0; i < keys.size(); ++i) out.line(1, "{} {}", i == 0 ? "-" : " ", keys[i]);
}

void print_tcp_routes(Printer& out, const std::vector<TcpRoute>& routes) {
  if (!routes.empty()) out.line(2, "routes:");
  for (const TcpRoute& route : routes) {
    std::vector<std::string> clients;
    for (const Network& network : route.match.client) clients.push_back(network.text());
    std::string match;
    const auto add = [&match](std::string_view key, const std::vector<std::string>& values) {
      if (!values.empty()) match += fmt::format("{} {}: {}", match.empty() ? "" : ",", key, list_of(values));
    };
    add("sni", route.match.sni);
    add("alpn", route.match.alpn);
    add("client", clients);
    const std::string access = route.access == Access{} ? "" : ", access: " + access_text(route.access);
    out.line(3, "- {{ match: {{{} }}, upstream: {}{} }}", match, in_quotes(route.upstream), access);
  }
}

std::string server_text(const Server& server) {
  std::string keys = fmt::format("address: {}, weight: {}", in_quotes(server.address.text()), server.weight);
  if (server.max_connections != 0) keys += fmt::format(", max_connections: {}", server.max_connections);
  if (server.backup) keys += ", backup: true";
  if (server.drain) keys += ", drain: true";
  return "{ " + keys + " }";
}

enum class RoutePlaces { are_left_out, are_comments };

void print_services(Printer& out, const Config& config, RoutePlaces places) {
  out.line(0, "listeners:");
  for (const Listener& listener : config.listeners) {
    out.line(1, "- name: {}", in_quotes(listener.name));
    out.line(2, "bind: {}", bind_text(listener.bind));
    out.line(2, "protocol: {}", name_of(listener.protocol, protocols));
    if (!listener.upstream.empty()) out.line(2, "upstream: {}", in_quotes(listener.upstream));
    print_tcp_routes(out, listener.routes);
    if (listener.access != Access{}) out.line(2, "access: {}", access_text(listener.access));
    if (listener.trusted_proxies) {
      out.line(2, "trusted_proxies: {}", list_of(texts_of(*listener.trusted_proxies)));
    }
    out.line(2, "proxy_protocol: {}", in_quotes(name_of(listener.proxy_protocol, proxy_protocols)));
    out.line(2, "backlog: {}", listener.backlog);
    out.line(2, "tcp_keepalive: {}", duration_text(listener.tcp_keepalive));
    if (listener.tls) print_tls(out, *listener.tls);
  }
  if (!config.routes.empty()) out.line(0, "routes:");
  for (const Route& route : config.routes) {
    const std::string place = places == RoutePlaces::are_comments ? place_comment(route.where) : "";
    if (!place.empty()) out.line(1, "{}", place);
    print_route(out, route);
  }
  out.line(0, "upstreams:");
  for (const Upstream& upstream : config.upstreams) {
    out.line(1, "- name: {}", in_quotes(upstream.name));
    for (const std::string& line : balancing_lines(upstream.balancing)) out.line(2, "{}", line);
    out.line(2, "servers:");
    for (const Server& server : upstream.servers) {
      out.line(3, "- {}", server_text(server));
    }
    out.line(2, "tcp_keepalive: {}", duration_text(upstream.tcp_keepalive));
    out.line(2, "proxy_protocol: {}", in_quotes(name_of(upstream.proxy_protocol, proxy_headers_sent)));
    out.line(2, "protocol: {}", name_of(upstream.protocol, server_protocols));
    if (upstream.tls) print_tls(out, *upstream.tls);
    if (upstream.resolve) print_resolve(out, *upstream.resolve);
    if (upstream.health) {
      out.line(2, "health:");
      for (const std::string& line : health_lines(*upstream.health)) out.line(3, "{}", line);
    }
  }
}

void print_timeouts(Printer& out, const Timeouts& timeouts) {
  out.line(0, "timeouts:");
  out.duration("handshake", timeouts.handshake);
  out.duration("head", timeouts.head);
  out.duration("body", timeouts.body);
  out.duration("send", timeouts.send);
  out.duration("idle", timeouts.idle);
  out.duration("connect", timeouts.connect);
  out.duration("response", timeouts.response);
  out.duration("response_body", timeouts.response_body);
  out.duration("total", timeouts.total);
  out.duration("upstream_idle", timeouts.upstream_idle);
  out.duration("tunnel_idle", timeouts.tunnel_idle);
  out.duration("shutdown", timeouts.shutdown);
}

void print_limits(Printer& out, const Limits& limits) {
  out.line(0, "limits:");
  out.size("head_bytes", limits.head_bytes);
  out.size("uri_bytes", limits.uri_bytes);
  out.line(1, "fields: {}", limits.fields);
  out.size("body_bytes", limits.body_bytes);
  out.line(1, "requests_per_connection: {}", limits.requests_per_connection);
  out.line(1, "connections: {}", or_auto(limits.connections));
  out.size("buffer_bytes", limits.buffer_bytes);
  out.line(1, "http2_streams: {}", limits.http2_streams);
  out.size("http2_stream_window", limits.http2_stream_window);
  out.size("http2_connection_window", limits.http2_connection_window);
  if (limits.upstream_connections != 0) out.line(1, "upstream_connections: {}", limits.upstream_connections);
  if (limits.connections_per_client != 0) out.line(1, "connections_per_client: {}", limits.connections_per_client);
  if (limits.requests_per_second_per_client != 0) {
    out.line(1, "requests_per_second_per_client: {}", limits.requests_per_second_per_client);
  }
}

void print_handoff(Printer& out, const Handoff& handoff) {
  out.line(0, "handoff:");
  out.line(1, "socket: {}", or_auto(handoff.socket));
  out.duration("ready_timeout", handoff.ready_timeout);
  out.duration("step_timeout", handoff.step_timeout);
  out.duration("finish_timeout", handoff.finish_timeout);
  out.duration("drain_timeout", handoff.drain_timeout);
  out.duration("probation", handoff.probation);
  if (handoff.canary) out.line(1, "canary: {}", canary_text(*handoff.canary));
  out.line(1, "survive: {}", in_quotes(name_of(handoff.survive, survivals)));
}

void print_log(Printer& out, const Log& log) {
  const AccessLog access = log.access.value_or(AccessLog{});
  out.line(0, "log:");
  out.line(1, "level: {}", name_of(log.level, log_levels));
  out.line(1, "format: {}", name_of(log.format, log_formats));
  out.line(1, "access:");
  out.line(2, "path: {}", in_quotes(access.path));
  out.line(2, "syslog: {}", in_quotes(access.syslog ? access.syslog->text() : ""));
  const bool is_text = access.format == AccessFormat::text;
  out.line(2, "format: {}",
           is_text ? in_quotes(access.text.text()) : std::string(name_of(access.format, access_formats)));
}

void print_clients(Printer& out, const Config& config) {
  out.line(0, "trusted_proxies: {}", list_of(texts_of(config.trusted_proxies)));
  out.line(0, "forwarded: {}", list_of(texts_of(config.forwarded)));
  if (const auto& id = config.request_id) {
    out.line(0, "request_id: {{ header: {}, trust: {} }}", in_quotes(id->header), name_of(id->trust, flags));
  }
  out.line(0, "tracing: {}", name_of(config.tracing, tracings));
}

std::string print(const Config& config, RoutePlaces places) {
  Printer out;
  out.line(0, "version: 1");
  print_services(out, config, places);
  print_timeouts(out, config.timeouts);
  print_limits(out, config.limits);
  print_handoff(out, config.handoff);
  out.line(0, "admin:");
  out.line(1, "bind: {}", admin_text(config.admin));
  if (!config.admin_token.empty()) out.line(1, "token: {}", in_quotes(config.admin_token));
  out.line(0, "pid_file: {}", or_auto(config.pid_file));
  out.line(0, "workers: {}", or_auto(config.workers));
  print_log(out, config.log);
  if (const Maintenance& maintenance = config.maintenance; maintenance != Maintenance{}) {
    out.line(0, "maintenance:");
    if (maintenance.file) out.line(1, "file: {}", in_quotes(maintenance.file->path));
    out.line(1, "status: {}", maintenance.status);
    if (!maintenance.allow.empty()) out.line(1, "allow: {}", networks_text(maintenance.allow));
    out.duration("retry_after", maintenance.retry_after);
  }
  if (!config.error_pages.empty()) out.line(0, "error_pages:");
  for (const auto& [status, file] : config.error_pages) out.line(1, "{}: {}", status, in_quotes(file.path));
  out.line(0, "underscores: {}", name_of(config.underscores, underscore_rules));
  print_clients(out, config);
  out.line(0, "watch: {}", name_of(config.watch, watches));
  out.line(0, "via: false");
  out.line(0, "include: []");
  return out.take();
}

}  // namespace

std::string print(const Config& config) {
  return print(config, RoutePlaces::are_left_out);
}

std::string print_without_secrets(Config config) {
  if (!config.admin_token.empty()) config.admin_token = "***";
  return print(config);
}

std::string print_with_places(const Config& config) {
  return print(config, RoutePlaces::are_comments);
}

}  // namespace baton::config
