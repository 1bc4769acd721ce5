#include "proxy/http1/request_id.hpp"

#include <algorithm>
#include <span>

namespace baton::http1 {

namespace {

char* write_hex(std::span<const unsigned char> bytes, char* to) {
  static constexpr char digits[] = "0123456789abcdef";
  for (const unsigned char byte : bytes) {
    *to++ = digits[byte >> 4];
    *to++ = digits[byte & 15];
  }
  return to;
}

// All zeros are invalid (W3C Trace Context §3.2.2).
void fill_with_a_bit(std::span<unsigned char> out, RandomBytes& random) {
  do {
    random.fill(out);
  } while (std::ranges::all_of(out, [](unsigned char byte) { return byte == 0; }));
}

}  // namespace

bool is_request_id(std::string_view text) {
  constexpr std::string_view marks = "._~+/=:@-";
  const auto is_good = [marks](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || marks.contains(c);
  };
  return !text.empty() && text.size() <= request_id_bytes_max && std::ranges::all_of(text, is_good);
}

std::array<char, 36> make_request_id(std::int64_t unix_ms, RandomBytes& random) {
  std::array<unsigned char, 16> uuid;
  for (unsigned i = 0; i < 6; ++i) uuid[i] = static_cast<unsigned char>(unix_ms >> (40 - 8 * i));
  random.fill(std::span(uuid).subspan(6));
  uuid[6] = static_cast<unsigned char>((uuid[6] & 0x0f) | 0x70);
  uuid[8] = static_cast<unsigned char>((uuid[8] & 0x3f) | 0x80);
  std::array<char, 36> text;
  char* to = text.data();
  std::size_t at = 0;
  for (const std::size_t bytes : {4, 2, 2, 2, 6}) {
    if (at != 0) *to++ = '-';
    to = write_hex(std::span(uuid).subspan(at, bytes), to);
    at += bytes;
  }
  return text;
}

std::array<char, 55> make_traceparent(RandomBytes& random) {
  std::array<unsigned char, 16> trace;
  std::array<unsigned char, 8> parent;
  fill_with_a_bit(trace, random);
  fill_with_a_bit(parent, random);
  std::array<char, 55> text;
  char* to = std::ranges::copy(std::string_view("00-"), text.data()).out;
  to = write_hex(trace, to);
  *to++ = '-';
  to = write_hex(parent, to);
  std::ranges::copy(std::string_view("-01"), to);
  return text;
}

}  // namespace baton::http1
