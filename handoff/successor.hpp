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
  std::vector<std::string> features;             // understood by our decoder
  bool speaks_first = false;                     // we are an external successor: the predecessor waits for our Hello
  std::chrono::milliseconds hello_timeout{10'000};
  std::chrono::milliseconds step_timeout{2'000};     // for the predecessor's answers when we give back
};

// What a successor that can give back needs. Called in the conversation's thread.
struct Probation {
  std::function<Donor&()> donor;                 // for everything it serves; outlives the conversation
  // How it has served since it began to listen. `at_end`: nothing more will come, so it is time to judge.
  std::function<Conduct(bool at_end)> conduct;
  // Why it should stop, at any time until it is the instance. `wake_descriptor` turns readable with it; -1: never.
  std::function<std::optional<std::string>()> called_off = [] { return std::nullopt; };
  int wake_descriptor = -1;
};

enum class Succession {
  completed,  // we are the instance
  orphaned,   // the channel ended without `Done` after we began to accept: the holder of the lock is the instance
  failed,     // before we accepted anything: exit and touch nothing
  returned,   // the predecessor is the instance and has back all it did not refuse: exit
};

struct SuccessionOutcome {
  Succession ending = Succession::failed;
  std::string reason;
};

// Runs the whole conversation in the calling thread. Never throws: an exception on this side ends the attempt like any
// error. Without `probation` there is no probation and nothing is given back.
SuccessionOutcome succeed(UniqueFd channel, Adopter& adopter, const SuccessorTerms& terms, const Probation* probation = nullptr);

// Gives back what a successor that is dead had, in the process that keeps it. `channel` and `spare` are those of
// `Adopter::converses`; `channel` stays the caller's. The donor may offer what the successor had not taken for certain.
Result<void> give_back_for(Channel spare, int channel, Donor& donor, const std::string& why,
                           std::chrono::milliseconds step_timeout);

}  // namespace baton::handoff
