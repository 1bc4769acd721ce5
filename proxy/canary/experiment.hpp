// A canary as each of the two processes has it: which clients are chosen, and what befalls all those it serves.
#pragma once

#include "proxy/canary/selection.hpp"
#include "proxy/canary/tally.hpp"

namespace baton::canary {

struct Experiment {
  enum class Side { canary, others };
  Experiment(const state::CanaryClients& clients, Side side) : selection(clients), is_canary(side == Side::canary) {}

  // A canary may have clients that it was not given, of a listener that only it has: chance has not sent them, so they
  // say nothing.
  bool counts(std::uint64_t client) const { return !is_canary || selection.picks(client); }

  const Selection selection;
  const bool is_canary;
  Tally tally;  // all threads count in it
};

}  // namespace baton::canary
