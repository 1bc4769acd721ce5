#include "proxy/runtime/line_writer.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <atomic>
#include <future>
#include <thread>

#include "proxy/runtime/testing/pipe.hpp"

namespace baton::runtime {
namespace {

using handoff::UniqueFd;
using std::chrono::milliseconds;
using WhenFull = LineWriter::WhenFull;

constexpr milliseconds enough{60'000};

LineWriter::Options options(WhenFull when_full, std::size_t bytes = 1 << 20) {
  return {bytes, when_full, [](std::uint64_t lines) { return "lost " + std::to_string(lines) + "\n"; }, {}};
}

TEST(LineWriter, WritesEverythingInOrder) {
  TestPipe pipe;
  std::string sent;
  std::future<std::string> read;
  {
    LineWriter writer(pipe.writing_copy(), options(WhenFull::drop_newest, 64 << 20));
    read = std::async(std::launch::async, [&] { return pipe.read_all(); });
    for (int i = 0; i < 20'000; ++i) {
      const std::string line = "line " + std::to_string(i) + "\n";
      sent += line;
      writer.write(line);
    }
    EXPECT_TRUE(writer.stop(enough));
    EXPECT_EQ(writer.lines_dropped(), 0u);
  }
  EXPECT_EQ(read.get(), sent);
}

int bytes_in(const TestPipe& pipe) {
  int bytes = 0;
  ::ioctl(pipe.reading.get(), FIONREAD, &bytes);
  return bytes;
}

// Fills the pipe except for one page. The writer fills that page and is in the middle of the second line when this
// returns.
void get_stuck(LineWriter& writer, TestPipe& pipe) {
  pipe.fill();
  const int full = bytes_in(pipe);
  char page[4096];
  ASSERT_EQ(::read(pipe.reading.get(), page, sizeof page), 4096);
  writer.write(std::string(4095, 'x') + "\nstuck\n");
  while (bytes_in(pipe) < full) std::this_thread::yield();
}

// A hundred of these fit into 5000 bytes.
std::string numbered(int number) {
  return fmt::format("line {:044}\n", number);
}

TEST(LineWriter, AStuckPipeHoldsUpNobodyAndTheOldestAreLost) {
  TestPipe pipe;
  LineWriter writer(pipe.writing_copy(), options(WhenFull::drop_oldest, 5000));
  get_stuck(writer, pipe);
  for (int i = 0; i < 1000; ++i) writer.write(numbered(i));
  EXPECT_EQ(writer.lines_dropped(), 900u);
  EXPECT_THAT(pipe.read_until(numbered(999)), testing::HasSubstr("stuck\nlost 900\n" + numbered(900) + numbered(901)));
}

TEST(LineWriter, AStuckPipeHoldsUpNobodyAndTheNewestAreLost) {
  TestPipe pipe;
  LineWriter writer(pipe.writing_copy(), options(WhenFull::drop_newest, 5000));
  get_stuck(writer, pipe);
  for (int i = 0; i < 1000; ++i) writer.write(numbered(i));
  EXPECT_EQ(writer.lines_dropped(), 900u);
  const std::string text = pipe.read_until(numbered(99));
  EXPECT_THAT(text, testing::HasSubstr("stuck\nlost 900\n" + numbered(0) + numbered(1)));
  EXPECT_THAT(text, testing::Not(testing::HasSubstr(numbered(100))));
}

TEST(LineWriter, StoppingAtAStuckPipeIsBoundedAndLeavesTheThreadUnharmed) {
  TestPipe pipe;
  {
    LineWriter writer(pipe.writing_copy(), options(WhenFull::drop_oldest));
    get_stuck(writer, pipe);
    EXPECT_FALSE(writer.stop(milliseconds(1)));
    EXPECT_TRUE(writer.stop(milliseconds(1))) << "the second time there is nothing to stop";
  }
  // The thread ends by itself once it can: then the writing end is closed.
  pipe.read_all();
}

TEST(LineWriter, ANonBlockingPipeIsWaitedFor) {
  TestPipe pipe;
  LineWriter writer(pipe.writing_copy(), options(WhenFull::drop_newest));
  get_stuck(writer, pipe);
  ::fcntl(pipe.writing.get(), F_SETFL, O_NONBLOCK);
  writer.write("last\n");
  EXPECT_NE(pipe.read_until("last\n").find("stuck\nlast\n"), std::string::npos);
  EXPECT_EQ(writer.lines_dropped(), 0u);
}

TEST(LineWriter, StoppingAtAStuckNonBlockingPipeIsBoundedToo) {
  TestPipe pipe;
  pipe.fill();
  ::fcntl(pipe.writing.get(), F_SETFL, O_NONBLOCK);
  {
    LineWriter writer(pipe.writing_copy(), options(WhenFull::drop_newest));
    writer.write("stuck\n");
    EXPECT_FALSE(writer.stop(milliseconds(1)));
  }
  // The thread gives up although the pipe stays full: then the writing end is closed.
  pipe.writing.reset();
  pollfd polled{pipe.reading.get(), 0, 0};
  while ((polled.revents & POLLHUP) == 0) ::poll(&polled, 1, -1);
  EXPECT_THAT(pipe.read_all(), testing::Not(testing::HasSubstr("stuck")));
}

TEST(LineWriter, ABrokenPipeIsToldOnceAndItsLinesAreCounted) {
  TestPipe pipe;
  std::promise<int> first;
  std::atomic<int> failures = 0;
  LineWriter::Options wanted = options(WhenFull::drop_newest);
  wanted.on_failure = [&](int error) {
    if (++failures == 1) first.set_value(error);
  };
  LineWriter writer(pipe.writing_copy(), std::move(wanted));
  pipe.reading.reset();
  writer.write("a\nb\n");
  EXPECT_EQ(first.get_future().get(), EPIPE);
  writer.write("c\n");
  EXPECT_TRUE(writer.stop(enough));
  EXPECT_EQ(failures, 1);
  EXPECT_EQ(writer.lines_dropped(), 3u);
}

// Simulates a full disk with a limit on file size.
class LineWriterToAFile : public testing::Test {
 protected:
  LineWriterToAFile() { ::getrlimit(RLIMIT_FSIZE, &usual_); }
  ~LineWriterToAFile() override { ::setrlimit(RLIMIT_FSIZE, &usual_); }

  void limit_file(rlim_t bytes) const {
    const rlimit limited{bytes, usual_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limited);
  }
  static std::string content(int file) {
    char bytes[100];
    const ssize_t count = ::pread(file, bytes, sizeof bytes, 0);
    return std::string(bytes, count > 0 ? static_cast<std::size_t>(count) : 0);
  }

  rlimit usual_{};
};

TEST_F(LineWriterToAFile, ALineThatIsCutShortDoesNotRunIntoTheNextOne) {
  const int file = ::memfd_create("log", MFD_CLOEXEC);
  LineWriter writer(UniqueFd(file), options(WhenFull::drop_newest));
  limit_file(10);
  writer.write("0123456789abc\nlost as well\n");
  while (writer.lines_dropped() != 2) std::this_thread::yield();
  limit_file(usual_.rlim_cur);
  writer.write("whole\n");
  EXPECT_TRUE(writer.stop(enough));
  EXPECT_EQ(content(file), "0123456789\nwhole\n");
}

TEST_F(LineWriterToAFile, ANewFileHasNoLineToEnd) {
  const int file = ::memfd_create("log", MFD_CLOEXEC);
  LineWriter writer(UniqueFd(::memfd_create("old", MFD_CLOEXEC)), options(WhenFull::drop_newest));
  limit_file(10);
  writer.write("0123456789abc\n");
  while (writer.lines_dropped() != 1) std::this_thread::yield();
  writer.replace(UniqueFd(file));
  writer.write("whole\n");
  EXPECT_TRUE(writer.stop(enough));
  EXPECT_EQ(content(file), "whole\n");
}

TEST(LineWriter, ToAPipeWholeLinesGoInOnePieceEach) {
  TestPipe pipe;
  ASSERT_EQ(::fcntl(pipe.writing.get(), F_SETFL, O_DIRECT), 0) << "each write can then be read as one packet";
  LineWriter writer(pipe.writing_copy(), options(WhenFull::drop_newest));
  std::string lines;
  for (int i = 0; i < 100; ++i) lines += std::string(100 + i * 3, 'x') + "\n";
  writer.write(lines);
  std::string read;
  char packet[4096];
  while (read.size() < lines.size()) {
    const ssize_t count = ::read(pipe.reading.get(), packet, sizeof packet);
    ASSERT_GT(count, 0);
    EXPECT_EQ(packet[count - 1], '\n');
    read.append(packet, static_cast<std::size_t>(count));
  }
  EXPECT_EQ(read, lines);
}

}  // namespace
}  // namespace baton::runtime
