// Names of list entries, by which the rest of the file and the logs refer to them.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "config/reader.hpp"

namespace baton::config {

// Names go into logs, metrics and the handover, so they are kept simple.
Parsed<std::string> parse_name(std::string_view text);

template <auto member, class Target>
void read_name(Reader& reader, const Node& node, Target& target) {
  if (const auto text = reader.text(node)) reader.assign(target.*member, node, parse_name(*text));
}

// Names with the places of their entries.
using NamePlaces = std::map<std::string, Position>;

// Reports, at its position, a name that an earlier entry of the list already has.
void check_unique(Reader& reader, const Node& node, const std::string& name, NamePlaces& places);
// The same for the `name` of an entry. A missing one has already been reported.
void check_name(Reader& reader, const Node& entry, const std::string& name, NamePlaces& places);

}  // namespace baton::config
