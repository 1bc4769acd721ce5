// `include`: further files of a configuration, which add listeners, routes and upstreams.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "config/reader.hpp"
#include "config/tree.hpp"

namespace baton::config {

// How much all files of a configuration may have together.
inline constexpr std::size_t files_max = 1000;
inline constexpr std::size_t all_files_bytes_max = 4 * 1024 * 1024;

// A file of a configuration. `name` stands in messages.
struct Source {
  std::string name;
  std::string text;
  std::string beside = {};  // the file whose folder relative paths begin in; empty: `name` is it
};

// At most one byte more than a configuration may have. The error is why it cannot be read.
std::expected<std::string, std::string> read_source(const std::string& path);

// Appends the entries of the files that `root` includes to its lists, in the order of the patterns and of the names
// that match each, and those of the files that these include. A file is read once, so files may include each other.
// `sources` has the file of `root`, whose tree has `nodes` nodes, and gets the others. Problems go to `reader`.
void add_included(Reader& reader, Node& root, std::size_t nodes, std::vector<Source>& sources);

}  // namespace baton::config
