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
  std::vector<std::string> features;             // understood by our decoder
  std::chrono::milliseconds ready_timeout{10'000};
  std::chrono::milliseconds step_timeout{2'000};
  std::chrono::milliseconds probation{0};        // how long new connections are served before live ones move
  bool canary = false;  // the donor chooses what moves first, and judges; then there is no probation
  // Between two messages of a successor that gives back, which meanwhile waits for its requests to end.
  std::chrono::milliseconds return_timeout{10'000};
};

enum class Ending {
  completed,      // the successor is the instance; connections it refused are still here
  rolled_back,    // we are the instance and serve everything that was not adopted
  superseded,     // the successor is the instance although the conversation broke after Done
};

struct HandoverOutcome {
  Ending ending = Ending::rolled_back;
  std::string reason;             // why it did not complete
  // The successor was ready, and was told to serve: from then on, what does not complete is rolled back. Before, it has
  // failed, and nothing had changed.
  bool had_begun_to_move = false;
  // The successor may own connections and is alive as far as is known: it must not be killed at once.
  bool successor_serves = false;
  Report report;
};

// Runs the whole conversation in the calling thread; an external successor's Hello may already be in the channel. Never
// throws: an exception on this side ends the attempt like any error. `returns` takes what the successor gives back when
// it fails its probation or the upgrade is called off; without `returns` there is no probation.
HandoverOutcome hand_over(Channel channel, Donor& donor, const PredecessorTerms& terms, Adopter* returns = nullptr);

// Finishes the conversation of a predecessor that is dead, in the process that keeps what it had. `channel` and `spare`
// are those of `Donor::converses`; `channel` stays the caller's. The donor may offer what the successor has taken
// already: the answer is that it is taken.
HandoverOutcome resume_handover(Channel spare, int channel, Donor& donor, const PredecessorTerms& terms);

}  // namespace baton::handoff
