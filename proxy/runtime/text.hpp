// Text from outside, made safe for what it is written into.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace baton::runtime {

// The length of the UTF-8 character (RFC 3629) at the front of `bytes`; 0 if there is none.
std::size_t utf8_character_bytes(std::string_view bytes);

// The same text with U+FFFD in place of each byte that is not part of a UTF-8 character.
std::string valid_utf8(std::string_view bytes);

// A second since 1970 in the form of RFC 3339: 2026-11-22T09:21:34Z. Empty: the calendar has no such year.
std::string utc_text(std::int64_t unix_s);

// Appends a JSON string (RFC 8259 §7) including quotes; what is not UTF-8 becomes U+FFFD. Control characters of any
// kind, and characters that some readers take for a line end (U+0085, U+2028, U+2029), are escaped.
void append_json_string(std::string& out, std::string_view bytes);
// The same, cut so that `out` has at most `out_bytes_max` bytes; it then ends with `..."`. There must be room for that.
void append_json_string(std::string& out, std::string_view bytes, std::size_t out_bytes_max);

}  // namespace baton::runtime
