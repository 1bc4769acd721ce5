// Where an instance keeps its files.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"

namespace baton::process {

struct Paths {
  std::optional<std::string> handoff_socket;
  std::optional<std::string> lock;              // <handoff_socket>.lock
  std::optional<std::string> pid_file;
  std::vector<config::Address> admin;
  std::string warning;                          // not empty: some paths are missing, and why
};

// The configured paths; by default in /run/baton for root, else in $XDG_RUNTIME_DIR/baton, which is created with mode
// 0700. If that is not writable they stay empty, with a warning.
Paths resolve_paths(const config::Config& config);

}  // namespace baton::process
