// `baton check --explain URL`: which route a request takes, and why.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"

namespace baton::check {

struct Explanation {
  bool is_taken = false;  // by a route; otherwise the client gets 404
  std::string text;       // whole lines
  std::string json;       // the same as one object
};

// What is asked about a request besides its URL.
struct Asked {
  std::string method = "GET";
  std::vector<std::string> headers;  // "name: value"
  std::string client;                // its IP address; empty: unknown
  bool json = false;
};

// `url` is http, https, ws or wss; the scheme may be missing, as in `example.com/a`, and so may the host, as in `/a` or
// `*`. A `Host` among the headers counts instead of the URL's host. What no request can say is an error.
std::expected<Explanation, std::string> explain(const config::Config& config, std::string_view url,
                                                const Asked& asked = {});

}  // namespace baton::check
