// A canary as each of the two processes has it: which clients are chosen, and what befalls all those it serves.
#pragma once

#include "proxy/canary/selection.hpp"
#include "proxy/canary/tally.hpp"

namespace baton::canary {

struct Experiment {
  explicit Experiment(const state::CanaryClients& clients) : selection(clients) {}

  const Selection selection;
  Tally tally;  // all threads count in it
};

}  // namespace baton::canary
