// Walks along a message body without decoding it (RFC 9112 §6, §7.1). No I/O: takes bytes, returns a piece's extent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/http1/sender.hpp"
#include "proxy/state/framing.hpp"

namespace baton::http1 {

// The most bytes in a chunk's size line, including extensions; a longer one is malformed.
inline constexpr std::size_t chunk_line_bytes_max = 1024;

enum class BodyStatus {
  more,        // this piece is not the last; more input is needed, or more of the given input can be consumed
  ended,       // the body ends with this piece; the framing is now NoBody
  trailers,    // the next byte belongs to the trailer section, which the caller reads as a whole (find_trailers_end)
  malformed,   // the next byte is not allowed here; `bytes` says how many before it were good
};

// A run of bytes of one kind at the front of the input.
struct BodyPiece {
  std::size_t bytes = 0;
  bool payload = false;      // content, not chunk framing
  BodyStatus status = BodyStatus::more;
  // Not forwarded: blanks in a chunk's size line (RFC 9112 §7.1.1), and extensions from servers, whose grammar is not
  // checked.
  bool dropped = false;
};

// Advances `framing` over the next run in `input`. An empty piece with `more` means that the input is used up. With
// NoBody it returns {0, false, ended}; with UntilClose everything is payload and the body never ends by itself.
BodyPiece consume_body(state::BodyFraming& framing, std::string_view input, Sender sender);

// How many bytes of content come next, whatever they are: 0 where framing does, and UINT64_MAX where the content ends
// with its flow. `skip_content` advances over so many of them at most.
std::uint64_t content_ahead(const state::BodyFraming& framing);
void skip_content(state::BodyFraming& framing, std::uint64_t bytes);

// The length of a whole trailer section at the front of `input`, including its empty line: 2 if it has no fields. 0: it
// is still incomplete. npos: malformed (a bare LF or CR, see head.hpp).
std::size_t find_trailers_end(std::string_view input);

}  // namespace baton::http1
