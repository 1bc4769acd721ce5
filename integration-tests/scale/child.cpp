#include "scale/child.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <exception>

#include "harness/pids.hpp"

namespace baton::harness {

Child::Child(const std::function<void()>& part) : pid_(::fork()) {
  if (pid_ < 0) throw Failure("fork");
  if (pid_ > 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  try {
    part();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "a part of the test ended: %s\n", error.what());
    ::_exit(1);
  }
  ::_exit(0);
}

Child::~Child() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

bool Child::is_alive() const {
  return harness::is_alive(pid_);
}

}  // namespace baton::harness
