#include "config/schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "config/address.hpp"
#include "config/balancing_schema.hpp"
#include "config/canary_schema.hpp"
#include "config/client_schema.hpp"
#include "config/entry_name.hpp"
#include "config/gate_schema.hpp"
#include "config/health_schema.hpp"
#include "config/log_schema.hpp"
#include "config/rate_schema.hpp"
#include "config/resolve_schema.hpp"
#include "config/route_schema.hpp"
#include "config/tcp_route_schema.hpp"
#include "config/text.hpp"
#include "config/tls_schema.hpp"
#include "config/upstream_schema.hpp"

namespace baton::config {
namespace {

// Listeners.

void read_listener_name(Reader& reader, const Node& node, ListenerDraft& draft) {
  read_name<&Listener::name>(reader, node, draft.listener);
}

void read_bind(Reader& reader, const Node& node, ListenerDraft& draft) {
  const auto items = reader.one_or_list(node);
  if (items.empty()) reader.refuse(node, "the list is empty");
  for (const Node& item : items) {
    const auto text = reader.text(item);
    if (!text) continue;
    auto address = parse_address(*text);
    if (!address) {
      reader.refuse(item, address.error());
      continue;
    }
    address->where = reader.position(item);
    draft.claims.push_back({*address, address->where, ""});
    draft.listener.bind.push_back(*std::move(address));
  }
}

void read_protocol(Reader& reader, const Node& node, ListenerDraft& draft) {
  draft.protocol = reader.choice(node, protocols);
}

void read_listener_upstream(Reader& reader, const Node& node, ListenerDraft& draft) {
  read_name<&Listener::upstream>(reader, node, draft.listener);
  draft.upstream = reader.position(node);
}

void read_tls(Reader& reader, const Node& node, ListenerDraft& draft) {
  draft.listener.tls = read_listener_tls(reader, node, draft.protocol);
}

void read_trusted_by_listener(Reader& reader, const Node& node, ListenerDraft& draft) {
  read_trusted_proxies(reader, node, draft.listener.trusted_proxies.emplace());
}

void read_proxy_protocol(Reader& reader, const Node& node, ListenerDraft& draft) {
  read_choice<&Listener::proxy_protocol, proxy_protocols>(reader, node, draft.listener);
}

void read_backlog(Reader& reader, const Node& node, ListenerDraft& draft) {
  read_count<&Listener::backlog, Bounds{.least = 1, .most = 1'000'000}>(reader, node, draft.listener);
}

void read_listener_keepalive(Reader& reader, const Node& node, ListenerDraft& draft) {
  read_keepalive(reader, node, draft.listener.tcp_keepalive);
}

void read_listener_routes(Reader& reader, const Node& node, ListenerDraft& draft) {
  read_tcp_routes(reader, node, draft.listener.routes);
  draft.routes = reader.position(node);
}

void read_access_of_listener(Reader& reader, const Node& node, ListenerDraft& draft) {
  read_listener_access(reader, node, draft.listener.access);
  draft.access = reader.position(node);
}

constexpr Key<ListenerDraft> listener_keys[] = {
    {"name", read_listener_name, true},
    {"bind", read_bind, true},
    {"protocol", read_protocol},
    {"upstream", read_listener_upstream},
    {"routes", read_listener_routes},
    {"access", read_access_of_listener},
    {"trusted_proxies", read_trusted_by_listener},
    {"proxy_protocol", read_proxy_protocol},
    {"backlog", read_backlog},
    {"tcp_keepalive", read_listener_keepalive},
    // Needs the protocol.
    {"tls", read_tls},
};
// The entry meant by its most important text alone.
std::string listener_of(std::string_view text) {
  return fmt::format("{{ name: web, bind: \"{}\" }}", parse_address(text) ? text : "127.0.0.1:8080");
}

constexpr Section<ListenerDraft> listener_section{"listeners", "on a listener", listener_keys, listener_of};

void read_listeners(Reader& reader, const Node& node, Draft& draft) {
  const auto entries = reader.list(node, "`- { name: web, bind: 127.0.0.1:8080 }`");
  if (!entries) return;
  NamePlaces names;
  for (const Node& entry : *entries) {
    ListenerDraft& one = draft.listeners.emplace_back();
    one.listener.where = reader.position(entry);
    read_section(reader, entry, listener_section, one);
    check_name(reader, entry, one.listener.name, names);
    one.listener.protocol = one.protocol.value_or(Protocol::http);
    for (Claim& claim : one.claims) claim.who = fmt::format("listener {}", quote(one.listener.name));
  }
}

void read_all_upstreams(Reader& reader, const Node& node, Draft& draft) {
  read_upstreams(reader, node, draft.config.upstreams);
}

// Settings.

constexpr Key<Timeouts> timeout_keys[] = {
    {"handshake", read_duration<&Timeouts::handshake, some_time>},
    {"head", read_duration<&Timeouts::head, some_time>},
    {"body", read_duration<&Timeouts::body, some_time>},
    {"send", read_duration<&Timeouts::send, some_time>},
    {"idle", read_duration<&Timeouts::idle, some_time>},
    {"connect", read_duration<&Timeouts::connect, some_time>},
    {"response", read_duration<&Timeouts::response, some_time>},
    {"response_body", read_duration<&Timeouts::response_body, some_time>},
    {"total", read_duration<&Timeouts::total, any_time>},
    {"upstream_idle", read_duration<&Timeouts::upstream_idle, some_time>},
    {"tunnel_idle", read_duration<&Timeouts::tunnel_idle, some_time>},
    {"shutdown", read_duration<&Timeouts::shutdown, any_time>},
};
constexpr Section<Timeouts> timeouts_section{"timeouts", "in `timeouts`", timeout_keys};

constexpr Key<Limits> limit_keys[] = {
    {"head_bytes", read_size<&Limits::head_bytes, Bounds{1 * kibi, head_bytes_max}>},
    {"uri_bytes", read_size<&Limits::uri_bytes, Bounds{1, head_bytes_max, true}>},
    {"fields", read_count<&Limits::fields, Bounds{1, 10'000, true}>},
    {"body_bytes", read_size<&Limits::body_bytes, body_bytes_bounds>},
    {"requests_per_connection", read_count<&Limits::requests_per_connection, Bounds{1, 1'000'000'000, true}>},
    {"connections", read_count_or_auto<&Limits::connections, Bounds{1, 10'000'000, true}>},
    {"upstream_connections", read_count<&Limits::upstream_connections, Bounds{1, 10'000'000, true}>},
    {"buffer_bytes", read_size<&Limits::buffer_bytes, buffer_bytes_bounds>},
    {"http2_streams", read_count<&Limits::http2_streams, Bounds{1, 200}>},
    {"http2_stream_window", read_size<&Limits::http2_stream_window, Bounds{65'535, 16 * 1024 * kibi}>},
    {"http2_connection_window", read_size<&Limits::http2_connection_window, Bounds{65'535, 16 * 1024 * kibi}>},
    {"connections_per_client", read_count<&Limits::connections_per_client, Bounds{1, 10'000'000, true}>},
    {"requests_per_second_per_client",
     read_count<&Limits::requests_per_second_per_client, Bounds{1, requests_per_second_max, true}>},
};
constexpr Section<Limits> limits_section{"limits", "in `limits`", limit_keys};

void read_handoff_socket(Reader& reader, const Node& node, Handoff& handoff) {
  if (const auto text = reader.text_unless_auto(node)) reader.assign(handoff.socket, node, parse_handoff_path(*text));
}

constexpr Key<Handoff> handoff_keys[] = {
    {"socket", read_handoff_socket},
    {"ready_timeout", read_duration<&Handoff::ready_timeout, some_time>},
    {"step_timeout", read_duration<&Handoff::step_timeout, some_time>},
    {"finish_timeout", read_duration<&Handoff::finish_timeout, any_time>},
    {"drain_timeout", read_duration<&Handoff::drain_timeout, any_time>},
    {"probation", read_duration<&Handoff::probation, any_time>},
    {"canary", read_canary},
    {"survive", read_choice<&Handoff::survive, survivals>},
};
constexpr Section<Handoff> handoff_section{"handoff", "in `handoff`", handoff_keys};

constexpr std::string_view words_for_none[] = {"off", "none", "no", "false", "disabled"};

void read_admin_bind(Reader& reader, const Node& node, Config& config) {
  const auto items = reader.one_or_list(node);
  if (items.empty()) reader.refuse(node, "the list is empty");
  config.admin.clear();
  for (const Node& item : items) {
    const auto text = reader.text(item);
    if (!text) continue;
    if (*text == "auto") {
      if (std::ranges::find(config.admin, std::optional<Address>()) != config.admin.end()) {
        reader.refuse(item, "`auto` appears twice");
      }
      config.admin.emplace_back();
      continue;
    }
    if (std::ranges::find(words_for_none, *text) != std::end(words_for_none)) {
      reader.refuse(item,
                    "the admin interface cannot be switched off; `auto` is a socket that only the user who runs Baton "
                    "can connect to");
      continue;
    }
    auto address = parse_address(*text);
    if (!address) {
      reader.refuse(item, address.error());
      continue;
    }
    address->where = reader.position(item);
    config.admin.emplace_back(*std::move(address));
  }
}

// As in a field `Authorization: Bearer` (RFC 6750 §2.1).
constexpr std::string_view token_characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/=";
constexpr std::size_t token_characters_min = 16;
constexpr std::size_t token_characters_max = 1024;

// A message must not repeat it.
void read_admin_token(Reader& reader, const Node& node, Config& config) {
  auto text = reader.text(node);
  if (!text) return;
  if (text->size() < token_characters_min || text->size() > token_characters_max) {
    return reader.refuse(node, fmt::format("a token has {} to {} characters; `openssl rand -hex 32` makes one",
                                           token_characters_min, token_characters_max));
  }
  if (text->find_first_not_of(token_characters) != std::string::npos) {
    return reader.refuse(node,
                         "a token consists of letters, digits and - . _ ~ + / =; `openssl rand -hex 32` makes one");
  }
  config.admin_token = *std::move(text);
}

constexpr Key<Config> admin_keys[] = {{"bind", read_admin_bind}, {"token", read_admin_token}};
std::string admin_of(std::string_view text) {
  return fmt::format("{{ bind: \"{}\" }}", parse_address(text) ? text : "127.0.0.1:9901");
}

constexpr Section<Config> admin_section{"admin", "in `admin`", admin_keys, admin_of};

// The top level.

template <auto member, const auto& section>
void read_member(Reader& reader, const Node& node, Draft& draft) {
  read_section(reader, node, section, draft.config.*member);
}

void read_version(Reader& reader, const Node& node, Draft&) {
  const auto text = reader.text(node);
  if (text && *text != "1") reader.refuse(node, quote(*text) + " is not known; this program reads `version: 1`");
}

void read_all_routes(Reader& reader, const Node& node, Draft& draft) {
  read_routes(reader, node, draft.config.routes);
}

void read_admin(Reader& reader, const Node& node, Draft& draft) {
  read_section(reader, node, admin_section, draft.config);
}

void read_pid_file(Reader& reader, const Node& node, Draft& draft) {
  if (const auto file = reader.file_unless_auto(node)) draft.config.pid_file = file->path;
}

void read_workers(Reader& reader, const Node& node, Draft& draft) {
  read_count_or_auto<&Config::workers, Bounds{.least = 1, .most = 256}>(reader, node, draft.config);
}

constexpr Name<bool> vias[] = {{"false", false}};
constexpr std::string_view later_vias[] = {"true"};

void read_via(Reader& reader, const Node& node, Draft&) { reader.choice(node, vias, later_vias); }

void read_underscores(Reader& reader, const Node& node, Draft& draft) {
  read_choice<&Config::underscores, underscore_rules>(reader, node, draft.config);
}

void read_watch(Reader& reader, const Node& node, Draft& draft) {
  read_choice<&Config::watch, watches>(reader, node, draft.config);
}

template <auto member, auto read>
void read_by(Reader& reader, const Node& node, Draft& draft) {
  read(reader, node, draft.config.*member);
}

void read_tracing(Reader& reader, const Node& node, Draft& draft) {
  read_choice<&Config::tracing, tracings>(reader, node, draft.config);
}

// `add_included` has read them already.
void read_include(Reader&, const Node&, Draft&) {}

constexpr Key<Draft> top_keys[] = {
    {"version", read_version, true},
    {"listeners", read_listeners, true},
    {"routes", read_all_routes},
    {"upstreams", read_all_upstreams, true},
    {"timeouts", read_member<&Config::timeouts, timeouts_section>},
    {"limits", read_member<&Config::limits, limits_section>},
    {"handoff", read_member<&Config::handoff, handoff_section>},
    {"admin", read_admin},
    {"pid_file", read_pid_file},
    {"workers", read_workers},
    {"log", read_by<&Config::log, read_log>},
    {"underscores", read_underscores},
    {"trusted_proxies", read_by<&Config::trusted_proxies, read_trusted_proxies>},
    {"forwarded", read_by<&Config::forwarded, read_forwarded>},
    {"request_id", read_by<&Config::request_id, read_request_id>},
    {"tracing", read_tracing},
    {"maintenance",
     [](Reader& reader, const Node& node, Draft& draft) { read_maintenance(reader, node, draft.config); }},
    {"error_pages",
     [](Reader& reader, const Node& node, Draft& draft) { read_error_pages(reader, node, draft.config); }},
    {"watch", read_watch},
    {"via", read_via},
    {"include", read_include},
};
constexpr Section<Draft> top_section{"", "at the top level", top_keys};

}  // namespace

Draft read_draft(Reader& reader, const Node& root) {
  Draft draft;
  read_section(reader, root, top_section, draft);
  return draft;
}

std::vector<KnownKey> known_keys() {
  std::vector<KnownKey> known;
  const auto add_all = [&known](const auto&... sections) { (add_keys(known, sections), ...); };
  add_all(top_section, listener_section, timeouts_section, limits_section, handoff_section, admin_section);
  add_canary_keys(known);
  add_upstream_keys(known);
  add_log_keys(known);
  add_client_keys(known);
  add_tcp_route_keys(known);
  add_route_keys(known);
  add_balancing_keys(known);
  add_tls_keys(known);
  add_resolve_keys(known);
  add_health_keys(known);
  return known;
}

}  // namespace baton::config
