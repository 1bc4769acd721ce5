// `baton demo --page`: the load, and a page that is fetched through the proxy, until it is interrupted.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <iosfwd>
#include <string_view>

#include "demo/demo.hpp"

namespace baton::demo {

// "127.0.0.1:8088", "[::1]:80", "0.0.0.0" and "8088"; what is missing is a free port on loopback, 8088 if that is free.
// Throws std::runtime_error for anything else.
boost::asio::ip::tcp::endpoint page_endpoint(std::string_view address);

// `options.page` is set. As `run` (demo.hpp), but SIGINT and SIGTERM are the usual end, and a second one is an
// interruption. Returns 0 if neither a client nor a page saw an error or a close.
int run_page(const Options& options, std::ostream& out);

}  // namespace baton::demo
