// Bytes and descriptors that no honest side sends, and a kernel without room: nothing is trusted, nothing leaks.
#include <grp.h>
#include <malloc.h>

#include <thread>

#include "handoff/channel.hpp"
#include "handoff/testing/channel.hpp"

namespace baton::handoff {
namespace {

using namespace test;

struct Wire {
  Pair pair = socket_pair();
  int writer = pair.one.get();
  Channel reader{std::move(pair.other)};

  void end_of_file() { ::shutdown(writer, SHUT_WR); }
};

TEST(HostileChannel, EveryTruncationIsAClosedChannelAndLeaksNothing) {
  const UniqueFd file = new_file();
  const int numbers[] = {file.get(), file.get()};
  const std::string bytes = RawFrame::honest(Kind::offer, "record", "secret", 2).bytes();
  const std::size_t before = open_descriptors();
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    Wire wire;
    if (cut != 0) write_raw(wire.writer, bytes.substr(0, cut), numbers);
    wire.end_of_file();
    const auto frame = wire.reader.receive(soon());
    ASSERT_FALSE(frame) << "cut after " << cut;
    EXPECT_EQ(frame.error().fault, Fault::closed) << "cut after " << cut << ": " << frame.error().text;
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST(HostileChannel, ALieInTheHeaderEndsTheChannel) {
  struct Row {
    const char* name;
    RawFrame frame;
    std::size_t descriptors = 0;
  };
  const Row rows[] = {
      {"wrong magic", {.magic = 0x474e5558}},
      {"magic in the other byte order", {.magic = 0x4e544142}},
      {"header version 0", {.version = 0}},
      {"a later header version", {.version = limits::frame_version + 1}},
      {"record one byte over the limit", {.record_bytes = limits::record_bytes_max + 1}},
      {"the longest record that can be written", {.record_bytes = UINT32_MAX}},
      {"secrets one byte over the limit", {.secret_bytes = limits::secret_bytes_max + 1}},
      {"the longest secrets that can be written", {.secret_bytes = UINT32_MAX}},
      {"one descriptor named, none came", {.descriptors = 1}},
      {"the most descriptors that can be named", {.descriptors = UINT16_MAX}},
      {"three named, two came", {.descriptors = 3}, 2},
      {"one named, two came", {.descriptors = 1}, 2},
      {"none named, one came", {.descriptors = 0}, 1},
  };
  const UniqueFd file = new_file();
  const std::vector<int> numbers(4, file.get());
  const std::size_t before = open_descriptors();
  for (const Row& row : rows) {
    Wire wire;
    write_raw(wire.writer, row.frame.bytes(), std::span(numbers).first(row.descriptors));
    const auto frame = wire.reader.receive(soon());
    ASSERT_FALSE(frame) << row.name;
    EXPECT_EQ(frame.error().fault, Fault::malformed) << row.name << ": " << frame.error().text;
    EXPECT_EQ(wire.reader.receive(soon()).error().fault, Fault::malformed) << row.name << ": it stays unusable";
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST(HostileChannel, AFrameBeforeTheLieIsStillReceived) {
  Wire wire;
  write_raw(wire.writer, RawFrame::honest(Kind::adopted, "good").bytes() + "and now something quite different");
  EXPECT_EQ(wire.reader.receive(soon())->record, "good");
  EXPECT_EQ(wire.reader.receive(soon()).error().fault, Fault::malformed);
}

TEST(HostileChannel, ALyingLengthCostsNoMemory) {
  const auto in_use = [] {
    const auto info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
  };
  const std::size_t before = in_use();
  Wire wire;
  write_raw(wire.writer, RawFrame{.record_bytes = limits::record_bytes_max}.bytes() + "only this");
  ASSERT_FALSE(*wire.reader.try_receive());
  EXPECT_LT(in_use(), before + (1 << 20));
}

TEST(HostileChannel, DescriptorsInTheMiddleOfAFrameEndTheChannel) {
  const UniqueFd file = new_file();
  const int number = file.get();
  const std::string bytes = RawFrame::honest(Kind::offer, "record", "secret").bytes();
  const std::size_t before = open_descriptors();
  for (std::size_t at = 1; at < bytes.size(); ++at) {
    Wire wire;
    write_raw(wire.writer, bytes.substr(0, at));
    ASSERT_FALSE(*wire.reader.try_receive());
    write_raw(wire.writer, bytes.substr(at), {&number, 1});
    const auto frame = wire.reader.receive(soon());
    ASSERT_FALSE(frame) << "at byte " << at;
    EXPECT_EQ(frame.error().fault, Fault::malformed) << "at byte " << at;
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST(HostileChannel, DescriptorsOfTheNextFrameStayWithIt) {
  const UniqueFd first = new_file(), second = new_file();
  const int one = first.get(), other = second.get();
  Wire wire;
  write_raw(wire.writer, RawFrame::honest(Kind::offer, "one", "", 1).bytes(), {&one, 1});
  write_raw(wire.writer, RawFrame::honest(Kind::offer, "two", "", 1).bytes(), {&other, 1});
  const auto frame = wire.reader.receive(soon());
  const auto next = wire.reader.receive(soon());
  ASSERT_TRUE(frame && next);
  EXPECT_TRUE(same_file(frame->descriptors.at(0).get(), one));
  EXPECT_TRUE(same_file(next->descriptors.at(0).get(), other));
}

TEST(HostileChannel, OfDescriptorsThatFindNoRoomTheFirstComeAndTheRestIsCounted) {
  std::vector<UniqueFd> files(10);
  std::vector<int> numbers;
  for (UniqueFd& file : files) numbers.push_back((file = new_file()).get());
  Wire wire;
  write_raw(wire.writer, RawFrame::honest(Kind::offer, "record", "secret", numbers.size()).bytes(), numbers);
  write_raw(wire.writer, RawFrame::honest(Kind::bye, "").bytes());
  const std::size_t before = open_descriptors();
  {
    const FewDescriptors few(3);
    const auto frame = wire.reader.receive(soon());
    ASSERT_TRUE(frame) << frame.error().text;
    EXPECT_EQ(frame->descriptors_lost, 7u);
    ASSERT_EQ(frame->descriptors.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(same_file(frame->descriptors[i].get(), numbers[i])) << i;
    EXPECT_EQ(frame->record, "record");
    EXPECT_EQ(wire.reader.receive(soon())->kind, Kind::bye) << "the channel goes on";
  }
  EXPECT_EQ(open_descriptors(), before);
}

// The kernel limits descriptors in flight per user, but not for a privileged process.
TEST(HostileChannel, AnUnprivilegedSenderWaitsWhileTooManyDescriptorsAreUnderWay) {
  if (::geteuid() != 0) GTEST_SKIP() << "must be root to become somebody else";
  EXPECT_TRUE(in_child([]() -> std::string {
    const rlimit small{64, 64};
    constexpr uid_t somebody = 54321;  // an unused UID: no other process's descriptors count
    if (::setrlimit(RLIMIT_NOFILE, &small) != 0 || ::setgroups(0, nullptr) != 0 || ::setgid(somebody) != 0 ||
        ::setuid(somebody) != 0) {
      return "cannot become an ordinary user";
    }
    Wire wire;
    const UniqueFd file = new_file();
    const std::vector<int> numbers(10, file.get());
    const std::string frame = RawFrame::honest(Kind::offer, "", "", numbers.size()).bytes();
    std::size_t under_way = 0;
    ssize_t sent;
    while ((sent = write_raw(wire.writer, frame, numbers)) > 0) ++under_way;
    if (sent != -ETOOMANYREFS) return std::string("expected ETOOMANYREFS: ") + std::strerror(static_cast<int>(-sent));

    Channel sender(UniqueFd(::dup(wire.writer)));
    const auto in_vain = sender.send(Kind::bye, "", numbers, {}, Clock::now() + std::chrono::milliseconds(30));
    if (in_vain || in_vain.error().fault != Fault::timed_out) return "nobody read, and yet it was not out of time";

    std::string complaint;
    std::jthread reading([&] {
      for (std::size_t i = 0; i < under_way + 1; ++i) {
        const auto got = wire.reader.receive(soon());
        if (!got || got->descriptors_lost || got->descriptors.size() != numbers.size())
          complaint = "a frame is missing";
      }
    });
    if (auto late = sender.send(Kind::bye, "", numbers, {}, soon()); !late) return late.error().text;
    reading.join();
    return complaint;
  }));
}

}  // namespace
}  // namespace baton::handoff
