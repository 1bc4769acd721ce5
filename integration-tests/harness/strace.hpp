// Kernel faults at an exact point: strace makes the n-th call of a thread fail, or stops the process there.
#pragma once

#include <sys/types.h>

#include <string>

namespace baton::harness {

// Whether strace is installed and may trace processes that it did not start.
bool can_attach();

// The options that inject `what` into the n-th `call` of each thread, as in ("sendmsg", "error=EPIPE", 3).
std::string injection(const std::string& call, const std::string& what, int n);

// Detaches any tracer of the process and waits until none is left.
void end_tracing(pid_t pid);

}  // namespace baton::harness
