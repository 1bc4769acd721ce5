// Writes header blocks (RFC 7541) that any peer can decode, whatever came before: nothing is ever inserted into the
// peer's dynamic table, so the encoder has no state. It need not tell the peer so by a size update, which only lowers
// what an encoder may use; an update is owed only if the peer lowers its limit while the table is in use (§4.2). Strings
// are never Huffman code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/state/buffer.hpp"

namespace baton::http2 {

// The pseudo-fields (RFC 9113 §8.3), by their first index in the static table (RFC 7541 appendix A).
enum class PseudoField : std::uint8_t { authority = 1, method = 2, path = 4, scheme = 6, status = 8 };

// The most bytes that a field of these sizes takes in a block, and a status.
constexpr std::size_t field_bytes_max(std::size_t name_bytes, std::size_t value_bytes) {
  return name_bytes + value_bytes + 40;
}
inline constexpr std::size_t status_bytes_max = field_bytes_max(0, 3);

// Three digits.
void append_status(state::Buffer& out, std::uint16_t status);
void append_pseudo(state::Buffer& out, PseudoField name, std::string_view value);

// The name is a token (RFC 9110 §5.6.2), or a pseudo-field's; it is written in lower case. A sensitive field is marked
// as never to be indexed by anybody on the way (RFC 7541 §7.1.3).
void append_field(state::Buffer& out, std::string_view name, std::string_view value, bool sensitive = false);

}  // namespace baton::http2
