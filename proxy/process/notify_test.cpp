#include "proxy/process/notify.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

namespace baton::process {
namespace {

TEST(NotifyStatus, IsOneLineOfUtf8) {
  EXPECT_EQ(status_assignment("one\ntwo\x7f\xff\tthree"), "STATUS=one two \xef\xbf\xbd three");
  EXPECT_EQ(status_assignment("größer"), "STATUS=größer");
}

TEST(NotifyStatus, IsCutWhereAManagerWouldThrowTheWholeMessageAway) {
  EXPECT_EQ(status_assignment(std::string(100'000, 'x')), "STATUS=" + std::string(1024, 'x'));
}

class NotifierFromEnvironment : public testing::Test {
 protected:
  void SetUp() override { TearDown(); }
  void TearDown() override {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(name);
  }
};

TEST_F(NotifierFromEnvironment, HasNobodyToTellWithoutAnAddressThatItKnows) {
  EXPECT_FALSE(Notifier::from_environment());
  for (const char* address : {"", "relative", "vsock:2:1234"}) {
    ::setenv("NOTIFY_SOCKET", address, 1);
    EXPECT_FALSE(Notifier::from_environment()) << address;
    EXPECT_FALSE(Notifier::from_environment().send("READY=1")) << "that is no failure";
  }
  ::setenv("NOTIFY_SOCKET", "/nobody", 1);
  EXPECT_TRUE(Notifier::from_environment());
  EXPECT_EQ(Notifier::from_environment().send("READY=1"), std::errc::no_such_file_or_directory);
}

TEST_F(NotifierFromEnvironment, FeedsAWatchdogThatIsMeantForIt) {
  ::setenv("NOTIFY_SOCKET", "/nobody", 1);
  ::setenv("WATCHDOG_USEC", "3000000", 1);
  EXPECT_EQ(Notifier::from_environment().watchdog(), std::chrono::seconds(3)) << "as a successor has it";
  ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  EXPECT_EQ(Notifier::from_environment().watchdog(), std::chrono::seconds(3));
  for (const char* nonsense : {"", "0", "-5", "3s", "99999999999999999999"}) {
    ::setenv("WATCHDOG_USEC", nonsense, 1);
    EXPECT_EQ(Notifier::from_environment().watchdog().count(), 0) << nonsense;
  }
}

TEST_F(NotifierFromEnvironment, TakesAForeignWatchdogOutOfTheSuccessorsSight) {
  ::setenv("NOTIFY_SOCKET", "/nobody", 1);
  ::setenv("WATCHDOG_USEC", "3000000", 1);
  ::setenv("WATCHDOG_PID", "1", 1);
  EXPECT_EQ(Notifier::from_environment().watchdog().count(), 0);
  EXPECT_EQ(std::getenv("WATCHDOG_USEC"), nullptr);
}

}  // namespace
}  // namespace baton::process
