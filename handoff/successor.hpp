// The successor's side of the conversation (PROTOCOL.md).
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "handoff/channel.hpp"
#include "handoff/parties.hpp"
#include "handoff/report.hpp"

namespace baton::handoff {

struct SuccessorTerms {
  std::string version;
  std::vector<std::string> features;             // that our decoder understands
  bool speaks_first = false;                     // we are an external successor: the predecessor waits for our Hello
  std::chrono::milliseconds hello_timeout{10'000};
  std::chrono::milliseconds step_timeout{2'000};     // of the predecessor's answers when we give back
};

// What a successor needs that can give back what it has. Called in the conversation's thread.
struct Probation {
  std::function<Donor&()> donor;                 // of all that it serves; outlives the conversation
  // How it has served since it listens. `at_end`: nothing more will come, so it is time to judge.
  std::function<Conduct(bool at_end)> conduct;
  // At any time until it is the instance: why it shall not go on. `wake_descriptor` turns readable with it; -1: never.
  std::function<std::optional<std::string>()> called_off = [] { return std::nullopt; };
  int wake_descriptor = -1;
};

enum class Succession {
  completed,      // we are the instance
  orphaned,       // the channel ended without `Done` after we had begun to accept: the process that gets the lock is the instance
  failed,         // before we accepted anything: end, and touch nothing
  returned,       // the predecessor has everything back that it did not refuse, and is the instance: end
};

struct SuccessionOutcome {
  Succession ending = Succession::failed;
  std::string reason;
};

// Runs the whole conversation in the calling thread. Never throws: what its own side throws ends the attempt as an
// error does. Without a `probation` there is none, and nothing is given back.
SuccessionOutcome succeed(UniqueFd channel, Adopter& adopter, const SuccessorTerms& terms, const Probation* probation = nullptr);

}  // namespace baton::handoff
