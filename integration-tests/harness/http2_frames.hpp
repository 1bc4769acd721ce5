// Frames and header blocks, written by hand: a library may encode the same requests in another way tomorrow, and then a
// recorded table of a decoder would not be that of its peer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace baton::harness::http2 {

inline constexpr std::uint8_t data = 0, headers = 1, rst_stream = 3, settings_type = 4, goaway = 7;
inline constexpr std::uint8_t ends_stream = 1, ends_headers = 4, acknowledges = 1;
inline constexpr std::string_view preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
inline constexpr std::size_t frame_head_bytes = 9;

// RFC 7541: names and values from the static table. What begins with `new_` is put into the dynamic table, and `newest`
// is what was put there last.
inline constexpr std::string_view get = "\x82", post = "\x83", scheme_http = "\x86", scheme_https = "\x87",
                                  path = "\x04", new_authority = "\x41", new_server = "\x76", newest = "\xbe",
                                  content_length = "\x0f\x0d", status_200 = "\x88";

inline std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, std::string_view payload) {
  std::string out;
  for (int shift = 16; shift >= 0; shift -= 8) out += static_cast<char>(payload.size() >> shift);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(stream >> shift);
  return out + std::string(payload);
}

// Of fewer than 127 bytes.
inline std::string literal(std::string_view begin, std::string_view value) {
  return std::string(begin) + static_cast<char>(value.size()) + std::string(value);
}

struct Frame {
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::uint32_t stream = 0;
  std::string payload;
};

// `from` has `read_exactly`.
template <class Stream>
Frame read_frame(Stream& from) {
  const std::string head = from.read_exactly(frame_head_bytes);
  const auto number = [&head](std::size_t at, std::size_t bytes) {
    std::uint32_t value = 0;
    for (std::size_t i = at; i < at + bytes; ++i) value = value << 8 | static_cast<unsigned char>(head[i]);
    return value;
  };
  return {.type = static_cast<std::uint8_t>(number(3, 1)),
          .flags = static_cast<std::uint8_t>(number(4, 1)),
          .stream = number(5, 4),
          .payload = from.read_exactly(number(0, 3))};
}

}  // namespace baton::harness::http2
