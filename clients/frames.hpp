// WebSocket frames (RFC 6455 §5), unfragmented, and the one variable part of the opening handshake.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace baton::clients {

enum class Opcode : std::uint8_t { binary = 2, close = 8 };

struct Frame {
  Opcode opcode = Opcode::binary;
  bool masked = false;
  std::string payload;  // unmasked
};

// A frame as clients send it, with a mask, or as servers do, without one.
std::string encode_frame(Opcode opcode, std::string_view payload, std::optional<std::uint32_t> mask = std::nullopt);

// Removes a whole frame from the front of `bytes`; nothing while it is incomplete. Throws std::runtime_error for
// anything that `encode_frame` cannot produce.
std::optional<Frame> take_frame(std::string& bytes);

// The example key of RFC 6455 §1.3, and the accept value that belongs to it.
inline constexpr std::string_view websocket_key = "dGhlIHNhbXBsZSBub25jZQ==";
inline constexpr std::string_view websocket_accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

}  // namespace baton::clients
