#include "proxy/http1/body.hpp"

#include <algorithm>
#include <cstring>
#include <variant>

#include "proxy/http1/grammar.hpp"

namespace baton::http1 {

namespace {

using state::BodyFraming;
using state::ByChunks;
using state::ByLength;
using state::ChunkPosition;
using state::NoBody;
using state::UntilClose;

constexpr std::uint32_t size_digits_max = 16;

// Steps over one byte of chunk framing; false: it cannot stand here, and nothing has changed.
bool step(ByChunks& chunk, char c) {
  using enum ChunkPosition;
  const bool in_size_line = chunk.position <= size_lf;
  if (in_size_line && chunk.line_bytes == chunk_line_bytes_max) return false;
  switch (chunk.position) {
    case size_first:
    case size: {
      const int digit = hex_value(c);
      if (digit >= 0) {
        if (chunk.line_bytes == size_digits_max || chunk.remaining > (length_max >> 4)) return false;
        chunk.remaining = chunk.remaining << 4 | static_cast<std::uint64_t>(digit);
        chunk.position = size;
      } else if (chunk.position == size_first || (c != ';' && c != '\r')) {
        return false;
      } else {
        chunk.position = c == ';' ? extension : size_lf;
      }
      break;
    }
    case extension:
      if (c == '\r') {
        chunk.position = size_lf;
      } else if ((static_cast<unsigned char>(c) < ' ' && c != '\t') || c == 0x7f) {
        return false;
      }
      break;
    case size_lf:
      if (c != '\n') return false;
      chunk.position = chunk.remaining == 0 ? trailers : data;
      chunk.line_bytes = 0;
      return true;
    case data_cr:
      if (c != '\r') return false;
      chunk.position = data_lf;
      break;
    case data_lf:
      if (c != '\n') return false;
      chunk.position = size_first;
      break;
    case data:
    case trailers:
      return false;
  }
  if (in_size_line) ++chunk.line_bytes;
  return true;
}

BodyPiece consume_chunks(ByChunks& chunk, std::string_view input) {
  if (chunk.position == ChunkPosition::data) {
    const std::size_t bytes = std::min<std::uint64_t>(chunk.remaining, input.size());
    chunk.remaining -= bytes;
    if (chunk.remaining == 0) chunk.position = ChunkPosition::data_cr;
    return {bytes, true, BodyStatus::more};
  }
  std::size_t bytes = 0;
  while (chunk.position != ChunkPosition::data && chunk.position != ChunkPosition::trailers) {
    if (bytes == input.size()) return {bytes, false, BodyStatus::more};
    if (!step(chunk, input[bytes])) return {bytes, false, BodyStatus::malformed};
    ++bytes;
  }
  return {bytes, false, chunk.position == ChunkPosition::trailers ? BodyStatus::trailers : BodyStatus::more};
}

}  // namespace

BodyPiece consume_body(BodyFraming& framing, std::string_view input) {
  if (auto* const chunk = std::get_if<ByChunks>(&framing)) return consume_chunks(*chunk, input);
  if (auto* const length = std::get_if<ByLength>(&framing)) {
    const std::size_t bytes = std::min<std::uint64_t>(length->remaining, input.size());
    length->remaining -= bytes;
    if (length->remaining != 0) return {bytes, true, BodyStatus::more};
    framing = NoBody{};
    return {bytes, true, BodyStatus::ended};
  }
  if (std::holds_alternative<UntilClose>(framing)) return {input.size(), true, BodyStatus::more};
  return {0, false, BodyStatus::ended};
}

std::size_t find_trailers_end(std::string_view input) {
  for (std::size_t line = 0; line < input.size();) {
    const char* const first = input.data() + line;
    const auto* const cr = static_cast<const char*>(std::memchr(first, '\r', input.size() - line));
    const std::size_t text_bytes = cr == nullptr ? input.size() - line : static_cast<std::size_t>(cr - first);
    if (std::memchr(first, '\n', text_bytes) != nullptr) return std::string_view::npos;
    const std::size_t lf = line + text_bytes + 1;
    if (lf >= input.size()) return 0;
    if (input[lf] != '\n') return std::string_view::npos;
    line = lf + 1;
    if (text_bytes == 0) return line;
  }
  return 0;
}

}  // namespace baton::http1
