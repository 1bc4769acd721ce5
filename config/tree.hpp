// YAML as a tree of values with positions. Accepts a subset of YAML, so that a mistake is not read as something else:
// no duplicate keys, no merge keys, no tags, one document.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/load.hpp"

namespace baton::config {

struct Entry;

// Line and column count from 1; columns are bytes. An alias becomes a copy of its anchor.
struct Node {
  using List = std::vector<Node>;
  using Map = std::vector<Entry>;

  std::variant<std::monostate, std::string, List, Map> value;  // nothing: no value, `~` or `null`
  int line = 1;
  int column = 1;
  int file = 0;  // Reader::add_file

  // The value of a key; nullptr if there is none or this is not a mapping.
  const Node* find(std::string_view key) const;
};

struct Entry {
  std::string key;
  int line = 1;
  int column = 1;
  Node value;
};

// How much of a file is read before it is rejected as not being a configuration.
inline constexpr std::size_t depth_max = 32;
inline constexpr std::size_t nodes_max = 500'000;

struct Tree {
  std::optional<Node> root;  // nothing: the text is not YAML
  Problems problems;
  std::size_t nodes = 0;
};

struct TreeOptions {
  int file = 0;  // of each node
  std::size_t nodes_max = config::nodes_max;
};

// `name` replaces the file name in problems. Empty text gives an empty node.
Tree parse_tree(std::string_view yaml, const std::string& name, TreeOptions options = {});

}  // namespace baton::config
