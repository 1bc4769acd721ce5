// Starting a successor: the same arguments, working directory and environment, one end of the channel, and nothing
// else of ours.
#pragma once

#include <sys/types.h>

#include <expected>
#include <string>
#include <vector>

#include "handoff/unique_fd.hpp"

namespace baton::process {

// The environment variable that names the channel's descriptor. Part of the wire format: it never changes.
inline constexpr const char* handoff_variable = "BATON_HANDOFF";

struct Spawned {
  pid_t pid = 0;
  handoff::UniqueFd channel;       // our end
};

// The path is resolved anew: what is on disk now is what starts. An error is a text for people.
std::expected<Spawned, std::string> spawn_successor(const std::vector<std::string>& arguments);

// The channel's descriptor if somebody started us as a successor. The variable is removed.
handoff::UniqueFd take_inherited_channel();

// How the process ended, in words: "exited with code 1", "was killed by signal 9".
std::string describe_exit(int wait_status);

}  // namespace baton::process
