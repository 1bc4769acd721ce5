// Which exchanges count against a process that is compared with another.
#pragma once

#include <cstdint>

#include "proxy/state/ending.hpp"

namespace baton::canary {

// A client that gives up without an answer has waited for so long, or it has changed its mind.
inline constexpr std::int64_t gives_up_ms = 3'000;
// A server that has had the whole request for so long, and has not begun to answer.
inline constexpr std::int64_t unanswered_ms = 10'000;

// What a client would blame on the service: answers 5xx, ours or a server's, responses that were cut short, refusals of
// our own, and no answer. What a client does to itself is none: going away, being slow. Nor is a 401, with which each
// client begins, and a 4xx of a server, which is an answer. `waited_ms`: for the response, which has not begun; else 0.
constexpr bool is_failure(unsigned status, state::Ending ending, std::int64_t waited_ms = 0) {
  using state::Ending;
  switch (ending) {
    case Ending::bad_request:
    case Ending::too_large:
    case Ending::denied:
    case Ending::rate:
    case Ending::no_route:
    case Ending::no_server:
    case Ending::queue:
    case Ending::busy:
    case Ending::connect:
    case Ending::connect_slow:
    case Ending::server_gone:
    case Ending::server_slow:
    case Ending::bad_response:
    case Ending::total:
    case Ending::memory:
      return true;
    case Ending::client_gone:
      return waited_ms >= gives_up_ms;
    case Ending::maintenance:
    case Ending::client_slow:
    case Ending::stopped:
      return false;
    case Ending::done:
    case Ending::answered:
    case Ending::unauthorized:
    case Ending::idle:
      break;
  }
  return status >= 500;
}

}  // namespace baton::canary
