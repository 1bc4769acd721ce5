// What becomes of a request before it goes to a server: whether it may, and the answers that Baton gives itself.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/file.hpp"
#include "config/network.hpp"
#include "config/rate.hpp"

namespace baton::config {

// The most bytes of a file that is an answer's body. A handover carries no more than `buffer_bytes_max` in one buffer.
inline constexpr std::uint64_t answer_bytes_max = 1024 * 1024;

// A fixed response. Without body and file its content is the error page of the status, or a line that names it.
struct Respond {
  std::uint16_t status = 200;            // 200 to 599
  std::optional<std::string> body = {};  // not together with `file`
  std::optional<File> file = {};
  std::string content_type = {};  // empty: by the file's name, else text/plain
  bool operator==(const Respond&) const = default;
};

struct Redirect {
  std::string to;              // an absolute URL or a path, as a Template; printable ASCII without blanks
  std::uint16_t status = 302;  // 301, 302, 303, 307 or 308
  bool operator==(const Redirect&) const = default;
};

// Whose requests pass, by the client's address. `deny` wins.
struct Access {
  std::optional<std::vector<Network>> allow = {};  // nothing: everyone's
  std::vector<Network> deny = {};
  bool operator==(const Access&) const = default;
};

struct BasicAuth {
  std::string realm = "restricted";  // printable ASCII without quotes and backslashes
  File file;                         // htpasswd
  bool operator==(const BasicAuth&) const = default;
};

// What all requests get while maintenance is switched on.
struct Maintenance {
  std::optional<File> file = {};             // nothing: the error page of the status, or a line that names it
  std::uint16_t status = 503;                // 400 to 599
  std::vector<Network> allow = {};           // these clients are served as usual
  std::chrono::milliseconds retry_after{0};  // whole seconds; 0: no such field
  bool operator==(const Maintenance&) const = default;
};

// Of a route. By default every request passes to its upstream.
struct Gate {
  Access access = {};
  std::optional<RateLimit> rate_limit = {};
  std::optional<BasicAuth> basic_auth = {};
  std::optional<Respond> respond = {};
  std::optional<Redirect> redirect = {};
  bool operator==(const Gate&) const = default;

  bool answers() const { return respond.has_value() || redirect.has_value(); }
};

}  // namespace baton::config
