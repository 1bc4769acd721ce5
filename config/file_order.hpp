// The order of places in several files.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "config/file.hpp"

namespace baton::config {

// Sorts by file, in the order in which they were read, then by line and column. `files` outlives this.
class FileOrder {
 public:
  explicit FileOrder(const std::vector<std::string>& files) {
    for (const std::string& file : files) order_.emplace(file, order_.size());
  }

  std::tuple<std::size_t, int, int> operator()(const Position& where) const {
    const auto found = order_.find(where.file);
    return {found == order_.end() ? order_.size() : found->second, where.line, where.column};
  }

 private:
  std::map<std::string_view, std::size_t> order_;
};

// How a message at `here` names another place: "line 5", or with the file if that is another one.
std::string other_place(const Position& there, const Position& here);

}  // namespace baton::config
