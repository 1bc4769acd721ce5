// For tests: the keys present in a YAML text.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "config/tree.hpp"

namespace baton::config {

// The operator chooses the keys of these mappings.
inline const std::set<std::string> free_mappings{"routes.request_headers.set", "routes.request_headers.add",
                                                 "routes.response_headers.set", "routes.response_headers.add"};

inline void collect_paths(const Node& node, const std::string& prefix, std::set<std::string>& paths) {
  if (const auto* list = std::get_if<Node::List>(&node.value)) {
    for (const Node& item : *list) collect_paths(item, prefix, paths);
  } else if (const auto* map = std::get_if<Node::Map>(&node.value)) {
    for (const Entry& entry : *map) {
      paths.insert(prefix + entry.key);
      if (!free_mappings.contains(prefix + entry.key)) collect_paths(entry.value, prefix + entry.key + ".", paths);
    }
  }
}

// As `KnownKey::path` writes them: "listeners.bind".
inline std::set<std::string> paths_of(std::string_view yaml) {
  std::set<std::string> paths;
  const Tree tree = parse_tree(yaml, "f");
  if (tree.root) collect_paths(*tree.root, "", paths);
  return paths;
}

}  // namespace baton::config
