#include "proxy/process/oom_score.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace baton::process {
namespace {

std::string own_score() {
  std::string score;
  std::ifstream("/proc/self/oom_score_adj") >> score;
  return score;
}

// In a child, since the score stays.
template <class Check>
bool in_a_child(Check check) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(check() ? 0 : 1);
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(OomScore, OfAProcessThatIsKilledFirstIsTheHighest) {
  EXPECT_TRUE(in_a_child([] {
    be_killed_first(open_oom_score());
    return own_score() == "1000";
  }));
}

TEST(OomScore, IsInheritedUntilThatOfAnotherProcessIsTaken) {
  const pid_t parent = ::getpid();
  const std::string of_parent = own_score();
  EXPECT_TRUE(in_a_child([&] {
    be_killed_first(open_oom_score());
    return in_a_child([&] {
      if (own_score() != "1000") return false;
      take_oom_score_of(parent);
      return own_score() == of_parent;
    });
  }));
}

TEST(OomScore, StaysIfTheOtherProcessIsNotThere) {
  const std::string before = own_score();
  take_oom_score_of(0);
  EXPECT_EQ(own_score(), before);
}

}  // namespace
}  // namespace baton::process
