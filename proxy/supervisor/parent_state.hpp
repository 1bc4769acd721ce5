// What a supervisor knows, as a value: it can be written down with the numbers of its descriptors, and read by the
// program that it becomes.
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
  std::unique_ptr<handoff::Channel> line;    // empty: it never came in, or has hung up
  Heritage arriving = {};                    // of an announcement that is not whole yet
  bool resigned = false;                     // another process is the instance
  bool leaving = false;                      // it ends of its own accord
  bool served = false;                       // it is the instance, or was

  bool may_become_instance() const { return line && !resigned && !leaving; }
};

struct ParentState {
  Door door;
  std::vector<Worker> workers;
  pid_t instance = 0;                        // the first one also before it serves; 0: there is none
  std::shared_ptr<const Heritage> heritage;  // of the last instance that announced itself; empty: none did
  CrashStreak streak;
  int stop_signal = 0;                       // that we were told to stop by; TERM or INT go before QUIT
  std::vector<int> signals;                  // that wait for an instance

  bool is_stopping() const { return stop_signal != 0; }
};

// Every descriptor that `encode` names.
std::vector<int> descriptors_of(const ParentState& state);
// Only between two messages on every line.
std::string encode(const ParentState& state);
// Why it cannot be believed: what is not what it should be. Touches nothing.
std::optional<std::string> what_is_wrong_with(std::string_view bytes);
// Takes the descriptors. Only what nothing is wrong with.
ParentState decode_parent_state(std::string_view bytes);

}  // namespace baton::supervisor
