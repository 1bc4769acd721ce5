// `baton check`.
#pragma once

#include <optional>
#include <string>

#include "config/load.hpp"

namespace baton::check {

struct Command {
  bool print = false;   // the whole effective configuration; warnings are looked for only if they count
  bool strict = false;  // a warning is a failure
  std::optional<std::string> explain;  // which route a request for this URL takes, and nothing else
};

// The exit code. What is wrong goes to standard error, a line for each problem or warning.
int run(const std::string& path, const Command& command, config::Environment environment);

}  // namespace baton::check
