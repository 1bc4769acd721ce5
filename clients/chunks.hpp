// The part of the chunked transfer coding (RFC 9112 §7.1) that both ends of the demo use: no extensions, no trailers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace baton::clients {

std::string chunk(std::string_view data);
inline constexpr std::string_view last_chunk = "0\r\n\r\n";

// Decodes a body received in pieces of any size.
class ChunkReader {
 public:
  // Appends the data in `bytes` to `data`; false once the input violates the grammar.
  bool read(std::string_view bytes, std::string& data);

  // The last chunk has been received.
  bool ended() const { return position_ == Position::end; }

 private:
  enum class Position { first_digit, size, size_lf, data, data_cr, data_lf, last_cr, last_lf, end };

  bool step(char byte);

  Position position_ = Position::first_digit;
  std::uint64_t remaining_ = 0;
};

}  // namespace baton::clients
