// What a connection to a server of HTTP/2 does without an exchange: it begins, and it lies idle.
#pragma once

#include <cstdint>

#include "proxy/http2/frames.hpp"
#include "proxy/tls/stream.hpp"

namespace baton::upstream {

// Sends what a client begins with, and waits for the server's SETTINGS.
enum class Greeted { waiting, full, done, failed };
// `full`: it allows no streams, yet. `failed`: see `scratch.failure`.
Greeted greet(tls::Stream& stream, state::UpstreamLeg& leg, std::int64_t now_ms, http2::Scratch& scratch);

// Answers what the server sends meanwhile. False: the connection cannot be used any longer.
bool stays_idle(tls::Stream& stream, state::UpstreamLeg& leg, std::int64_t now_ms) noexcept;

}  // namespace baton::upstream
