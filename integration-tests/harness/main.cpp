// The main of every process-level test. As a subreaper it becomes the parent of successors whose predecessor has
// exited, so that they can be awaited and none stays behind.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>

int main(int argc, char** argv) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  ::signal(SIGPIPE, SIG_IGN);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
