// Starting a program: arguments, working directory and environment as ours, the descriptors that variables name, and
// nothing else of ours.
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
inline constexpr const char* supervisor_variable = "BATON_SUPERVISOR";         // the door of the parent that supervises us
inline constexpr const char* configuration_variable = "BATON_CONFIGURATION";   // a configuration instead of the file

// A descriptor that the program gets, and the variable that tells it which.
struct LeftDescriptor {
  std::string variable;
  int descriptor = -1;                             // stays the caller's
};

struct Program {
  std::vector<std::string> arguments;              // the first one is the path, looked up as a shell would
  int executable = -1;                             // a descriptor to execute instead; stays the caller's
  std::optional<std::string> configuration;        // the text, instead of the file that the arguments name
  std::vector<LeftDescriptor> descriptors;
  std::vector<int> kept = {};                      // more descriptors that it gets, under the same numbers
  std::vector<std::string> environment = {};       // "NAME=value", beside ours
  bool own_group = false;                          // it leads a process group of its own
};

// A path is resolved anew: what is on disk now is what starts. Signals are unblocked and have their usual effects.
Result<pid_t> start(const Program& program);

// This process becomes the program, with its PID, its children and its blocked signals. Returns only why it did not.
Error become(const Program& program);

struct Started {
  pid_t pid = 0;
  UniqueFd channel;                // our end
};

// The same with the other end of a new channel.
Result<Started> start_successor(Program program);

// The descriptor that `variable` names; the variable is removed. Empty: there is none beyond the standard ones.
std::optional<int> take_left_descriptor(const char* variable);
// The channel, if this process was started as a successor.
UniqueFd take_channel();
// The configuration's text, if this process was given one.
std::optional<std::string> take_configuration();

// How the process ended, in words: "exited with code 1", "was killed by signal 9".
std::string describe_exit(int wait_status);

}  // namespace baton::handoff
