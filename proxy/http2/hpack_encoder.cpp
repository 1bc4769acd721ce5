#include "proxy/http2/hpack_encoder.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "proxy/http2/hpack_static.hpp"

namespace baton::http2 {

namespace {

// ── Names of the static table ─────────────────────────────────────────────────────────────────────────────────────

constexpr unsigned as_lower(char c) {
  return static_cast<unsigned char>(c) | 0x20U;
}

// The factors were found by trial: no two names of the static table have the same place.
constexpr std::size_t places_count = 128;
constexpr std::size_t place_of(std::string_view name) {
  const std::size_t size = name.size();
  return (size * 60 + as_lower(name[0]) * 16 + as_lower(name[size - 1]) * 45 + as_lower(name[size / 2]) * 17) %
         places_count;
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
    return std::ranges::equal(name, known,
                              [](char one, char other) { return static_cast<char>(as_lower(one)) == other; });
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

constexpr unsigned char indexed = 0x80, without_indexing = 0x00, never_indexed = 0x10;

// An integer with a prefix of so many bits; the bits above it are `pattern`.
char* put_integer(char* at, unsigned char pattern, unsigned prefix_bits, std::size_t value) {
  const std::size_t prefix_max = (std::size_t{1} << prefix_bits) - 1;
  if (value < prefix_max) return *at = static_cast<char>(pattern | value), at + 1;
  *at++ = static_cast<char>(pattern | prefix_max);
  for (value -= prefix_max; value >= 0x80; value >>= 7) *at++ = static_cast<char>(0x80 | (value & 0x7f));
  *at = static_cast<char>(value);
  return at + 1;
}

char* put_string(char* at, std::string_view text) {
  at = put_integer(at, 0, 7, text.size());
  return std::ranges::copy(text, at).out;
}

// Eight bytes with their ASCII letters in lower case.
constexpr std::uint64_t lower(std::uint64_t eight) {
  constexpr std::uint64_t ones = 0x0101'0101'0101'0101;
  const std::uint64_t low_bits = eight & (0x7f * ones);
  const std::uint64_t from_a = low_bits + (0x80 - 'A') * ones;  // the highest bit of a byte: it is 'A' or above
  const std::uint64_t beyond_z = low_bits + (0x7f - 'Z') * ones;
  return eight | ((from_a & ~beyond_z & ~eight & (0x80 * ones)) >> 2);
}

char* put_lower(char* at, std::string_view text) {
  at = put_integer(at, 0, 7, text.size());
  std::uint64_t eight;
  for (; text.size() >= sizeof eight; text.remove_prefix(sizeof eight), at += sizeof eight) {
    std::memcpy(&eight, text.data(), sizeof eight);
    eight = lower(eight);
    std::memcpy(at, &eight, sizeof eight);
  }
  for (const char c : text) *at++ = c >= 'A' && c <= 'Z' ? static_cast<char>(as_lower(c)) : c;
  return at;
}

void append(state::Buffer& out, unsigned name_index, std::string_view name, std::string_view value, bool sensitive) {
  char* const begin = out.prepare(field_bytes_max(name.size(), value.size()));
  char* at = begin;
  const unsigned whole = sensitive || name_index == 0 ? 0 : static_field(name_index, value);
  if (whole != 0) {
    *at++ = static_cast<char>(indexed | whole);
  } else {
    at = put_integer(at, sensitive ? never_indexed : without_indexing, 4, name_index);
    if (name_index == 0) at = put_lower(at, name);
    at = put_string(at, value);
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
