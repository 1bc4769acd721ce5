// Why an exchange has ended as it did, in the words of the access log.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace baton::state {

enum class Ending : std::uint8_t {
  done,          // the whole response was sent, or both directions of the tunnel ended
  answered,      // the same of an answer that the configuration gives
  bad_request,   // it broke HTTP, or asked for what is not supported
  too_large,     // it exceeded a limit
  client_slow,   // timeouts.head, .body or .send
  client_gone,   // the client ended or reset it first
  denied,        // `access`
  unauthorized,  // `basic_auth`
  rate,          // `rate_limit`
  maintenance,   // it is switched on
  no_route,      // none matches
  no_server,     // none takes requests now
  queue,         // none was free in time
  busy,          // too many passwords wait to be verified
  connect,       // no server could be connected
  connect_slow,  // timeouts.connect
  server_gone,   // the server ended or reset it first
  server_slow,   // timeouts.response or .response_body
  bad_response,  // what the server sent is not valid
  total,         // timeouts.total
  idle,          // timeouts.tunnel_idle
  stopped,       // this process stopped first
  memory,        // there was none for it
};

inline constexpr Ending last_ending = Ending::memory;

inline constexpr std::array<std::string_view, static_cast<std::size_t>(last_ending) + 1> ending_words{
    "done",        "answered",    "bad_request",  "too_large", "client_slow", "client_gone", "denied",  "unauthorized",
    "rate",        "maintenance", "no_route",     "no_server", "queue",       "busy",        "connect", "connect_slow",
    "server_gone", "server_slow", "bad_response", "total",     "idle",        "stopped",     "memory"};

constexpr std::string_view word_of(Ending ending) {
  return ending_words[static_cast<std::size_t>(ending)];
}

}  // namespace baton::state
