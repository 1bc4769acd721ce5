// Where clients connect: an HTTP door and a raw TCP one. The built-in origin has both, and so has the proxy before it.
#pragma once

#include <boost/asio/ip/tcp.hpp>

namespace baton::demo {

struct Entrances {
  boost::asio::ip::tcp::endpoint http;
  boost::asio::ip::tcp::endpoint tcp;
};

}  // namespace baton::demo
