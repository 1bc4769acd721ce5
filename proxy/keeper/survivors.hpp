// The connections of a worker that has crashed, as its keeper finds and hands them over.
#pragma once

#include "proxy/keeper/keeper.hpp"

namespace baton::keeper {

// Starts a successor with what the worker has left, and offers it each connection that no thread was running; resets
// the others. Logs what became of them. False: no process serves them.
bool hand_over_survivors(const Control& control, const Roster& roster, const Origin& origin);

}  // namespace baton::keeper
