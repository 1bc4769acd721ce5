// How a supervisor becomes the version that its worker runs: first that version looks at the supervisor's state in a
// process of its own, and only if it says that it could go on is the supervisor's program replaced.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "handoff/result.hpp"
#include "handoff/unique_fd.hpp"
#include "proxy/supervisor/parent_state.hpp"

namespace baton::supervisor {

// Which file an executable is.
struct Identity {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const Identity&) const = default;
};
std::optional<Identity> identity_of(int executable);

// The version that the instance runs looks at the state, touches nothing, and says so. There must be a heritage.
class DryRun {
 public:
  static handoff::Result<DryRun> begin(const ParentState& state);

  pid_t pid() const { return pid_; }
  const Identity& of() const { return of_; }
  std::chrono::steady_clock::time_point deadline() const { return deadline_; }
  // After it has ended: why it may not go on; nothing: it may.
  std::optional<std::string> objection(int wait_status) const;

 private:
  pid_t pid_ = 0;
  Identity of_;
  handoff::UniqueFd answer_;
  std::chrono::steady_clock::time_point deadline_;
};

// This process becomes the version that the instance runs, with this state. Returns only why it did not.
handoff::Error become(const ParentState& state, const std::vector<std::string>& arguments);

// The other side of it. Nothing: nobody has left us a state.
std::optional<std::string> take_state();
// We are only asked whether we could: answers, and gives the exit code. Nothing: nobody asks.
std::optional<int> answer_dry_run(const std::optional<std::string>& state);

}  // namespace baton::supervisor
