// How clients of HTTP/2 live in a crew.
#pragma once

#include "scale/crew.hpp"

namespace baton::harness::habits {

// Many streams at a time on one connection, begun, filled, read, cancelled and ended in random order: answers, uploads,
// stalled downloads, WebSockets, and events for the whole run. What it sends is cut anywhere. With `options`, over TLS.
// `host`: which the requests name.
Habit has_many_streams(std::optional<TlsOptions> options = std::nullopt, const std::string& host = "a");

// A gRPC stream at a time, cut anywhere likewise; some end, and others begin.
Habit talks_grpc(std::optional<TlsOptions> options = std::nullopt);

}  // namespace baton::harness::habits
