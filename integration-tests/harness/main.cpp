// The main of every process-level test. As a subreaper it becomes the parent of successors whose predecessor has
// exited, so that it can wait for them and none is left behind. It sets the usual umask, since other users must be able
// to read a test's files.
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
