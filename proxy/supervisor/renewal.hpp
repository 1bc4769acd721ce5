// How a supervisor becomes the version that its worker runs: that version first checks the supervisor's state in a
// separate process, and only if it says that it could continue is the supervisor's program replaced.
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

// Identifies the file of an executable.
struct Identity {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const Identity&) const = default;
};
std::optional<Identity> identity_of(int executable);

// The instance's version checks the state, touching nothing, and reports. There must be a heritage.
class DryRun {
 public:
  static handoff::Result<DryRun> begin(const ParentState& state);

  pid_t pid() const { return pid_; }
  const Identity& of() const { return of_; }
  std::chrono::steady_clock::time_point deadline() const { return deadline_; }
  // After it has ended: why it may not continue; nothing: it may.
  std::optional<std::string> objection(int wait_status) const;

 private:
  pid_t pid_ = 0;
  Identity of_;
  handoff::UniqueFd answer_;
  std::chrono::steady_clock::time_point deadline_;
};

// Replaces this process's program with the instance's version, passing it this state. Returns only on failure, with the
// reason.
handoff::Error become(const ParentState& state, const std::vector<std::string>& arguments);

// The receiving side. Nothing: no state was left for us.
std::optional<std::string> take_state();
// If we were started only to be asked: answers and returns the exit code. Nothing: this is not such a start.
std::optional<int> answer_dry_run(const std::optional<std::string>& state);

}  // namespace baton::supervisor
