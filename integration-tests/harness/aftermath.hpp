// What must be true after every failure, once everything has settled.
#pragma once

#include <string>
#include <vector>

#include "harness/baton.hpp"

namespace baton::harness {

// Waits until one process is left, which has everything that makes it the instance: the lock, the PID file, the admin
// interface, new connections. No path remains that it does not need.
void expect_one_instance(const Baton& baton);

// Waits until no process of that group is left, and checks that none of its paths remains but the lock.
void expect_nothing_left(const Baton& baton, pid_t group);

// The paths in Baton's directory that a stopped Baton must not leave behind.
std::vector<std::string> paths_of_an_instance(const Baton& baton);
// The PID file's temporaries among them that this process has made.
std::vector<std::string> temporaries_of(const Baton& baton, pid_t writer);

}  // namespace baton::harness
