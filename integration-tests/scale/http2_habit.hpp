// How a client of HTTP/2 lives in a crew.
#pragma once

#include "scale/crew.hpp"

namespace baton::harness::habits {

// Many streams at a time on one connection, begun, filled, read, cancelled and ended in random order: answers, uploads,
// stalled downloads, WebSockets, and events for the whole run. What it sends is cut anywhere. With `options`, over TLS.
Habit has_many_streams(std::optional<TlsOptions> options = std::nullopt);

}  // namespace baton::harness::habits
