// Where clients connect: an HTTP door and a raw TCP one, both plain or both with TLS. The built-in origin has both, and
// so has the proxy before it.
#pragma once

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <memory>

#include "demo/kind.hpp"

namespace boost::asio::ssl {
class context;
}

namespace baton::demo {

// What one side of a TLS connection brings along; null: no TLS.
using TlsContext = std::shared_ptr<boost::asio::ssl::context>;

struct Entrance {
  boost::asio::ip::tcp::endpoint endpoint;
  TlsContext tls;  // for a client
};

struct Entrances {
  Entrance http;
  Entrance tcp;
};
using EntrancesByTransport = std::array<Entrances, transports>;
inline const Entrances& of(const EntrancesByTransport& entrances, Transport transport) {
  return entrances[static_cast<std::size_t>(transport)];
}

// The listening sockets behind them; it is the client that makes TLS 1.3 or 1.2 of the same one.
struct Endpoints {
  boost::asio::ip::tcp::endpoint http;
  boost::asio::ip::tcp::endpoint tcp;
  boost::asio::ip::tcp::endpoint tls_http;
  boost::asio::ip::tcp::endpoint tls_tcp;
};

}  // namespace baton::demo
