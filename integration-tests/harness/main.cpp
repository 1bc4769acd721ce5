// The main of every process-level test. As a subreaper it becomes the parent of successors whose predecessor has
// exited, so that it can wait for them and none is left behind. It sets the usual umask, since other users must be able
// to read a test's files, and raises its descriptor limit as far as it may: most shells allow 1,024, a test may hold
// more clients.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>

namespace {

constexpr rlim_t descriptors_max = 20'000;       // some peers close every number below their limit at startup

void raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::max(limit.rlim_cur, std::min(limit.rlim_max, descriptors_max));
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  ::umask(022);
  raise_descriptor_limit();
  ::signal(SIGPIPE, SIG_IGN);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
