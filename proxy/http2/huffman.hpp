// HPACK's Huffman code for strings (RFC 7541 §5.2 and appendix B). We only read it.
#pragma once

#include <cstddef>
#include <string_view>

namespace baton::http2 {

// The most bytes that a string stands for if it takes so many as Huffman code: no symbol has less than 5 bits.
constexpr std::size_t huffman_text_bytes_max(std::size_t code_bytes) {
  return code_bytes * 8 / 5;
}

// Writes what `code` stands for, and returns the end of it; nullptr: the code is invalid (it contains EOS, or its
// padding is longer than 7 bits or not the beginning of EOS). `out` has room for huffman_text_bytes_max plus
// `huffman_slack`.
char* decode_huffman(std::string_view code, char* out);

inline constexpr std::size_t huffman_slack = 8;

}  // namespace baton::http2
