// What a keeper does once its worker is dead.
#pragma once

#include <sys/types.h>

#include "proxy/keeper/keeper.hpp"

namespace baton::keeper {

// The worker was the instance. Offers each connection that no thread was running to its successor, if it died in an
// upgrade, or else to a process that this one starts. Resets the others. Logs what became of them. False: no process
// serves them.
bool hand_over_survivors(const Control& control, const Roster& roster, const Origin& origin);

// The worker was a successor that was not the instance yet: gives its predecessor what it had. False: that failed, or
// there was nothing.
bool give_back_survivors(const Control& control, const Roster& roster, pid_t worker);

}  // namespace baton::keeper
