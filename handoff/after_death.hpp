// What a process needs that outlives another one and keeps its sockets: a clone that shares the table of descriptors,
// how it learns of the death, and how it ends descriptors that have no user left.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <set>
#include <string_view>
#include <vector>

namespace baton::handoff {

// Like fork, but both have one table of descriptors: what one opens or closes, the other has or has not. Memory is
// copied, except for shared mappings. The clone runs with all signals blocked. Call it before the process has threads,
// since locks that they hold would stay locked in the clone. In the clone: 0. On failure: -1, and errno.
pid_t clone_with_our_descriptors();

// In the clone: returns when its parent `process` is dead, with all of its threads. False: that cannot be told.
bool await_end_of(pid_t process);

// A fatal signal is stored in `noted`, which is in memory that the clone can read, before it takes its course. Signals
// that have a handler already are left alone. `noted` is used until the process ends or another one is named.
void note_fatal_signals(std::atomic<int>& noted);

// Our descriptors of a kind, by what their links in /proc begin with: "socket:". These and what uses them may throw
// std::bad_alloc, and std::system_error if there is no descriptor for it.
std::vector<int> descriptors_like(std::string_view kind);

// Closes the epolls of a dead process.
void close_epolls();

// When it is closed, the other side sees a reset.
void end_by_reset(int descriptor);

// Sockets that have no owner left end by a reset: their peers must not take the end for the end of a message. Skips
// listening sockets and those whose inodes are in `adopted`, which have other owners.
void reset_all_that_is_connected(const std::set<ino_t>& adopted = {});

}  // namespace baton::handoff
