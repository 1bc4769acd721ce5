// Walking along a message body without decoding it (RFC 9112 §6, §7.1). No I/O: bytes in, how far they go out.
#pragma once

#include <cstddef>
#include <string_view>

#include "proxy/http1/sender.hpp"
#include "proxy/state/framing.hpp"

namespace baton::http1 {

// A chunk's size line, with extensions, may be at most this long; more is malformed.
inline constexpr std::size_t chunk_line_bytes_max = 1024;

enum class BodyStatus {
  more,        // the piece is not the last; more input is needed, or more of what was given can be consumed
  ended,       // the body is over with this piece; the framing is now NoBody
  trailers,    // the next byte belongs to the trailer section, which the caller reads as a whole (find_trailers_end)
  malformed,   // the next byte cannot stand here; `bytes` says how many before it were good
};

// A run of bytes at the front of the input that are of one kind.
struct BodyPiece {
  std::size_t bytes = 0;
  bool payload = false;      // content, not chunk framing
  BodyStatus status = BodyStatus::more;
  // Goes no further: blanks in a chunk's size line (RFC 9112 §7.1.1), and extensions of servers, which are not held to
  // their grammar.
  bool dropped = false;
};

// Advances `framing` over the next run in `input`. An empty piece with `more` means: the input is used up.
// With NoBody it answers {0, false, ended}; with UntilClose everything is payload and it never ends by itself.
BodyPiece consume_body(state::BodyFraming& framing, std::string_view input, Sender sender);

// The length of a whole trailer section at the front of `input`, its empty line included: 2 for none.
// 0: not all of it is here yet. npos: malformed (a bare LF or CR, see head.hpp).
std::size_t find_trailers_end(std::string_view input);

}  // namespace baton::http1
