// Where a message body ends (RFC 9112 §6.3). Relaying advances it (proxy/http1/body.hpp); a handover copies it.
#pragma once

#include <cstdint>
#include <variant>

namespace baton::state {

// Nothing follows the head, or everything that followed it has been seen.
struct NoBody {
  bool operator==(const NoBody&) const = default;
};

// Content-Length: the number of bytes still to come; never 0 (that is NoBody).
struct ByLength {
  std::uint64_t remaining = 0;
  bool operator==(const ByLength&) const = default;
};

// What the next byte of a chunked body (RFC 9112 §7.1) must be.
enum class ChunkPosition : std::uint8_t {
  size_first,    // the first digit of a chunk's size
  size,          // a further digit, an extension, or CR
  extension,     // inside a server's chunk extension, whose grammar is not checked
  size_lf,       // the LF that ends the size line
  data,          // `remaining` bytes of the chunk
  data_cr,       // the CR after a chunk's data
  data_lf,       // the LF after it
  trailers,      // after the last chunk's size line; the trailer section, maybe empty, is read as a whole
  // Inside a size line. Peers that do not know these get `extension` on the wire.
  after_size,    // blanks after the size
  name_first,    // of a client's chunk extension: blanks, or the first character of its name
  name,
  after_name,    // blanks after it
  value_first,   // blanks, or the first character of its value
  value,
  quoted,        // inside a quoted-string
  escaped,       // after a backslash in it
  quoted_end,    // after its closing quote
  after_value,   // blanks after a value
};
inline constexpr ChunkPosition last_chunk_position = ChunkPosition::after_value;

struct ByChunks {
  ChunkPosition position = ChunkPosition::size_first;
  std::uint64_t remaining = 0;         // of this chunk: its size as read so far, then the bytes still to come
  std::uint32_t line_bytes = 0;        // bytes of this size line seen so far, to bound it
  bool operator==(const ByChunks&) const = default;
};

// The body ends with its flow: a response's with the connection, or anything on a stream of HTTP/2.
struct UntilClose {
  bool operator==(const UntilClose&) const = default;
};

using BodyFraming = std::variant<NoBody, ByLength, ByChunks, UntilClose>;

}  // namespace baton::state
