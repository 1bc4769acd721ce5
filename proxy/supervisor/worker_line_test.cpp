#include "proxy/supervisor/worker_line.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "handoff/estate.hpp"
#include "handoff/estate.hpp"
#include "handoff/records.hpp"
#include "proxy/supervisor/door.hpp"

namespace baton::supervisor {
namespace {

constexpr std::chrono::seconds patience{20};

class Lines : public testing::Test {
 protected:
  std::unique_ptr<WorkerLine> come_in() const {
    const int left = ::dup(door.theirs.get());
    ::setenv(handoff::supervisor_variable, std::to_string(left).c_str(), 1);
    return WorkerLine::from_environment();
  }
  handoff::Channel take() const {
    auto newcomer = let_in(door.ours.get());
    EXPECT_TRUE(newcomer);
    EXPECT_EQ(newcomer->pid, ::getpid());
    return handoff::Channel(std::move(newcomer->line));
  }
  static handoff::Deadline soon() { return handoff::Clock::now() + patience; }

  Door door = make_door();
};

TEST_F(Lines, WhatIsSaidComesInOrderAndWhole) {
  auto line = come_in();
  ASSERT_TRUE(line);
  EXPECT_EQ(line->supervisor(), ::getpid());
  EXPECT_EQ(std::getenv(handoff::supervisor_variable), nullptr);
  handoff::Channel supervisor = take();
  line->announce({{7, 42, "1.2"}, {"tls"}, {.sockets = {{"web", "127.0.0.1:80", STDIN_FILENO}}, .application = "a", .executable = STDERR_FILENO}});
  line->succeeded_by(43, true);
  line->leave();
  line->end();
  auto frame = handoff::receive_kind(supervisor, handoff::Kind::hello, soon());
  ASSERT_TRUE(frame);
  EXPECT_EQ(handoff::parse<handoff::wire::Hello>(*frame)->generation(), 7u);
  handoff::Inheritance heard;
  ASSERT_TRUE(handoff::receive_estate(supervisor, heard, soon()));
  EXPECT_EQ(heard.sockets.size(), 1u);
  EXPECT_TRUE(heard.executable);
  frame = handoff::receive_kind(supervisor, handoff::Kind::done, soon());
  ASSERT_TRUE(frame);
  EXPECT_EQ(handoff::parse<handoff::wire::Done>(*frame)->report().to_pid(), 43);
  EXPECT_TRUE(handoff::parse<handoff::wire::Done>(*frame)->foreign());
  EXPECT_TRUE(handoff::receive_kind(supervisor, handoff::Kind::bye, soon()));
  EXPECT_EQ(supervisor.receive(soon()).error().fault, handoff::Fault::closed);
}

TEST_F(Lines, ASupervisorThatHangsHoldsNobodyUp) {
  auto line = come_in();
  const handoff::Channel nobody_reads = take();
  const auto before = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) {
    line->announce({{1, 1, ""}, {}, {.sockets = {}, .application = {}, .configuration = std::string(1'000'000, 'x')}});
  }
  line->end();
  EXPECT_LT(std::chrono::steady_clock::now() - before, patience);
}

TEST_F(Lines, WhatHasBeenSentIsReadAfterTheWorkerHasEnded) {
  auto line = come_in();
  handoff::Channel supervisor = take();
  line->announce({{7, 42, "1.2"}, {}, {.sockets = {}, .application = {}, .configuration = "some"}});
  EXPECT_TRUE(line->sent_within(patience));
  line.reset();
  ASSERT_TRUE(handoff::receive_kind(supervisor, handoff::Kind::hello, soon()));
  handoff::Inheritance heard;
  ASSERT_TRUE(handoff::receive_estate(supervisor, heard, soon()));
  EXPECT_EQ(heard.configuration, "some");
}

TEST_F(Lines, WhatASupervisorThatHangsHasNoRoomForHasNotBeenSent) {
  auto line = come_in();
  const handoff::Channel nobody_reads = take();
  line->announce({{1, 1, ""}, {}, {.sockets = {}, .application = {}, .configuration = std::string(1'000'000, 'x')}});
  EXPECT_FALSE(line->sent_within(std::chrono::milliseconds(1)));
}

TEST_F(Lines, AWorkerThatNobodyTakesInIsAtTheEndOfItsLine) {
  door.ours.reset();
  auto line = come_in();
  ASSERT_TRUE(line);
  char byte;
  EXPECT_EQ(::recv(line->descriptor(), &byte, 1, MSG_DONTWAIT), 0);
}

TEST_F(Lines, WhatIsNoDoorIsLeftAlone) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  ::setenv(handoff::supervisor_variable, std::to_string(pair[0]).c_str(), 1);
  EXPECT_FALSE(WorkerLine::from_environment());
  EXPECT_EQ(::send(pair[0], "x", 1, MSG_NOSIGNAL), 1) << "and stays open";
  EXPECT_FALSE(WorkerLine::from_environment()) << "without the variable";
  ::close(pair[0]);
  ::close(pair[1]);
}

}  // namespace
}  // namespace baton::supervisor
