#include "proxy/process/activation.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

namespace baton::process {
namespace {

class PassedByEnvironment : public testing::Test {
 protected:
  void TearDown() override {
    for (const char* name : {"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"}) ::unsetenv(name);
  }
  static void pass(const std::string& count, const std::string& pid = std::to_string(::getpid())) {
    ::setenv("LISTEN_FDS", count.c_str(), 1);
    ::setenv("LISTEN_PID", pid.c_str(), 1);
    ::setenv("LISTEN_FDNAMES", "web:more", 1);
  }
  static void expect_clean() {
    for (const char* name : {"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"}) EXPECT_EQ(std::getenv(name), nullptr) << name;
  }
};

TEST_F(PassedByEnvironment, IsTakenOutOfIt) {
  pass("0");
  const PassedSockets passed = take_passed_sockets(::getpid());
  EXPECT_TRUE(passed.sockets.empty());
  EXPECT_TRUE(passed.refused.empty());
  expect_clean();
}

TEST_F(PassedByEnvironment, IsNotReadByAnotherProcess) {
  for (const std::string pid : {"1", "", "x", "-1"}) {
    pass("nonsense", pid);
    EXPECT_TRUE(take_passed_sockets(::getpid()).refused.empty()) << pid;
    expect_clean();
  }
}

TEST_F(PassedByEnvironment, MayBeNonsense) {
  for (const std::string count : {"", "x", "3x", "-1", "1000000000", "99999999999999999999"}) {
    pass(count);
    const PassedSockets passed = take_passed_sockets(::getpid());
    ASSERT_EQ(passed.refused.size(), 1u) << count;
    EXPECT_EQ(passed.refused[0], "LISTEN_FDS is '" + count + "', which is not a number of sockets");
  }
}

TEST_F(PassedByEnvironment, MayNameWhatIsNotOpen) {
  const auto in_a_process_without_descriptors = [] {
    ::close_range(3, ~0u, 0);
    pass("3");
    const PassedSockets passed = take_passed_sockets(::getpid());
    const std::vector<std::string> expected{"descriptor 3 (web) is not open", "descriptor 4 (more) is not open",
                                            "descriptor 5 (unknown) is not open"};
    ::_exit(passed.sockets.empty() && passed.refused == expected ? 0 : 1);
  };
  EXPECT_EXIT(in_a_process_without_descriptors(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace baton::process
