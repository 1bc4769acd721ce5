// Faults that only the kernel can make, at an exact place: strace lets the n-th call of a thread fail, or stops the
// process there.
#pragma once

#include <sys/types.h>

#include <string>

namespace baton::harness {

// strace is here, and may also trace what it has not started itself.
bool can_attach();

// The options by which the n-th `call` of each thread suffers `what`, as in ("sendmsg", "error=EPIPE", 3).
std::string injection(const std::string& call, const std::string& what, int n);

// Lets go of the process whoever traces it, and waits until nobody does.
void end_tracing(pid_t pid);

}  // namespace baton::harness
