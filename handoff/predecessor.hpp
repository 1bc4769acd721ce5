// The predecessor's side of the conversation (PROTOCOL.md): offers everything its Donor freezes, and takes back what
// was not adopted, whatever goes wrong.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "handoff/channel.hpp"
#include "handoff/parties.hpp"
#include "handoff/report.hpp"

namespace baton::handoff {

struct PredecessorTerms {
  Side self;
  std::vector<std::string> features;             // that our decoder understands
  std::chrono::milliseconds ready_timeout{10'000};
  std::chrono::milliseconds step_timeout{2'000};
  std::chrono::milliseconds probation{0};        // the successor serves new connections this long before live ones move
  // Of a successor that gives back: between two of its messages. It waits there for its requests to end.
  std::chrono::milliseconds return_timeout{10'000};
};

enum class Ending {
  completed,      // the successor is the instance; what it refused is still here
  rolled_back,    // we are the instance and serve everything that was not adopted
  superseded,     // the successor is the instance although the conversation broke after Done
};

struct HandoverOutcome {
  Ending ending = Ending::rolled_back;
  std::string reason;             // why it did not complete
  // The successor may own connections and lives, as far as is known: it must not be killed at once.
  bool successor_serves = false;
  Report report;
};

// Runs the whole conversation in the calling thread; a taker's Hello may be in the channel already. Never throws: what
// its own side throws ends the attempt as an error does. `returns` takes what the successor gives back when it fails
// its probation or the upgrade is called off; without it there is no probation.
HandoverOutcome hand_over(Channel channel, Donor& donor, const PredecessorTerms& terms, Adopter* returns = nullptr);

}  // namespace baton::handoff
