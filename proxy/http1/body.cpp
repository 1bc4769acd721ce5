#include "proxy/http1/body.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
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

bool is_in_size_line(ChunkPosition position) {
  return position <= ChunkPosition::size_lf || position > ChunkPosition::trailers;
}

// A byte of a size line that is not forwarded, if it is allowed here at all: a meaningless blank, or part of an
// extension from a server.
bool is_dropped(ChunkPosition position, char c, Sender sender) {
  using enum ChunkPosition;
  if (position == extension) return sender == Sender::server && c != '\r';
  if (is_blank(c)) return position != quoted && position != escaped;
  return c == ';' && sender == Sender::server;
}

// What follows a chunk's size or an extension: another extension, or the end of the line.
bool step_over_end(ByChunks& chunk, char c, Sender sender, bool may_end) {
  using enum ChunkPosition;
  if (c == ';') {
    chunk.position = sender == Sender::client ? name_first : extension;
    return true;
  }
  if (c != '\r' || !may_end) return false;
  chunk.position = size_lf;
  return true;
}

// chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] ), after the first ";". The value is a token
// or a quoted-string (RFC 9112 §7.1.1).
bool step_in_extension(ByChunks& chunk, char c) {
  using enum ChunkPosition;
  const bool is_text = c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != 0x7f);
  switch (chunk.position) {
    case name_first:
    case name:
      if (is_token_char(c)) {
        chunk.position = name;
        return true;
      }
      if (chunk.position == name_first) return is_blank(c);
      [[fallthrough]];
    case after_name:
      if (c == '=') {
        chunk.position = value_first;
        return true;
      }
      if (is_blank(c)) {
        chunk.position = after_name;
        return true;
      }
      return step_over_end(chunk, c, Sender::client, chunk.position == name);
    case value_first:
      if (is_blank(c)) return true;
      if (c != '"' && !is_token_char(c)) return false;
      chunk.position = c == '"' ? quoted : value;
      return true;
    case quoted:
      if (!is_text) return false;
      if (c == '"') chunk.position = quoted_end;
      if (c == '\\') chunk.position = escaped;
      return true;
    case escaped:
      if (is_text) chunk.position = quoted;
      return is_text;
    case value:
      if (is_token_char(c)) return true;
      [[fallthrough]];
    case quoted_end:
    case after_value:
      if (is_blank(c)) {
        chunk.position = after_value;
        return true;
      }
      return step_over_end(chunk, c, Sender::client, chunk.position != after_value);
    default:
      return false;
  }
}

// Steps over one byte of chunk framing. False: the byte is not allowed here, and nothing has changed.
bool step(ByChunks& chunk, char c, Sender sender) {
  using enum ChunkPosition;
  const bool in_size_line = is_in_size_line(chunk.position);
  if (in_size_line && chunk.line_bytes == chunk_line_bytes_max) return false;
  switch (chunk.position) {
    case size_first:
    case size: {
      const int digit = hex_value(c);
      if (digit >= 0) {
        if (chunk.line_bytes == size_digits_max || chunk.remaining > (length_max >> 4)) return false;
        chunk.remaining = chunk.remaining << 4 | static_cast<std::uint64_t>(digit);
        chunk.position = size;
      } else if (chunk.position == size_first) {
        return false;
      } else if (is_blank(c)) {
        chunk.position = after_size;
      } else if (!step_over_end(chunk, c, sender, true)) {
        return false;
      }
      break;
    }
    case after_size:
      if (!is_blank(c) && !step_over_end(chunk, c, sender, sender == Sender::server)) return false;
      break;
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
    default:
      if (!step_in_extension(chunk, c)) return false;
  }
  if (in_size_line) ++chunk.line_bytes;
  return true;
}

void skip_data(ByChunks& chunk, std::uint64_t bytes) {
  chunk.remaining -= bytes;
  if (chunk.remaining == 0) chunk.position = ChunkPosition::data_cr;
}

BodyPiece consume_chunks(ByChunks& chunk, std::string_view input, Sender sender) {
  if (chunk.position == ChunkPosition::data) {
    const std::size_t bytes = std::min<std::uint64_t>(chunk.remaining, input.size());
    skip_data(chunk, bytes);
    return {bytes, true, BodyStatus::more};
  }
  BodyPiece piece;
  while (chunk.position != ChunkPosition::data && chunk.position != ChunkPosition::trailers) {
    if (piece.bytes == input.size()) return piece;
    const char c = input[piece.bytes];
    const bool dropped = is_dropped(chunk.position, c, sender);
    if (piece.bytes != 0 && dropped != piece.dropped) return piece;
    if (!step(chunk, c, sender)) {
      piece.status = BodyStatus::malformed;
      return piece;
    }
    piece.dropped = dropped;
    ++piece.bytes;
  }
  if (chunk.position == ChunkPosition::trailers) piece.status = BodyStatus::trailers;
  return piece;
}

}  // namespace

BodyPiece consume_body(BodyFraming& framing, std::string_view input, Sender sender) {
  if (auto* const chunk = std::get_if<ByChunks>(&framing)) return consume_chunks(*chunk, input, sender);
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

std::uint64_t content_ahead(const BodyFraming& framing) {
  if (const auto* const chunk = std::get_if<ByChunks>(&framing)) {
    return chunk->position == ChunkPosition::data ? chunk->remaining : 0;
  }
  if (const auto* const length = std::get_if<ByLength>(&framing)) return length->remaining;
  return std::holds_alternative<UntilClose>(framing) ? std::numeric_limits<std::uint64_t>::max() : 0;
}

void skip_content(BodyFraming& framing, std::uint64_t bytes) {
  if (auto* const chunk = std::get_if<ByChunks>(&framing)) {
    skip_data(*chunk, bytes);
  } else if (auto* const length = std::get_if<ByLength>(&framing)) {
    length->remaining -= bytes;
    if (length->remaining == 0) framing.emplace<NoBody>();  // the body has ended
  }
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
