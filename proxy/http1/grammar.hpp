// Characters, words and lists of the HTTP grammar (RFC 9110 §5.6), for the files of this folder.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace baton::http1 {

// Above this, peers that count in a signed 64-bit integer would read a different length.
inline constexpr std::uint64_t length_max = INT64_MAX;

// plain: letters, digits and the hyphen, which make up nearly all field names.
enum CharClass : std::uint8_t { token_class = 1, host_class = 2, plain_class = 4 };

inline constexpr auto char_classes = [] {
  std::array<std::uint8_t, 256> classes{};
  const auto add = [&classes](std::string_view characters, CharClass which) {
    for (const char c : characters) classes[static_cast<unsigned char>(c)] |= which;
  };
  constexpr std::string_view alphanumeric = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  add(alphanumeric, token_class);
  add("!#$%&'*+-.^_`|~", token_class);
  // RFC 3986 §3.2.2 without the comma, which two neighbours could take for a list of two hosts. The percent sign is
  // read together with its digits.
  add(alphanumeric, host_class);
  add("-._~!$&'()*+;=", host_class);
  add(alphanumeric, plain_class);
  add("-", plain_class);
  return classes;
}();

inline bool is_token_char(char c) {
  return (char_classes[static_cast<unsigned char>(c)] & token_class) != 0;
}
inline bool is_host_char(char c) {
  return (char_classes[static_cast<unsigned char>(c)] & host_class) != 0;
}
// Behind a run of them.
inline const char* skip_host_chars(const char* p, const char* end) {
  const auto classes = [](char c) { return char_classes[static_cast<unsigned char>(c)]; };
  while (end - p >= 4 && (classes(p[0]) & classes(p[1]) & classes(p[2]) & classes(p[3]) & host_class) != 0) p += 4;
  while (p != end && is_host_char(*p)) ++p;
  return p;
}
inline bool is_plain_char(char c) {
  return (char_classes[static_cast<unsigned char>(c)] & plain_class) != 0;
}
inline bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
inline bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

// The value of a hexadecimal digit, or -1.
inline int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

template <typename Word>
Word load(const char* bytes) {
  Word word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

// A word of lowercase letters, digits, hyphens and slashes, known at compile time.
template <std::size_t size_with_nul>
struct Lowercase {
  static constexpr std::size_t size = size_with_nul - 1;
  char text[size_with_nul];

  consteval Lowercase(const char (&literal)[size_with_nul]) {
    for (std::size_t i = 0; i < size_with_nul; ++i) {
      const char c = literal[i];
      const bool fits = i == size || c == '-' || (c >= '/' && c <= '9') || (c >= 'a' && c <= 'z');
      if (!fits) throw "not a lowercase word";
      text[i] = c;
    }
  }
};

// Whether the token at `token`, which is as long as `word`, equals it ignoring case. Setting bit 0x20 lowercases
// letters and leaves digits, hyphen and slash unchanged; only a control character, which no token has, could be
// mistaken for those.
template <Lowercase word>
bool same_token(const char* token) {
  using Word = std::conditional_t<(word.size >= 8), std::uint64_t,
                                  std::conditional_t<(word.size >= 4), std::uint32_t, std::uint16_t>>;
  static_assert(word.size >= sizeof(Word) && word.size <= 4 * sizeof(Word));
  constexpr Word bit_0x20 = static_cast<Word>(0x2020202020202020U);
  const auto difference = [token](std::size_t at) {
    return static_cast<Word>((load<Word>(token + at) | bit_0x20) ^ load<Word>(word.text + at));
  };
  Word differences = difference(0);
  if constexpr (word.size > 2 * sizeof(Word)) differences |= difference(sizeof(Word));
  if constexpr (word.size > 3 * sizeof(Word)) differences |= difference(2 * sizeof(Word));
  if constexpr (word.size > sizeof(Word)) differences |= difference(word.size - sizeof(Word));
  return differences == 0;
}

template <Lowercase word>
bool is_token(std::string_view token) {
  return token.size() == word.size && same_token<word>(token.data());
}

// Takes the next element from the front of a comma-separated list, without surrounding blanks. Skips empty elements
// (RFC 9110 §5.6.1.2); a comma inside a quoted string (§5.6.4) does not separate. False: the list has ended.
inline bool next_element(std::string_view& list, std::string_view& element) {
  const char* p = list.data();
  const char* const end = p + list.size();
  while (p != end && (*p == ',' || is_blank(*p))) ++p;
  const char* const first = p;
  for (bool quoted = false; p != end && (quoted || *p != ','); ++p) {
    if (*p == '"') quoted = !quoted;
    if (quoted && *p == '\\' && p + 1 != end) ++p;
  }
  const char* last = p;
  while (last != first && is_blank(last[-1])) --last;
  element = {first, static_cast<std::size_t>(last - first)};
  list = {p, static_cast<std::size_t>(end - p)};
  return !element.empty();
}

// The same for a list of tokens. False: the list has ended and is empty, or the next element, which is left in it, is
// not a token.
inline bool next_token(std::string_view& list, std::string_view& token) {
  std::string_view rest = list;
  const bool found = next_element(rest, token);
  for (const char c : token) {
    if (!is_token_char(c)) return false;
  }
  list = rest;
  return found;
}

}  // namespace baton::http1
