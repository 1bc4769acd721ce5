// `baton check`.
#pragma once

#include <optional>
#include <string>

#include "config/load.hpp"
#include "proxy/check/explain.hpp"

namespace baton::check {

struct Command {
  bool print = false;   // print the whole effective configuration; warnings are sought only if they count
  bool strict = false;  // a warning is a failure
  std::optional<std::string> explain;  // only tell which route a request for this URL takes
  Asked asked;                         // and what else that request says
};

// Returns the exit code. Problems and warnings go to standard error, one per line.
int run(const std::string& path, const Command& command, config::Environment environment);

}  // namespace baton::check
