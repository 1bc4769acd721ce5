// Frames arrive whole, in order and with their descriptors, whatever both sides do at the same time.
#include "handoff/channel.hpp"

#include <thread>

#include "handoff/testing/channel.hpp"

namespace baton::handoff {
namespace {

using namespace test;

std::string pattern(std::size_t bytes, std::size_t seed = 0) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>((i + seed) * 2654435761u >> 13);
  return text;
}

class ChannelTest : public ::testing::Test {
 protected:
  Pair pair = socket_pair();
  Channel near{std::move(pair.one)};
  Channel far{std::move(pair.other)};
};

TEST_F(ChannelTest, CarriesFramesOfAllSizesWithDescriptorsAndSecrets) {
  struct Size {
    std::size_t record, secrets, descriptors;
  };
  const Size sizes[] = {
      {0, 0, 0},         {1, 0, 0},
      {0, 1, 0},         {0, 0, 1},
      {19, 20, 21},      {20, 0, 2},
      {4096, 0, 0},      {65537, 300, 250},
      {1 << 20, 77, 3},  {0, limits::secret_bytes_max, 1},
      {256 << 10, 1, 0}, {limits::record_bytes_max, limits::secret_bytes_max, limits::descriptors_per_frame_max}};
  std::vector<UniqueFd> files;
  std::vector<int> numbers;
  for (std::size_t i = 0; i < limits::descriptors_per_frame_max; ++i) {
    numbers.push_back(files.emplace_back(new_file()).get());
  }
  std::jthread sender([&] {
    std::size_t seed = 0;
    for (const Size& size : sizes) {
      const auto sent =
          near.send(static_cast<Kind>(1 + seed % 10), pattern(size.record, seed),
                    std::span(numbers).first(size.descriptors), SecretBytes(pattern(size.secrets, seed + 1)), soon());
      EXPECT_TRUE(sent) << sent.error().text;
      ++seed;
    }
  });
  std::size_t seed = 0;
  for (const Size& size : sizes) {
    const auto frame = far.receive(soon());
    ASSERT_TRUE(frame) << frame.error().text;
    EXPECT_EQ(frame->kind, static_cast<Kind>(1 + seed % 10));
    EXPECT_TRUE(frame->record == pattern(size.record, seed)) << "record of " << size.record;
    EXPECT_TRUE(frame->secrets.view() == pattern(size.secrets, seed + 1)) << "secrets of " << size.secrets;
    EXPECT_FALSE(frame->descriptors_lost);
    ASSERT_EQ(frame->descriptors.size(), size.descriptors);
    for (std::size_t i = 0; i < size.descriptors; ++i) {
      EXPECT_TRUE(same_file(frame->descriptors[i].get(), numbers[i])) << i;
    }
    ++seed;
  }
}

TEST_F(ChannelTest, RefusesToSendWhatIsOverTheLimitsOfAFrame) {
  const std::vector<int> too_many(limits::descriptors_per_frame_max + 1, STDIN_FILENO);
  EXPECT_EQ(near.send(Kind::offer, std::string(limits::record_bytes_max + 1, 'x'), {}, {}, soon()).error().fault,
            Fault::malformed);
  EXPECT_EQ(near.send(Kind::offer, "", {}, SecretBytes(limits::secret_bytes_max + 1), soon()).error().fault,
            Fault::malformed);
  EXPECT_EQ(near.send(Kind::offer, "", too_many, {}, soon()).error().fault, Fault::malformed);
  EXPECT_TRUE(near.send(Kind::offer, "still whole", {}, {}, soon()));
  EXPECT_EQ(far.receive(soon())->record, "still whole");
}

TEST_F(ChannelTest, TwoSidesThatWriteMegabytesAtOnceNeverLockUp) {
  constexpr std::size_t frames = 300;
  const auto talk = [](Channel& channel, std::size_t seed) {
    const UniqueFd file = new_file();
    const int number = file.get();
    for (std::size_t i = 0; i < frames; ++i) {
      const auto sent = channel.send(Kind::offer, pattern(40'000 + i, seed + i), {&number, i % 2}, {}, soon());
      ASSERT_TRUE(sent) << sent.error().text;
    }
    for (std::size_t i = 0; i < frames; ++i) {
      const auto frame = channel.receive(soon());
      ASSERT_TRUE(frame) << frame.error().text;
      ASSERT_TRUE(frame->record == pattern(40'000 + i, 1 - seed + i));
      ASSERT_EQ(frame->descriptors.size(), i % 2);
    }
  };
  std::jthread other([&] { talk(far, 1); });
  talk(near, 0);
}

TEST_F(ChannelTest, AFrameThatComesByteForByteIsOneFrame) {
  const std::string bytes = RawFrame::honest(Kind::adopted, "record", "secret").bytes();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto early = far.try_receive();
    ASSERT_TRUE(early);
    EXPECT_FALSE(*early) << "after " << i << " bytes";
    EXPECT_EQ(write_raw(near.descriptor(), bytes.substr(i, 1)), 1);
  }
  const auto frame = far.try_receive();
  ASSERT_TRUE(frame && *frame);
  EXPECT_EQ((*frame)->kind, Kind::adopted);
  EXPECT_EQ((*frame)->record, "record");
  EXPECT_EQ((*frame)->secrets.view(), "secret");
}

TEST_F(ChannelTest, FramesThatComeInOnePieceAreSeparate) {
  const std::string bytes = RawFrame::honest(Kind::hello, "one").bytes() + RawFrame::honest(Kind::bye, "").bytes() +
                            RawFrame::honest(Kind::done, "three", "x").bytes();
  write_raw(near.descriptor(), bytes);
  EXPECT_EQ(far.receive(soon())->record, "one");
  EXPECT_EQ(far.receive(soon())->kind, Kind::bye);
  EXPECT_EQ(far.receive(soon())->secrets.view(), "x");
}

TEST_F(ChannelTest, ReceivedDescriptorsAreClosedAtExec) {
  const int number = STDERR_FILENO;
  ASSERT_TRUE(near.send(Kind::offer, "", {&number, 1}, {}, soon()));
  const auto frame = far.receive(soon());
  EXPECT_NE(::fcntl(frame->descriptors.at(0).get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(::fcntl(far.descriptor(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(ChannelTest, WaitingForAFrameEndsAtTheDeadline) {
  const auto frame = far.receive(Clock::now() + std::chrono::milliseconds(20));
  EXPECT_EQ(frame.error().fault, Fault::timed_out);
  EXPECT_FALSE(far.wait({}, Clock::now()));
}

TEST_F(ChannelTest, SendingEndsAtTheDeadlineWhenNobodyReads) {
  const auto sent =
      near.send(Kind::offer, std::string(4 << 20, 'x'), {}, {}, Clock::now() + std::chrono::milliseconds(20));
  EXPECT_EQ(sent.error().fault, Fault::timed_out);
}

TEST_F(ChannelTest, WaitingEndsWhenSomethingElseBecomesReadable) {
  const Pair wake = socket_pair();
  const int watched = wake.one.get();
  EXPECT_FALSE(far.wait({&watched, 1}, Clock::now()));
  write_raw(wake.other.get(), "x");
  EXPECT_TRUE(far.wait({&watched, 1}, soon()));
}

TEST_F(ChannelTest, TooManyFramesThatNobodyLooksAtAreAnError) {
  // The near side only sends, reading while it waits; what it must buffer is bounded.
  const std::string small = RawFrame::honest(Kind::hello, "").bytes();
  std::jthread flood([&] {
    for (std::size_t i = 0; i < 2 * limits::frames_waiting_max; ++i) {
      if (write_raw(far.descriptor(), small) < 0) return;
    }
  });
  ::fcntl(far.descriptor(), F_SETFL, 0);
  (void)near.send(Kind::offer, std::string(8 << 20, 'x'), {}, {}, Clock::now() + std::chrono::milliseconds(200));
  std::size_t frames = 0;
  while (near.receive(soon())) ++frames;
  EXPECT_LE(frames, limits::frames_waiting_max + 1);
  near.shut_down();
}

// ── shut_down ─────────────────────────────────────────────────────────────────────────────────────────────────────

TEST_F(ChannelTest, WhatIsInWhenOneSideShutsDownIsStillReceived) {
  for (const char* record : {"one", "two", "three"}) ASSERT_TRUE(far.send(Kind::adopted, record, {}, {}, soon()));
  near.shut_down();
  for (const char* record : {"one", "two", "three"}) EXPECT_EQ(near.receive(no_deadline)->record, record);
  EXPECT_EQ(near.receive(no_deadline).error().fault, Fault::closed);
}

TEST_F(ChannelTest, NothingGetsInAfterOneSideHasShutDown) {
  near.shut_down();
  EXPECT_EQ(far.send(Kind::adopted, "late", {}, {}, soon()).error().fault, Fault::closed);
  EXPECT_EQ(near.receive(no_deadline).error().fault, Fault::closed);
  EXPECT_EQ(far.receive(no_deadline).error().fault, Fault::closed);
}

TEST_F(ChannelTest, AFrameThatWasHalfInAtTheShutDownIsNoFrameAndNotSent) {
  std::jthread sender([&] {
    // Too large for the socket buffer: only part of it is sent when the other side gives up.
    EXPECT_EQ(far.send(Kind::adopted, std::string(4 << 20, 'x'), {}, {}, no_deadline).error().fault, Fault::closed);
  });
  ASSERT_TRUE(near.wait({}, soon()));
  near.shut_down();
  EXPECT_EQ(near.receive(no_deadline).error().fault, Fault::closed);
}

TEST_F(ChannelTest, FramesBeforeTheOthersDeathAreReceived) {
  Pair mortal = socket_pair();
  Channel survivor(std::move(mortal.one));
  ASSERT_TRUE(survivor.send(Kind::offer, "never read", {}, {}, soon()));
  {
    Channel dying(std::move(mortal.other));
    ASSERT_TRUE(dying.send(Kind::adopted, "last words", {}, {}, soon()));
  }
  EXPECT_EQ(survivor.receive(soon())->record, "last words");
  EXPECT_EQ(survivor.receive(soon()).error().fault, Fault::closed);
  EXPECT_EQ(survivor.send(Kind::offer, "", {}, {}, soon()).error().fault, Fault::closed);
}

}  // namespace
}  // namespace baton::handoff
