// Information from /proc and the kernel about processes, including those that the test did not start itself: its main
// is a subreaper, so a successor becomes its child when the predecessor exits.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
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

// Waits for a child, or for a process that becomes our child while we wait, and reaps it.
Ended await_exit(pid_t pid, Milliseconds limit = wait_max);

// Running or waiting; not a zombie.
bool is_alive(pid_t pid);

std::vector<pid_t> children_of(pid_t pid);
// The living descendants of the test in that process group, which a predecessor and its successors share.
std::vector<pid_t> living_in_group(pid_t group);
// Waits until all of its threads wait for something: then no connection is being run.
void await_rest(pid_t pid);
// Sends SIGSTOP and waits until the process has stopped.
void stop_and_await(pid_t pid);
// A line "PID NAME" for each process that listens on that TCP port. One that is exiting has no descriptors to be seen.
std::string listeners_on(std::uint16_t port);
std::size_t descriptor_count(pid_t pid);
// Waits until it holds at most that many: an upgrade's descriptors are closed shortly after its report.
void await_descriptors_at_most(std::size_t most, pid_t pid);
std::size_t resident_bytes(pid_t pid);
std::size_t peak_resident_bytes(pid_t pid);  // 0 for one that has ended

}  // namespace baton::harness
