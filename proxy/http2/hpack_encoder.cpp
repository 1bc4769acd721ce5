#include "proxy/http2/hpack_encoder.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "proxy/http2/hpack_static.hpp"
#include "proxy/http2/huffman.hpp"

namespace baton::http2 {

namespace {

// ── Names of the static table ─────────────────────────────────────────────────────────────────────────────────────

constexpr unsigned lower(char c) {
  return static_cast<unsigned char>(c) | 0x20U;
}

// The factors were found by trial: no two names of the static table have the same place.
constexpr std::size_t places_count = 128;
constexpr std::size_t place_of(std::string_view name) {
  const std::size_t size = name.size();
  return (size * 60 + lower(name[0]) * 16 + lower(name[size - 1]) * 45 + lower(name[size / 2]) * 17) % places_count;
}

// The first index of the name that may have this place; 0: there is none.
constexpr std::array<std::uint8_t, places_count> places = [] {
  std::array<std::uint8_t, places_count> made{};
  for (std::uint8_t index = 1; index <= static_fields_count; ++index) {
    const std::string_view name = static_fields[index].name;
    if (name == static_fields[index - 1U].name) continue;
    std::uint8_t& place = made[place_of(name)];
    if (place != 0) throw "two names have the same place";
    place = index;
  }
  return made;
}();

template <class Number>
bool same_letters(const char* name, const char* known) {
  constexpr Number case_bits = static_cast<Number>(0x2020202020202020);
  Number one, other;
  std::memcpy(&one, name, sizeof one);
  std::memcpy(&other, known, sizeof other);
  return (one | case_bits) == other;
}

// Whether `name`, in any case, is `known`. Of the characters of tokens, only letters change by the bit.
bool same_name(std::string_view name, std::string_view known) {
  const std::size_t size = name.size();
  if (size != known.size()) return false;
  const auto same = [&]<class Number>(Number, std::size_t at) {
    return same_letters<Number>(name.data() + at, known.data() + at);
  };
  if (size < sizeof(std::uint32_t)) {
    return std::ranges::equal(name, known, [](char one, char other) { return static_cast<char>(lower(one)) == other; });
  }
  if (size < sizeof(std::uint64_t)) return same(std::uint32_t{}, 0) && same(std::uint32_t{}, size - 4);
  for (std::size_t at = 0; at + 8 < size; at += 8) {
    if (!same(std::uint64_t{}, at)) return false;
  }
  return same(std::uint64_t{}, size - 8);
}

unsigned static_name(std::string_view name) {
  if (name.empty()) return 0;
  const unsigned index = places[place_of(name)];
  return same_name(name, static_fields[index].name) ? index : 0;
}

// The last index that has the same name.
constexpr std::array<std::uint8_t, static_fields_count + 1> last_of_name = [] {
  std::array<std::uint8_t, static_fields_count + 1> made{};
  for (std::uint8_t index = static_fields_count; index != 0; --index) {
    const bool is_last = index == static_fields_count || static_fields[index].name != static_fields[index + 1U].name;
    made[index] = is_last ? index : made[index + 1U];
  }
  return made;
}();

// The index of the whole field, if its name begins at `index`; 0: it is not there.
unsigned static_field(unsigned index, std::string_view value) {
  for (const unsigned last = last_of_name[index]; index <= last; ++index) {
    if (static_fields[index].value == value) return index;
  }
  return 0;
}

// ── Representations (RFC 7541 §5 and §6) ──────────────────────────────────────────────────────────────────────────

constexpr unsigned char indexed = 0x80, without_indexing = 0x00, never_indexed = 0x10, huffman = 0x80;

constexpr std::size_t integer_bytes_max = 11;

// An integer with a prefix of so many bits; the bits above it are `pattern`.
char* put_integer(char* at, unsigned char pattern, unsigned prefix_bits, std::size_t value) {
  const std::size_t prefix_max = (std::size_t{1} << prefix_bits) - 1;
  if (value < prefix_max) return *at = static_cast<char>(pattern | value), at + 1;
  *at++ = static_cast<char>(pattern | prefix_max);
  for (value -= prefix_max; value >= 0x80; value >>= 7) *at++ = static_cast<char>(0x80 | (value & 0x7f));
  *at = static_cast<char>(value);
  return at + 1;
}

char* copy_lower(std::string_view text, char* out) {
  return std::ranges::transform(text, out,
                                [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(lower(c)) : c; })
      .out;
}
char* copy_as_is(std::string_view text, char* out) {
  return std::ranges::copy(text, out).out;
}

using Encode = char*(std::string_view, char*);
using Copy = char*(std::string_view, char*);

// The code stays where it is written if its length takes one byte, as that of nearly every string does.
template <Encode* encode, Copy* copy>
char* put_string(char* at, std::string_view text) {
  constexpr std::size_t short_max = 126;
  char* const begin = at + 1;
  char* const end = encode(text, begin);
  if (end == nullptr) return copy(text, put_integer(at, 0, 7, text.size()));
  const auto bytes = static_cast<std::size_t>(end - begin);
  if (bytes <= short_max) [[likely]]
    return *at = static_cast<char>(huffman | bytes), end;
  char integer[integer_bytes_max];
  const auto integer_bytes = static_cast<std::size_t>(put_integer(integer, huffman, 7, bytes) - integer);
  std::memmove(at + integer_bytes, begin, bytes);
  std::memcpy(at, integer, integer_bytes);
  return at + integer_bytes + bytes;
}

void append(state::Buffer& out, unsigned name_index, std::string_view name, std::string_view value, bool sensitive) {
  char* const begin = out.prepare(field_bytes_max(name.size(), value.size()));
  char* at = begin;
  const unsigned whole = sensitive || name_index == 0 ? 0 : static_field(name_index, value);
  if (whole != 0) {
    *at++ = static_cast<char>(indexed | whole);
  } else {
    at = put_integer(at, sensitive ? never_indexed : without_indexing, 4, name_index);
    if (name_index == 0) at = put_string<encode_huffman_lower, copy_lower>(at, name);
    at = put_string<encode_huffman, copy_as_is>(at, value);
  }
  out.commit(static_cast<std::size_t>(at - begin));
}

}  // namespace

void append_status(state::Buffer& out, std::uint16_t status) {
  const char digits[] = {static_cast<char>('0' + status / 100 % 10), static_cast<char>('0' + status / 10 % 10),
                         static_cast<char>('0' + status % 10)};
  append_pseudo(out, PseudoField::status, {digits, sizeof digits});
}

void append_pseudo(state::Buffer& out, PseudoField name, std::string_view value) {
  append(out, static_cast<unsigned>(name), {}, value, false);
}

void append_field(state::Buffer& out, std::string_view name, std::string_view value, bool sensitive) {
  append(out, static_name(name), name, value, sensitive);
}

}  // namespace baton::http2
