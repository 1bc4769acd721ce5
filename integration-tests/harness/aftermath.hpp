// What must be true after every failure, once the dust has settled.
#pragma once

#include <string>
#include <vector>

#include "harness/baton.hpp"

namespace baton::harness {

// Waits until one process is left, which has everything that makes it the instance: the lock, the PID file, the admin
// interface, new connections. No path is left that it does not need.
void expect_one_instance(const Baton& baton);

// Waits until no process is left of those in that group, and finds no path of theirs but the lock.
void expect_nothing_left(const Baton& baton, pid_t group);

// The paths in Baton's directory that a stopped Baton must not leave behind.
std::vector<std::string> paths_of_an_instance(const Baton& baton);
// Of those, the temporaries of the PID file that this process has made.
std::vector<std::string> temporaries_of(const Baton& baton, pid_t writer);

}  // namespace baton::harness
