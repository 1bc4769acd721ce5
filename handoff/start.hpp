// Starts a program with the given arguments, our working directory and environment, and only those of our descriptors
// that `Program` names.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "handoff/result.hpp"
#include "handoff/unique_fd.hpp"

namespace baton::handoff {

// The environment variables that name a descriptor. Part of the wire format: names and meanings never change.
inline constexpr const char* channel_variable = "BATON_HANDOFF";
inline constexpr const char* supervisor_variable = "BATON_SUPERVISOR";         // the supervising parent's socket
inline constexpr const char* configuration_variable = "BATON_CONFIGURATION";   // a configuration instead of the file

// A descriptor passed to the program, and the variable that tells it the number.
struct LeftDescriptor {
  std::string variable;
  int descriptor = -1;                             // stays the caller's
};

struct Program {
  std::vector<std::string> arguments;              // the first is the path, looked up as by a shell
  int executable = -1;                             // a descriptor to execute instead; stays the caller's
  std::optional<std::string> configuration;        // the text, instead of the file that the arguments name
  std::vector<LeftDescriptor> descriptors;
  std::vector<int> kept = {};                      // more descriptors it gets, with the same numbers
  std::vector<std::string> environment = {};       // "NAME=value", added to ours
  bool own_group = false;                          // it leads a process group of its own
};

// The path is resolved again, so what is on disk now is started. Signals are unblocked and have their default actions.
Result<pid_t> start(const Program& program);

// Replaces this process by the program, keeping PID, children and blocked signals. Returns only on failure.
Error become(const Program& program);

struct Started {
  pid_t pid = 0;
  UniqueFd channel;                // our end
};

// Like `start`, and also passes the other end of a new channel.
Result<Started> start_successor(Program program);

// The descriptor that `variable` names; removes the variable. Empty: it names none beyond the standard ones.
std::optional<int> take_left_descriptor(const char* variable);
// The channel, if this process was started as a successor.
UniqueFd take_channel();
// The text of the configuration, if this process was given one.
std::optional<std::string> take_configuration();

// How the process ended, in words: "exited with code 1", "was killed by signal 9".
std::string describe_exit(int wait_status);

}  // namespace baton::handoff
