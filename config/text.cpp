#include "config/text.hpp"

#include <algorithm>
#include <cstdint>

namespace baton::config {
namespace {

constexpr std::size_t quoted_bytes_max = 64;

// The length of the well-formed UTF-8 sequence at the start of `text` (RFC 3629, section 4), or 0.
std::size_t sequence_bytes(std::string_view text) {
  const auto byte = [text](std::size_t at) -> std::uint8_t { return at < text.size() ? text[at] : 0; };
  const auto is_tail = [&](std::size_t at) { return (byte(at) & 0xc0) == 0x80; };
  const std::uint8_t first = byte(0);
  const std::uint8_t second = byte(1);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return is_tail(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const bool is_overlong = first == 0xe0 && second < 0xa0;
    const bool is_surrogate = first == 0xed && second >= 0xa0;
    return is_tail(1) && is_tail(2) && !is_overlong && !is_surrogate ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool is_overlong = first == 0xf0 && second < 0x90;
    const bool is_beyond_unicode = first == 0xf4 && second >= 0x90;
    return is_tail(1) && is_tail(2) && is_tail(3) && !is_overlong && !is_beyond_unicode ? 4 : 0;
  }
  return 0;
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

bool is_layout(char c) {
  return c == '\t' || c == '\n' || c == '\r';
}

}  // namespace

std::string lowercase(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

bool is_token(std::string_view text) {
  constexpr std::string_view others = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           others.find(c) != std::string_view::npos;
  });
}

std::size_t find_unprintable(std::string_view text, bool one_line) {
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (is_control(c) && (one_line || !is_layout(c))) return at;
    const std::size_t bytes = sequence_bytes(text.substr(at));
    if (bytes == 0) return at;
    at += bytes;
  }
  return std::string_view::npos;
}

std::string quote(std::string_view text) {
  std::string result = "`";
  std::size_t at = 0;
  while (at < text.size() && at < quoted_bytes_max) {
    const std::size_t bytes = sequence_bytes(text.substr(at));
    if (bytes == 0 || is_control(text[at])) {
      result += '?';
      ++at;
    } else {
      result += text.substr(at, bytes);
      at += bytes;
    }
  }
  if (at < text.size()) result += "...";
  return result + "`";
}

}  // namespace baton::config
