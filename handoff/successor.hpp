// The successor's side of the conversation (PROTOCOL.md).
#pragma once

#include <string>
#include <vector>

#include "handoff/channel.hpp"
#include "handoff/parties.hpp"
#include "handoff/report.hpp"

namespace baton::handoff {

struct SuccessorTerms {
  std::string version;
  std::vector<std::string> features;             // that our decoder understands
  std::chrono::milliseconds hello_timeout{10'000};
};

enum class Succession {
  completed,      // we are the instance
  orphaned,       // the channel ended without `Done` after we had begun to accept: whoever gets the lock is the instance
  failed,         // before we accepted anything: end, and touch nothing
};

struct SuccessionOutcome {
  Succession ending = Succession::failed;
  std::string reason;
};

// Runs the whole conversation in the calling thread.
SuccessionOutcome succeed(UniqueFd channel, Adopter& adopter, const SuccessorTerms& terms);

}  // namespace baton::handoff
