// Who sent a message. Some rules bind senders, some bind recipients: a client must follow the grammar, while from a
// server we also accept what RFC 9112 tells a proxy to repair, or what some servers are known to send.
#pragma once

#include <cstdint>

namespace baton::http1 {

enum class Sender : std::uint8_t { client, server };

}  // namespace baton::http1
