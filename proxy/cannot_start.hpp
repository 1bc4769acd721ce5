// How a process that cannot start says why: to the operator, and to the predecessor that waits for it.
#pragma once

#include <string>

#include "handoff/unique_fd.hpp"

namespace baton {

// Our predecessor, if any.
struct Predecessor {
  handoff::UniqueFd channel;
  bool is_met = false;  // we connected to its handoff socket; otherwise it started us
};

enum class Told { in_plain_lines, in_the_log };

// Returns the exit code.
int cannot_start(const std::string& version, const std::string& why, Predecessor predecessor, Told told);

}  // namespace baton
