// What the same clients see when nginx reloads.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "demo/load.hpp"
#include "demo/patience.hpp"
#include "demo/temp_dir.hpp"

namespace baton::demo {

struct Contrast {
  std::string version;  // "nginx/1.22.1"
  Totals before;        // at the moment of the reload
  Totals after;         // when all clients with a request in progress had closed, or after `watched`
  std::chrono::milliseconds watched{};
};

// Starts the nginx `program` in front of `origin`, runs the request-response clients of `mix` against it, reloads it
// once by SIGHUP and stops it. Throws std::runtime_error if nginx cannot be made to serve; the demo then shows no
// comparison.
Contrast reload_nginx(const std::string& program, boost::asio::ip::tcp::endpoint origin, const Mix& mix,
                      const TempDir& dir, Patience& patience, std::chrono::milliseconds watched);

// The comparison in plain words, one line each.
std::vector<std::string> describe(const Contrast& contrast);

}  // namespace baton::demo
