#include "config/upstream_schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "config/address.hpp"
#include "config/balancing_schema.hpp"
#include "config/client_schema.hpp"
#include "config/entry_name.hpp"
#include "config/health_schema.hpp"
#include "config/names.hpp"
#include "config/resolve_schema.hpp"
#include "config/text.hpp"
#include "config/tls_schema.hpp"

namespace baton::config {
namespace {

void read_server_address(Reader& reader, const Node& node, Server& server) {
  if (const auto text = reader.text(node)) {
    reader.assign(server.address, node, parse_address(*text, AddressUse::connect));
  }
  server.address.where = reader.position(node);
}

constexpr Key<Server> server_keys[] = {
    {"address", read_server_address, true},
    {"weight", read_count<&Server::weight, Bounds{.least = 1, .most = 256}>},
    {"max_connections", read_count<&Server::max_connections, Bounds{1, 1'000'000, true}>},
    {"backup", read_choice<&Server::backup, flags>},
    {"drain", read_choice<&Server::drain, flags>},
};
std::string server_of(std::string_view text) {
  return fmt::format("{{ address: \"{}\" }}", parse_address(text, AddressUse::connect) ? text : "127.0.0.1:9000");
}

constexpr Section<Server> server_section{"upstreams.servers", "on a server", server_keys, server_of};

void read_servers(Reader& reader, const Node& node, Upstream& upstream) {
  const auto entries = reader.list(node, "`- address: 127.0.0.1:9000`");
  if (!entries) return;
  for (const Node& entry : *entries) read_section(reader, entry, server_section, upstream.servers.emplace_back());
  if (!upstream.servers.empty() && std::ranges::all_of(upstream.servers, &Server::backup)) {
    reader.refuse(node, "every server is a `backup`; at least one must not be");
  }
}

void read_upstream_keepalive(Reader& reader, const Node& node, Upstream& upstream) {
  read_keepalive(reader, node, upstream.tcp_keepalive);
}

// Without TLS nothing says what a server speaks.
void read_protocol(Reader& reader, const Node& node, Upstream& upstream) {
  read_choice<&Upstream::protocol, server_protocols>(reader, node, upstream);
  if (upstream.protocol != ServerProtocol::automatic || upstream.tls) return;
  reader.refuse(node, "`auto` asks servers by ALPN, which needs `tls`; without it, say `http1` or `http2`");
}

constexpr Key<Upstream> upstream_keys[] = {
    {"name", read_name<&Upstream::name>, true},
    {"balance", read_balance},
    // Needs the balance.
    {"hash", read_hash},
    {"sticky", read_sticky},
    {"servers", read_servers, true},
    // Needs the servers.
    {"queue", read_queue},
    {"slow_start", read_slow_start},
    {"keep_alive", read_keep_alive},
    {"when_none_is_up", read_when_none_is_up},
    // Needs the servers; `protocol` needs to know whether it is there.
    {"tls", read_upstream_tls},
    {"tcp_keepalive", read_upstream_keepalive},
    {"proxy_protocol", read_choice<&Upstream::proxy_protocol, proxy_headers_sent>},
    {"protocol", read_protocol},
    {"resolve", read_resolve},
    {"health", read_health},
};
std::string upstream_of(std::string_view text) {
  return fmt::format("{{ name: app, servers: [ {} ] }}", server_of(text));
}

constexpr Section<Upstream> upstream_section{"upstreams", "on an upstream", upstream_keys, upstream_of};

}  // namespace

void read_upstreams(Reader& reader, const Node& node, std::vector<Upstream>& upstreams) {
  const auto entries = reader.list(node, "`- { name: web, servers: [ { address: \"127.0.0.1:9000\" } ] }`");
  if (!entries) return;
  NamePlaces names;
  for (const Node& entry : *entries) {
    Upstream& upstream = upstreams.emplace_back();
    read_section(reader, entry, upstream_section, upstream);
    check_resolve(reader, upstream);
    check_name(reader, entry, upstream.name, names);
  }
}

void add_upstream_keys(std::vector<KnownKey>& known) {
  add_keys(known, upstream_section);
  add_keys(known, server_section);
}

}  // namespace baton::config
