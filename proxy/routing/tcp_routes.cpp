#include "proxy/routing/tcp_routes.hpp"

#include <algorithm>
#include <tuple>

namespace baton::routing {

TcpRoutes::TcpRoutes(const std::vector<config::TcpRoute>& routes) {
  std::vector<std::pair<std::size_t, Entry>> entries;  // with the place in the file
  for (std::size_t i = 0; i < routes.size(); ++i) {
    const config::TcpMatch& match = routes[i].match;
    Entry entry;
    entry.alpn = match.alpn;
    entry.has_clients = !match.client.empty();
    entry.clients = AddressSet(match.client);
    entry.choice = {.upstream = routes[i].upstream, .access = Access(routes[i].access)};
    if (match.sni.empty()) entries.emplace_back(i, entry);
    for (const std::string& name : match.sni) {
      entry.is_wildcard = name.starts_with("*.");
      entry.name = entry.is_wildcard ? name.substr(1) : name;
      entries.emplace_back(i, entry);
    }
  }
  const auto rank = [](const auto& one) {
    const Entry& entry = one.second;
    const int kind = entry.name.empty() ? 2 : entry.is_wildcard ? 1 : 0;
    const auto conditions = static_cast<int>(!entry.alpn.empty()) + static_cast<int>(entry.has_clients);
    return std::tuple(kind, entry.is_wildcard ? -static_cast<long>(entry.name.size()) : 0L, -conditions, one.first);
  };
  std::ranges::sort(entries, {}, rank);
  for (auto& [at, entry] : entries) routes_.push_back(std::move(entry));
}

bool TcpRoutes::need_hello() const {
  return std::ranges::any_of(routes_, [](const Entry& entry) { return !entry.name.empty() || !entry.alpn.empty(); });
}

bool TcpRoutes::Entry::takes(std::string_view server_name) const {
  if (name.empty()) return true;
  return is_wildcard ? server_name.size() > name.size() && server_name.ends_with(name) : server_name == name;
}

const TcpRoutes::Choice* TcpRoutes::choose(std::string_view server_name, const std::vector<std::string>& alpn,
                                           const state::SocketAddress& client) const {
  for (const Entry& entry : routes_) {
    if (!entry.takes(server_name) || (entry.has_clients && !entry.clients.contains(client))) continue;
    if (entry.alpn.empty() || std::ranges::find_first_of(alpn, entry.alpn) != alpn.end()) return &entry.choice;
  }
  return nullptr;
}

}  // namespace baton::routing
