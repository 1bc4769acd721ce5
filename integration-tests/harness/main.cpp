// The main of every process-level test. As a subreaper it becomes the parent of successors whose predecessor has
// exited, so that they can be awaited and none stays behind. The umask is the usual one, whatever the tests are started
// with: files that a test makes are for other users too.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>

int main(int argc, char** argv) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  ::umask(022);
  ::signal(SIGPIPE, SIG_IGN);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
