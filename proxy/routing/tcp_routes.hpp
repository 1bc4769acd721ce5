// Which upstream the connection of a tcp listener goes to.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "proxy/routing/access.hpp"

namespace baton::routing {

// Immutable. The most specific server name wins (named, then the longest wildcard, then none), then the most kinds of
// other conditions, then the first in the file.
class TcpRoutes {
 public:
  TcpRoutes() = default;
  explicit TcpRoutes(const std::vector<config::TcpRoute>& routes);

  // What a route says of the connections that it takes.
  struct Choice {
    std::string upstream;
    Access access;
  };

  bool empty() const { return routes_.empty(); }
  // Whether the ClientHello matters.
  bool need_hello() const;
  // nullptr: none takes it. `server_name` is in lowercase; it and `alpn` are empty if the client names none.
  const Choice* choose(std::string_view server_name, const std::vector<std::string>& alpn,
                       const state::SocketAddress& client) const;

 private:
  // One for each server name of a route.
  struct Entry {
    std::string name;               // empty: any, or none
    bool is_wildcard = false;       // `name` begins with the dot
    std::vector<std::string> alpn;  // empty: any
    bool has_clients = false;
    AddressSet clients;
    Choice choice;

    bool takes(std::string_view server_name) const;
  };
  std::vector<Entry> routes_;  // in the order in which they are tried
};

}  // namespace baton::routing
