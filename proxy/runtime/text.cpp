#include "proxy/runtime/text.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <ctime>

namespace baton::runtime {

namespace {

constexpr std::string_view replacement_character = "\xEF\xBF\xBD";

// Calls `on_character` with each character of the text, or with the replacement character.
template <class OnCharacter>
void for_each_character(std::string_view bytes, OnCharacter on_character) {
  while (!bytes.empty()) {
    const std::size_t length = utf8_character_bytes(bytes);
    on_character(length == 0 ? replacement_character : bytes.substr(0, length));
    bytes.remove_prefix(length == 0 ? 1 : length);
  }
}

void append_json_character(std::string& out, std::string_view character) {
  const auto first = static_cast<std::uint8_t>(character.front());
  const auto second = static_cast<std::uint8_t>(character.size() > 1 ? character[1] : 0);
  if (first == '"' || first == '\\') {
    out += '\\';
    out += character;
  } else if (first < 0x20 || first == 0x7F) {
    out += fmt::format("\\u{:04x}", first);
  } else if (first == 0xC2 && second < 0xA0) {
    out += fmt::format("\\u{:04x}", second);
  } else if (character == "\u2028" || character == "\u2029") {
    out += character == "\u2028" ? "\\u2028" : "\\u2029";
  } else {
    out += character;
  }
}

}  // namespace

std::size_t utf8_character_bytes(std::string_view bytes) {
  const auto at = [bytes](std::size_t i) { return i < bytes.size() ? static_cast<std::uint8_t>(bytes[i]) : 0; };
  const auto within = [at](std::size_t i, int lowest, int highest) { return at(i) >= lowest && at(i) <= highest; };
  if (bytes.empty()) return 0;
  if (within(0, 0x00, 0x7F)) return 1;
  if (within(0, 0xC2, 0xDF)) return within(1, 0x80, 0xBF) ? 2 : 0;
  // The second byte is limited where the character would be overlong, a surrogate, or beyond U+10FFFF.
  if (within(0, 0xE0, 0xEF)) {
    const bool second = within(1, at(0) == 0xE0 ? 0xA0 : 0x80, at(0) == 0xED ? 0x9F : 0xBF);
    return second && within(2, 0x80, 0xBF) ? 3 : 0;
  }
  if (within(0, 0xF0, 0xF4)) {
    const bool second = within(1, at(0) == 0xF0 ? 0x90 : 0x80, at(0) == 0xF4 ? 0x8F : 0xBF);
    return second && within(2, 0x80, 0xBF) && within(3, 0x80, 0xBF) ? 4 : 0;
  }
  return 0;
}

std::string valid_utf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for_each_character(bytes, [&](std::string_view character) { out += character; });
  return out;
}

void append_json_string(std::string& out, std::string_view bytes) {
  out += '"';
  for_each_character(bytes, [&](std::string_view character) { append_json_character(out, character); });
  out += '"';
}

void append_json_string(std::string& out, std::string_view bytes, std::size_t out_bytes_max) {
  static constexpr std::string_view cut = "...\"";
  const std::size_t begin = out.size();
  append_json_string(out, bytes);
  if (out.size() <= out_bytes_max) return;
  out.resize(begin);
  out += '"';
  for (std::size_t whole = out.size(); !bytes.empty(); whole = out.size()) {
    const std::size_t length = utf8_character_bytes(bytes);
    append_json_character(out, length == 0 ? replacement_character : bytes.substr(0, length));
    bytes.remove_prefix(length == 0 ? 1 : length);
    if (out.size() + cut.size() <= out_bytes_max) continue;
    out.resize(whole);
    break;
  }
  out += cut;
}

std::string utc_text(std::int64_t unix_s) {
  const std::time_t time = unix_s;
  std::tm utc{};
  if (::gmtime_r(&time, &utc) == nullptr) return {};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec);
}

}  // namespace baton::runtime
