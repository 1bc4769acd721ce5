// A mapping as a table of keys, and the readers that most keys need.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/later.hpp"
#include "config/reader.hpp"

namespace baton::config {

template <class Target>
struct Key {
  std::string_view name;
  void (*read)(Reader&, const Node&, Target&);
  bool required = false;
};

// A key that stands only in the section of the same name at the top level, and why.
struct GlobalKey {
  std::string_view name;
  std::string_view why;
};

// One kind of mapping: its place in the file, its name in messages, and its keys.
template <class Target>
struct Section {
  std::string_view path;
  std::string_view place;
  std::span<const Key<Target>> keys;
  // The mapping probably meant by a text in its place; empty: unclear.
  std::string (*meant_by)(std::string_view text) = nullptr;
  std::span<const GlobalKey> global = {};
};

struct KnownKey {
  std::string path;  // "listeners.bind"
};

inline std::string path_of(std::string_view section, std::string_view key) {
  return fmt::format("{}{}{}", section, section.empty() ? "" : ".", key);
}

template <class Target>
void add_keys(std::vector<KnownKey>& known, const Section<Target>& section) {
  for (const Key<Target>& key : section.keys) {
    known.push_back({path_of(section.path, key.name)});
  }
}

template <class Target>
std::vector<std::string_view> names_of(std::span<const Key<Target>> keys) {
  std::vector<std::string_view> names;
  for (const Key<Target>& key : keys) names.push_back(key.name);
  return names;
}

// The values of misspelt keys, by the key probably meant.
using Misspelt = std::map<std::string_view, const Node*>;

template <class Target>
Misspelt refuse_unknown_keys(Reader& reader, const Node::Map& map, const Section<Target>& section) {
  Misspelt misspelt;
  const auto known = names_of(section.keys);
  for (const Entry& entry : map) {
    if (std::ranges::find(known, entry.key) != known.end()) continue;
    if (std::ranges::find(later_keys, path_of(section.path, entry.key)) != std::end(later_keys)) {
      reader.refuse_unsupported_key(entry, section.place);
    } else if (const auto only = std::ranges::find(section.global, entry.key, &GlobalKey::name);
               only != section.global.end()) {
      reader.refuse_global_key(entry, section.place, only->why);
    } else if (const auto meant = reader.refuse_unknown_key(entry, section.place, known)) {
      misspelt.emplace(*meant, &entry.value);
    }
  }
  return misspelt;
}

// Reads the keys in table order, whatever their order in the file, so a reader may use the values of keys before it in
// the table. The value of a misspelt key is read as if the key were spelt right, so that its mistakes are reported
// together with the others; if there is none, the key is mistake enough. Returns whether the whole mapping was free of
// problems.
template <class Target>
bool read_section(Reader& reader, const Node& node, const Section<Target>& section, Target& target) {
  const std::size_t problems_before = reader.problem_count();
  const Node::Map* map = as_map(node);
  if (!map) {
    const auto* text = std::get_if<std::string>(&node.value);
    reader.refuse_no_map(node, names_of(section.keys), text && section.meant_by ? section.meant_by(*text) : "");
    return false;
  }
  const Misspelt misspelt = refuse_unknown_keys(reader, *map, section);
  for (const Key<Target>& key : section.keys) {
    const auto entry = std::ranges::find(*map, key.name, &Entry::key);
    const auto other = misspelt.find(key.name);
    if (entry == map->end() && other == misspelt.end()) {
      if (key.required) reader.refuse_missing_key(node, section.place, key.name);
      continue;
    }
    const Node& value = entry != map->end() ? entry->value : *other->second;
    if (entry == map->end() && std::holds_alternative<std::monostate>(value.value)) continue;
    const Reader::UnderKey under_key(reader, key.name);
    key.read(reader, value, target);
  }
  return reader.problem_count() == problems_before;
}

// Bounds of keys that stand in several sections.
inline constexpr std::uint64_t longest_ms = 365ULL * 24 * 3600 * 1000;
inline constexpr Bounds any_time{.least = 0, .most = longest_ms};
inline constexpr Bounds some_time{.least = 1, .most = longest_ms};
inline constexpr Bounds body_bytes_bounds{1, 1024 * 1024 * gibi, true};
inline constexpr Bounds buffer_bytes_bounds{4 * kibi, buffer_bytes_max};

// Readers for one member each.

template <auto member, Bounds bounds, class Target>
void read_duration(Reader& reader, const Node& node, Target& target) {
  if (const auto text = reader.text(node)) reader.assign(target.*member, node, parse_duration(*text, bounds));
}

template <auto member, Bounds bounds, class Target>
void read_size(Reader& reader, const Node& node, Target& target) {
  if (const auto text = reader.text(node)) reader.assign(target.*member, node, parse_size(*text, bounds));
}

template <auto member, Bounds bounds, class Target>
void read_count(Reader& reader, const Node& node, Target& target) {
  if (const auto text = reader.text(node)) reader.assign(target.*member, node, parse_count(*text, bounds));
}

template <auto member, Bounds bounds, class Target>
void read_count_or_auto(Reader& reader, const Node& node, Target& target) {
  if (const auto text = reader.text_unless_auto(node)) reader.assign(target.*member, node, parse_count(*text, bounds));
}

template <auto member, const auto& names, class Target>
void read_choice(Reader& reader, const Node& node, Target& target) {
  if (const auto chosen = reader.choice(node, names)) target.*member = *chosen;
}

template <auto member, class Target>
void read_file(Reader& reader, const Node& node, Target& target) {
  if (auto file = reader.file(node)) target.*member = *std::move(file);
}

template <auto member, class Target>
void read_file_or_auto(Reader& reader, const Node& node, Target& target) {
  if (auto file = reader.file_unless_auto(node)) target.*member = *std::move(file);
}

}  // namespace baton::config
