// Whom the kernel kills when memory runs out (oom_score_adj, proc(5)).
#pragma once

#include <sys/types.h>

namespace baton::process {

// For `be_killed_first` of this process. A user other than root may open it only before the process has become
// undumpable. -1: it cannot be opened.
int open_oom_score();

// The kernel kills this process before any other of its cgroup. Processes that it starts inherit that.
void be_killed_first(int oom_score);

// This process is killed as soon as that one, whatever it has inherited.
void take_oom_score_of(pid_t process);

}  // namespace baton::process
