// Where clients connect: an HTTP address and a raw TCP one, both plain or both with TLS. The built-in origin and the
// proxy in front of it have such addresses.
#pragma once

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <memory>

#include "demo/groups.hpp"

namespace boost::asio::ssl {
class context;
}

namespace baton::demo {

// The TLS configuration of one side of a connection; null: no TLS.
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

// The listening sockets behind them. TLS 1.3 and 1.2 share one; the client chooses the version.
struct Endpoints {
  boost::asio::ip::tcp::endpoint http;
  boost::asio::ip::tcp::endpoint tcp;
  boost::asio::ip::tcp::endpoint tls_http;
  boost::asio::ip::tcp::endpoint tls_tcp;
};

}  // namespace baton::demo
