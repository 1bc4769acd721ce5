// The bytes of frames (RFC 9113 §4.1, §6).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "proxy/http2/error.hpp"
#include "proxy/state/buffer.hpp"

namespace baton::http2 {

inline constexpr std::string_view preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";  // §3.4

enum class FrameType : std::uint8_t {
  data,
  headers,
  priority,
  rst_stream,
  settings,
  push_promise,
  ping,
  goaway,
  window_update,
  continuation
};

enum class Setting : std::uint16_t {
  header_table_size = 1,
  enable_push = 2,
  max_concurrent_streams = 3,
  initial_window_size = 4,
  max_frame_size = 5,
  max_header_list_size = 6,
  enable_connect_protocol = 8,  // RFC 8441
};

inline constexpr std::uint8_t flag_end_stream = 1;
inline constexpr std::uint8_t flag_ack = 1;
inline constexpr std::uint8_t flag_end_headers = 4;
inline constexpr std::uint8_t flag_padded = 8;
inline constexpr std::uint8_t flag_priority = 32;

inline constexpr std::size_t frame_head_bytes = 9;
inline constexpr std::size_t priority_bytes = 5;
// Without this setting no peer sends or takes longer frames.
inline constexpr std::uint32_t frame_bytes_max = 16'384;

struct FrameHead {
  std::uint32_t bytes;  // of the payload
  FrameType type;
  std::uint8_t flags;
  std::uint32_t stream;
  bool has(std::uint8_t flag) const { return (flags & flag) != 0; }
};

inline std::uint32_t read_number(const char* at) {
  const auto byte = [at](int i) { return std::uint32_t{static_cast<unsigned char>(at[i])}; };
  return byte(0) << 24 | byte(1) << 16 | byte(2) << 8 | byte(3);
}
inline std::uint16_t read_short(const char* at) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(at[0]) << 8 | static_cast<unsigned char>(at[1]));
}
inline std::array<char, 4> bytes_of(std::uint32_t number) {
  return {static_cast<char>(number >> 24), static_cast<char>(number >> 16), static_cast<char>(number >> 8),
          static_cast<char>(number)};
}
inline void append_number(state::Buffer& out, std::uint32_t number) {
  const std::array<char, 4> bytes = bytes_of(number);
  out.append({bytes.data(), bytes.size()});
}

inline FrameHead read_frame_head(const char* at) {
  return {read_number(at) >> 8, static_cast<FrameType>(at[3]), static_cast<std::uint8_t>(at[4]),
          read_number(at + 5) & 0x7fff'ffff};
}
inline void append_frame_head(state::Buffer& out, const FrameHead& head) {
  const std::array<char, 4> bytes = bytes_of(head.bytes);
  const std::array<char, 4> stream = bytes_of(head.stream);
  const std::array<char, frame_head_bytes> all{
      bytes[1],  bytes[2],  bytes[3], static_cast<char>(head.type), static_cast<char>(head.flags), stream[0],
      stream[1], stream[2], stream[3]};
  out.append({all.data(), all.size()});
}

inline void append_frame(state::Buffer& out, FrameType type, std::uint8_t flags, std::uint32_t stream,
                         std::string_view payload) {
  append_frame_head(out, {static_cast<std::uint32_t>(payload.size()), type, flags, stream});
  out.append(payload);
}

// Removes the padding of DATA and HEADERS (§6.1). False: it is longer than the frame.
inline bool strip_padding(const FrameHead& head, std::string_view& payload) {
  if (!head.has(flag_padded)) return true;
  if (payload.empty()) return false;
  const auto padding = static_cast<unsigned char>(payload.front());
  if (padding >= payload.size()) return false;
  payload = payload.substr(1, payload.size() - 1 - padding);
  return true;
}

inline void append_reset(state::Buffer& out, std::uint32_t stream, Error error) {
  append_frame_head(out, {4, FrameType::rst_stream, 0, stream});
  append_number(out, static_cast<std::uint32_t>(error));
}

inline void append_window_update(state::Buffer& out, std::uint32_t stream, std::int64_t by) {
  append_frame_head(out, {4, FrameType::window_update, 0, stream});
  append_number(out, static_cast<std::uint32_t>(by));
}

// The stream that the priority at the front of `payload` depends on.
inline std::uint32_t depends_on(std::string_view payload) {
  return read_number(payload.data()) & 0x7fff'ffff;
}

// ── Stream::heads ─────────────────────────────────────────────────────────────────────────────────────────────────

// Precedes each block.
struct BlockMark {
  std::uint32_t bytes;
  bool ends_stream;
};
inline constexpr std::size_t block_mark_bytes = 4;

inline BlockMark read_block_mark(const char* at) {
  const std::uint32_t number = read_number(at);
  return {number & 0x7fff'ffff, number >> 31 != 0};
}
inline std::uint32_t number_of(const BlockMark& mark) {
  return mark.bytes | (mark.ends_stream ? 0x8000'0000u : 0u);
}

}  // namespace baton::http2
