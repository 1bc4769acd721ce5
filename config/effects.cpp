#include "config/effects.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "config/file_order.hpp"
#include "config/text.hpp"

namespace baton::config {
namespace {

// The entries that those of the draft were read from, in the same order; none if the list's key is misspelt, which has
// been reported.
std::span<const Node> entries_of(const Node& root, std::string_view key) {
  const Node* const node = root.find(key);
  const auto* const list = node ? std::get_if<Node::List>(&node->value) : nullptr;
  return list ? std::span(*list) : std::span<const Node>();
}

constexpr std::string_view of_requests_to_servers[] = {"path", "host", "request_headers", "retries", "upgrades"};

void check_answering_route(Reader& reader, const Node& entry) {
  for (const std::string_view key : of_requests_to_servers) {
    const Node* const node = entry.find(key);
    if (node == nullptr) continue;
    reader.report(
        reader.position(*node),
        fmt::format("`{}` has no effect on a route that answers by itself: no server gets its requests", key));
  }
}

// What is known of a server, such as its connections and its health, is known of its address.
void check_server_addresses(Reader& reader, const Upstream& upstream) {
  std::map<std::string, Position> places;
  for (const Server& server : upstream.servers) {
    if (server.address == Address{}) continue;  // it is missing or no address, which has been reported
    const std::string text = server.address.text();
    const auto [first, is_new] = places.emplace(lowercase(text), server.address.where);
    if (is_new) continue;
    reader.report(server.address.where,
                  fmt::format("{} is a server of this upstream already, in {}; for a larger share raise its `weight`",
                              quote(text), other_place(first->second, server.address.where)));
  }
}

struct Users {
  std::set<std::string_view> http;
  std::set<std::string_view> tcp;
};

Users users_of(const Draft& draft) {
  Users users;
  const auto is_http = [](const ListenerDraft& one) { return one.protocol != Protocol::tcp; };
  if (std::ranges::any_of(draft.listeners, is_http)) {
    for (const Route& route : draft.config.routes) {
      users.http.insert(route.upstream);
      for (const Share& share : route.split) users.http.insert(share.upstream);
    }
  }
  for (const ListenerDraft& one : draft.listeners) {
    if (is_http(one)) continue;
    users.tcp.insert(one.listener.upstream);
    for (const TcpRoute& route : one.listener.routes) users.tcp.insert(route.upstream);
  }
  return users;
}

void check_tcp_upstream(Reader& reader, const Node& entry, const Upstream& upstream) {
  const auto report = [&](std::string_view key, std::string_view why) {
    const Node* const node = entry.find(key);
    if (node == nullptr) return;
    reader.report(reader.position(*node),
                  fmt::format("`{}` has no effect, since only tcp listeners use this upstream: {}", key, why));
  };
  if (upstream.balancing.sticky) report("sticky", "their connections have no cookies");
  if (upstream.balancing.keep_alive != KeepAlive{}) report("keep_alive", "each connection serves one client");
}

// Whether the requests of an http listener may have come over TLS; a proxy that is trusted may say so.
bool may_have_tls(const Draft& draft) {
  return std::ranges::any_of(draft.listeners, [&](const ListenerDraft& one) {
    const auto& own = one.listener.trusted_proxies;
    const TrustedProxies& trusted = own ? *own : draft.config.trusted_proxies;
    return one.protocol == Protocol::http && (one.listener.tls || trusted != TrustedProxies{});
  });
}

void check_cookie(Reader& reader, const Node& entry, const Upstream& upstream) {
  const auto& sticky = upstream.balancing.sticky;
  if (!sticky || sticky->same_site != SameSite::none || sticky->secure != CookieSecure::automatic) return;
  const Node* const node = entry.find("sticky");
  const Node* const same_site = node ? node->find("same_site") : nullptr;
  if (same_site == nullptr) return;  // misspelt, which has been reported
  reader.report(reader.position(*same_site),
                "browsers refuse a cookie with `same_site: none` that is not secure, and no client uses TLS here; "
                "write `secure: true` if a proxy in front of Baton has TLS");
}

}  // namespace

void check_effects(Reader& reader, const Node& root, const Draft& draft) {
  const auto routes = entries_of(root, "routes");
  for (std::size_t i = 0; i < routes.size(); ++i) {
    if (draft.config.routes[i].gate.answers()) check_answering_route(reader, routes[i]);
  }
  const Users users = users_of(draft);
  const bool has_tls = may_have_tls(draft);
  const auto upstreams = entries_of(root, "upstreams");
  for (std::size_t i = 0; i < upstreams.size(); ++i) {
    const Upstream& upstream = draft.config.upstreams[i];
    const Node& entry = upstreams[i];
    check_server_addresses(reader, upstream);
    const bool is_for_http = users.http.contains(upstream.name);
    if (!is_for_http && users.tcp.contains(upstream.name)) check_tcp_upstream(reader, entry, upstream);
    if (is_for_http && !has_tls) check_cookie(reader, entry, upstream);
  }
}

}  // namespace baton::config
