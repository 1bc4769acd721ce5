#include "config/entry_name.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/file_order.hpp"
#include "config/text.hpp"

namespace baton::config {

Parsed<std::string> parse_name(std::string_view text) {
  constexpr std::size_t name_bytes_max = 64;
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  };
  if (!text.empty() && text.size() <= name_bytes_max && std::ranges::all_of(text, is_allowed)) return std::string(text);
  return std::unexpected(quote(text) + " must be 1 to 64 letters, digits, `_`, `-` or `.`");
}

void check_unique(Reader& reader, const Node& node, const std::string& name, NamePlaces& places) {
  const Position here = reader.position(node);
  const auto [seen, is_new] = places.emplace(name, here);
  if (is_new) return;
  reader.report(here, fmt::format("the name `{}` is already taken in {}", name, other_place(seen->second, here)));
}

void check_name(Reader& reader, const Node& entry, const std::string& name, NamePlaces& places) {
  const Node* const node = entry.find("name");
  if (node != nullptr && !name.empty()) check_unique(reader, *node, name, places);
}

}  // namespace baton::config
