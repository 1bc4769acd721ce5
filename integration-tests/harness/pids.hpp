// What /proc and the kernel tell about processes, also about those that this test did not start itself: the test's
// main is a subreaper, so a successor becomes its child when the predecessor exits.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <iosfwd>
#include <string>
#include <vector>

#include "harness/deadline.hpp"

namespace baton::harness {

// How a process ended: an exit code, or the signal that killed it (then code is -1).
struct Ended {
  int code = -1;
  int signal = 0;
  bool operator==(const Ended&) const = default;
};
std::string to_string(const Ended& ended);
void PrintTo(const Ended& ended, std::ostream* out);

// Waits for a child of ours, or for one that becomes ours while we wait, and reaps it.
Ended await_exit(pid_t pid, Milliseconds limit = wait_max);

// Running or waiting; not a zombie.
bool is_alive(pid_t pid);

std::vector<pid_t> children_of(pid_t pid);
// The living descendants of the test in that process group; a predecessor and its successors are in one.
std::vector<pid_t> living_in_group(pid_t group);
// Stops it with SIGSTOP, and waits until it stands still.
void stop_and_await(pid_t pid);
std::size_t descriptor_count(pid_t pid);
// Waits until it holds no more than that: what an upgrade needs is closed only a moment after it has been reported.
void await_descriptors_at_most(std::size_t most, pid_t pid);
std::size_t resident_bytes(pid_t pid);
std::size_t peak_resident_bytes(pid_t pid);  // 0 for one that has ended

}  // namespace baton::harness
