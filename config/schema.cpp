#include "config/schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <span>

#include "config/address.hpp"
#include "config/text.hpp"

namespace baton::config {
namespace {

template <class Target>
struct Key {
  std::string_view name;
  void (*read)(Reader&, const Node&, Target&) = nullptr;  // nullptr: of a later version
  bool required = false;
};

// One kind of mapping: where it stands in the file, how a message says that, and its keys.
template <class Target>
struct Section {
  std::string_view path;
  std::string_view place;
  std::span<const Key<Target>> keys;
};

template <class Target>
void read_section(Reader& reader, const Node& node, const Section<Target>& section, Target& target) {
  const Node::Map* map = reader.map(node);
  if (!map) return;
  for (const Entry& entry : *map) {
    const auto key = std::ranges::find(section.keys, entry.key, &Key<Target>::name);
    if (key == section.keys.end()) {
      std::vector<std::string_view> known;
      for (const Key<Target>& other : section.keys) {
        if (other.read) known.push_back(other.name);
      }
      reader.refuse_unknown_key(entry, section.place, known);
    } else if (!key->read) {
      reader.refuse_unsupported_key(entry, section.place);
    } else {
      const Reader::UnderKey under_key(reader, key->name);
      key->read(reader, entry.value, target);
    }
  }
  for (const Key<Target>& key : section.keys) {
    if (key.required && !node.find(key.name)) reader.refuse_missing_key(node, section.place, key.name);
  }
}

// Readers for one member each.

constexpr std::uint64_t longest_ms = 365ULL * 24 * 3600 * 1000;
constexpr Bounds any_time{.least = 0, .most = longest_ms};
constexpr Bounds some_time{.least = 1, .most = longest_ms};

template <auto member, Bounds bounds, class Target>
void read_duration(Reader& reader, const Node& node, Target& target) {
  if (const auto text = reader.text(node)) reader.assign(target.*member, node, parse_duration(*text, bounds));
}

template <auto member, Bounds bounds, class Target>
void read_size(Reader& reader, const Node& node, Target& target) {
  if (const auto text = reader.text(node)) reader.assign(target.*member, node, parse_size(*text, bounds));
}

template <auto member, Bounds bounds, class Target>
void read_count(Reader& reader, const Node& node, Target& target) {
  if (const auto text = reader.text(node)) reader.assign(target.*member, node, parse_count(*text, bounds));
}

template <auto member, Bounds bounds, class Target>
void read_count_or_auto(Reader& reader, const Node& node, Target& target) {
  if (const auto text = reader.text_unless_auto(node)) reader.assign(target.*member, node, parse_count(*text, bounds));
}

// Names go into logs, metrics and the handover, so they are kept simple.
Parsed<std::string> parse_name(const std::string& text) {
  constexpr std::size_t name_bytes_max = 64;
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  };
  if (!text.empty() && text.size() <= name_bytes_max && std::ranges::all_of(text, is_allowed)) return text;
  return std::unexpected(quoted(text) + " must be 1 to 64 letters, digits, `_`, `-` or `.`");
}

template <auto member, class Target>
void read_name(Reader& reader, const Node& node, Target& target) {
  if (const auto text = reader.text(node)) reader.assign(target.*member, node, parse_name(*text));
}

// Reports a name that an earlier entry of the list has already.
void check_unique(Reader& reader, const Node& entry, const std::string& name, std::map<std::string, int>& lines) {
  const Node* node = entry.find("name");
  if (!node || name.empty()) return;
  const auto [seen, is_new] = lines.emplace(name, node->line);
  if (is_new) return;
  reader.report(reader.position(*node), fmt::format("the name `{}` is already taken in line {}", name, seen->second));
}

// Listeners.

void read_listener_name(Reader& reader, const Node& node, ListenerDraft& draft) {
  read_name<&Listener::name>(reader, node, draft.listener);
}

void read_bind(Reader& reader, const Node& node, ListenerDraft& draft) {
  for (const Node& item : reader.one_or_list(node)) {
    const auto text = reader.text(item);
    if (!text) continue;
    Address address;
    const auto parsed = parse_address(*text);
    reader.assign(address, item, parsed);
    if (!parsed) continue;
    draft.listener.bind.push_back(address);
    draft.claims.push_back({address, reader.position(item), ""});
  }
}

void read_protocol(Reader& reader, const Node& node, ListenerDraft& draft) {
  draft.protocol = reader.choice(node, protocols);
}

void read_listener_upstream(Reader& reader, const Node& node, ListenerDraft& draft) {
  read_name<&Listener::upstream>(reader, node, draft.listener);
  draft.upstream = reader.position(node);
}

constexpr Key<ListenerDraft> listener_keys[] = {
    {"name", read_listener_name, true},
    {"bind", read_bind, true},
    {"protocol", read_protocol},
    {"upstream", read_listener_upstream},
    {"tls"},
};
constexpr Section<ListenerDraft> listener_section{"listeners", "on a listener", listener_keys};

void read_listeners(Reader& reader, const Node& node, Draft& draft) {
  const auto entries = reader.list(node, "`- { name: web, bind: 127.0.0.1:8080 }`");
  if (!entries) return;
  std::map<std::string, int> lines;
  for (const Node& entry : *entries) {
    ListenerDraft& one = draft.listeners.emplace_back();
    one.listener.where = reader.position(entry);
    read_section(reader, entry, listener_section, one);
    check_unique(reader, entry, one.listener.name, lines);
    one.listener.protocol = one.protocol.value_or(Protocol::http);
    for (Claim& claim : one.claims) claim.who = fmt::format("listener {}", quoted(one.listener.name));
  }
}

// Upstreams.

void read_server_address(Reader& reader, const Node& node, Server& server) {
  const auto text = reader.text(node);
  if (!text) return;
  reader.assign(server.address, node, parse_address(*text));
  const bool is_missing_host = server.address.port != 0 && server.address.host.empty();
  if (is_missing_host) reader.refuse(node, quoted(*text) + " names no host to connect to");
}

constexpr Key<Server> server_keys[] = {
    {"address", read_server_address, true},
    {"weight", read_count<&Server::weight, Bounds{.least = 1, .most = 256}>},
};
constexpr Section<Server> server_section{"upstreams.servers", "on a server", server_keys};

void read_servers(Reader& reader, const Node& node, Upstream& upstream) {
  const auto entries = reader.list(node, "`- address: 127.0.0.1:9000`");
  if (!entries) return;
  for (const Node& entry : *entries) read_section(reader, entry, server_section, upstream.servers.emplace_back());
}

enum class Balance { round_robin, least_connections };
constexpr Name<Balance> balances[] = {{"round_robin", Balance::round_robin},
                                      {"least_connections", Balance::least_connections}};

void read_balance(Reader& reader, const Node& node, Upstream&) {
  if (reader.choice(node, balances) == Balance::least_connections) {
    reader.refuse_unsupported_value(node, "least_connections");
  }
}

constexpr Key<Upstream> upstream_keys[] = {
    {"name", read_name<&Upstream::name>, true},
    {"balance", read_balance},
    {"servers", read_servers, true},
    {"tls"},
    {"health"},
    {"health_check"},
    {"health_checks"},
};
constexpr Section<Upstream> upstream_section{"upstreams", "on an upstream", upstream_keys};

void read_upstreams(Reader& reader, const Node& node, Draft& draft) {
  const auto entries = reader.list(node, "`- { name: web, servers: [ { address: \"127.0.0.1:9000\" } ] }`");
  if (!entries) return;
  std::map<std::string, int> lines;
  for (const Node& entry : *entries) {
    Upstream& upstream = draft.config.upstreams.emplace_back();
    read_section(reader, entry, upstream_section, upstream);
    check_unique(reader, entry, upstream.name, lines);
  }
}

// Routes: in this version the one without `match`.

void read_route_upstream(Reader& reader, const Node& node, Config& config) {
  read_name<&Config::default_upstream>(reader, node, config);
}

constexpr Key<Config> route_keys[] = {{"match"}, {"upstream", read_route_upstream, true}};
constexpr Section<Config> route_section{"routes", "on a route", route_keys};

void read_routes(Reader& reader, const Node& node, Draft& draft) {
  const auto entries = reader.list(node, "`- upstream: web`");
  if (!entries) return;
  for (const Node& entry : *entries) read_section(reader, entry, route_section, draft.config);
  if (entries->size() == 1) return;
  reader.report(reader.position((*entries)[1]), "more than one route is not supported by this version yet");
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
    {"upstream_idle", read_duration<&Timeouts::upstream_idle, some_time>},
    {"tunnel_idle", read_duration<&Timeouts::tunnel_idle, some_time>},
    {"shutdown", read_duration<&Timeouts::shutdown, any_time>},
};
constexpr Section<Timeouts> timeouts_section{"timeouts", "in `timeouts`", timeout_keys};

constexpr Key<Limits> limit_keys[] = {
    {"head_bytes", read_size<&Limits::head_bytes, Bounds{1 * kibi, head_bytes_max}>},
    {"uri_bytes", read_size<&Limits::uri_bytes, Bounds{1, head_bytes_max, true}>},
    {"fields", read_count<&Limits::fields, Bounds{1, 10'000, true}>},
    {"body_bytes", read_size<&Limits::body_bytes, Bounds{1, 1024 * 1024 * gibi, true}>},
    {"requests_per_connection", read_count<&Limits::requests_per_connection, Bounds{1, 1'000'000'000, true}>},
    {"connections", read_count_or_auto<&Limits::connections, Bounds{1, 10'000'000, true}>},
    {"buffer_bytes", read_size<&Limits::buffer_bytes, Bounds{4 * kibi, buffer_bytes_max}>},
};
constexpr Section<Limits> limits_section{"limits", "in `limits`", limit_keys};

void read_handoff_socket(Reader& reader, const Node& node, Handoff& handoff) {
  if (const auto text = reader.text_unless_auto(node)) reader.assign(handoff.socket, node, parse_socket_path(*text));
}

void read_probation(Reader& reader, const Node& node, Handoff&) {
  Milliseconds probation{0};
  const auto text = reader.text(node);
  if (!text) return;
  reader.assign(probation, node, parse_duration(*text, any_time));
  if (probation != Milliseconds{0}) reader.refuse(node, "other than 0s is not supported by this version yet");
}

constexpr Key<Handoff> handoff_keys[] = {
    {"socket", read_handoff_socket},
    {"ready_timeout", read_duration<&Handoff::ready_timeout, some_time>},
    {"step_timeout", read_duration<&Handoff::step_timeout, some_time>},
    {"finish_timeout", read_duration<&Handoff::finish_timeout, any_time>},
    {"drain_timeout", read_duration<&Handoff::drain_timeout, any_time>},
    {"probation", read_probation},
};
constexpr Section<Handoff> handoff_section{"handoff", "in `handoff`", handoff_keys};

void read_admin_bind(Reader& reader, const Node& node, Config& config) {
  if (const auto text = reader.text_unless_auto(node)) reader.assign(config.admin, node, parse_address(*text));
}

constexpr Key<Config> admin_keys[] = {{"bind", read_admin_bind}};
constexpr Section<Config> admin_section{"admin", "in `admin`", admin_keys};

void read_access_path(Reader& reader, const Node& node, AccessLog& access) {
  if (auto text = reader.text(node)) access.path = *std::move(text);
}

void read_access_format(Reader& reader, const Node& node, AccessLog& access) {
  if (const auto format = reader.choice(node, access_formats)) access.format = *format;
}

constexpr Key<AccessLog> access_keys[] = {{"path", read_access_path}, {"format", read_access_format}};
constexpr Section<AccessLog> access_section{"log.access", "in `access`", access_keys};

void read_level(Reader& reader, const Node& node, Log& log) {
  if (const auto level = reader.choice(node, log_levels)) log.level = *level;
}

void read_access(Reader& reader, const Node& node, Log& log) {
  AccessLog access;
  read_section(reader, node, access_section, access);
  if (!access.path.empty()) log.access = std::move(access);
}

constexpr Key<Log> log_keys[] = {{"level", read_level}, {"access", read_access}};
constexpr Section<Log> log_section{"log", "in `log`", log_keys};

// The top level.

template <auto member, const auto& section>
void read_member(Reader& reader, const Node& node, Draft& draft) {
  read_section(reader, node, section, draft.config.*member);
}

void read_version(Reader& reader, const Node& node, Draft&) {
  const auto text = reader.text(node);
  if (text && *text != "1") reader.refuse(node, quoted(*text) + " is not known; this program reads `version: 1`");
}

void read_admin(Reader& reader, const Node& node, Draft& draft) {
  read_section(reader, node, admin_section, draft.config);
}

void read_pid_file(Reader& reader, const Node& node, Draft& draft) {
  const auto text = reader.text_unless_auto(node);
  if (!text) return;
  if (text->starts_with('/') && !text->ends_with('/')) {
    draft.config.pid_file = *text;
  } else {
    reader.refuse(node, quoted(*text) + " must be the absolute path of a file");
  }
}

void read_workers(Reader& reader, const Node& node, Draft& draft) {
  read_count_or_auto<&Config::workers, Bounds{.least = 1, .most = 256}>(reader, node, draft.config);
}

enum class Flag { no, yes };
constexpr Name<Flag> flags[] = {{"false", Flag::no}, {"true", Flag::yes}};

void read_via(Reader& reader, const Node& node, Draft&) {
  if (reader.choice(node, flags) == Flag::yes) reader.refuse_unsupported_value(node, "true");
}

constexpr Key<Draft> top_keys[] = {
    {"version", read_version, true},
    {"include"},
    {"listeners", read_listeners, true},
    {"routes", read_routes},
    {"upstreams", read_upstreams, true},
    {"timeouts", read_member<&Config::timeouts, timeouts_section>},
    {"limits", read_member<&Config::limits, limits_section>},
    {"handoff", read_member<&Config::handoff, handoff_section>},
    {"admin", read_admin},
    {"pid_file", read_pid_file},
    {"workers", read_workers},
    {"log", read_member<&Config::log, log_section>},
    {"via", read_via},
    {"trusted_proxies"},
    {"watch"},
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
  const auto add = [&known](const auto& section) {
    for (const auto& key : section.keys) {
      known.push_back({fmt::format("{}{}{}", section.path, section.path.empty() ? "" : ".", key.name), !!key.read});
    }
  };
  const auto add_all = [&add](const auto&... sections) { (add(sections), ...); };
  add_all(top_section, listener_section, route_section, upstream_section, server_section, timeouts_section,
          limits_section, handoff_section, admin_section, log_section, access_section);
  return known;
}

}  // namespace baton::config
