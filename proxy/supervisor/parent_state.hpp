// A supervisor's knowledge as a value: it can be encoded with the numbers of its descriptors and read by the program
// that it becomes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "handoff/channel.hpp"
#include "proxy/supervisor/crash_streak.hpp"
#include "proxy/supervisor/door.hpp"
#include "proxy/supervisor/replacement.hpp"

namespace baton::supervisor {

struct Worker {
  pid_t pid = 0;
  std::unique_ptr<handoff::Channel> line;    // empty: none ever arrived, or it hung up
  Heritage arriving = {};                    // of an incomplete announcement
  bool resigned = false;                     // another process is the instance
  bool leaving = false;                      // it is ending of its own accord
  bool served = false;                       // it is or was the instance
  std::optional<int> crashed = {};           // how it ended; its line is open, since its keeper hands over what it had

  // One that crashed before it could announce itself may have a keeper, which starts the next instance.
  bool may_become_instance() const { return line && !resigned && !leaving && (!crashed || !served); }
};

struct ParentState {
  Door door;
  std::vector<Worker> workers;
  pid_t instance = 0;                        // the first worker even before it serves; 0: there is none
  std::shared_ptr<Heritage> heritage;        // of the last instance that announced itself; empty: none did
  CrashStreak streak;
  int stop_signal = 0;                       // the signal that told us to stop; TERM and INT take precedence over QUIT
  std::vector<int> signals;                  // waiting for an instance

  bool is_stopping() const { return stop_signal != 0; }
};

// All descriptors that `encode` names.
std::vector<int> descriptors_of(const ParentState& state);
// Call only between two messages on every line.
std::string encode(const ParentState& state);
// Why it is invalid; nothing: it is valid. Touches nothing.
std::optional<std::string> what_is_wrong_with(std::string_view bytes);
// Takes ownership of the descriptors. Only for bytes in which nothing is wrong.
ParentState decode_parent_state(std::string_view bytes);

}  // namespace baton::supervisor
