#include "proxy/server/children.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace baton::proxy {
namespace {

// A child that exits with that code, or waits to be killed.
pid_t start_child(std::optional<int> exit_code) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  if (!exit_code) {
    for (;;) ::pause();
  }
  ::_exit(*exit_code);
}

// It has ended but has not been reaped.
void await_end(pid_t child) {
  siginfo_t ended{};
  ::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT);
}

bool is_reaped(pid_t child) {
  return ::waitpid(child, nullptr, WNOHANG) < 0;
}

struct ChildrenTest : testing::Test {
  boost::asio::io_context context;
  Children children{context};
};

TEST_F(ChildrenTest, HowOneEndedIsKnownUntilItIsForgotten) {
  const pid_t child = start_child(3);
  children.add(child);
  EXPECT_FALSE(children.status_of(child));
  await_end(child);
  children.reap();
  ASSERT_TRUE(children.status_of(child));
  EXPECT_EQ(WEXITSTATUS(*children.status_of(child)), 3);
  children.forget(child);
  EXPECT_FALSE(children.status_of(child));
}

TEST_F(ChildrenTest, OneThatNobodyAddedIsReapedToo) {
  const pid_t child = start_child(0);
  await_end(child);
  children.reap();
  EXPECT_TRUE(is_reaped(child));
  EXPECT_FALSE(children.status_of(child));
}

TEST_F(ChildrenTest, OneThatHangsIsKilledAtItsDeadline) {
  const pid_t child = start_child(std::nullopt);
  children.add(child);
  children.leave_to_its_end(child, std::chrono::milliseconds(0));
  EXPECT_TRUE(children.has_left_ones());
  context.run();  // as long as one is left
  EXPECT_FALSE(children.has_left_ones());
  EXPECT_TRUE(is_reaped(child));
}

TEST_F(ChildrenTest, OneThatHasEndedIsNotLeftToItsEnd) {
  const pid_t child = start_child(1);
  children.add(child);
  await_end(child);
  children.reap();
  children.leave_to_its_end(child, std::chrono::hours(1));
  EXPECT_FALSE(children.has_left_ones());
  EXPECT_EQ(context.run(), 0u);
}

TEST_F(ChildrenTest, OnlyWhatIsLeftIsKilledWithUs) {
  const pid_t left = start_child(std::nullopt);
  const pid_t other = start_child(std::nullopt);
  children.add(left);
  children.add(other);
  children.leave_to_its_end(left, std::chrono::hours(1));
  children.kill_left_ones();
  await_end(left);
  EXPECT_EQ(::waitpid(other, nullptr, WNOHANG), 0);
  children.kill(other);
  await_end(other);
}

}  // namespace
}  // namespace baton::proxy
