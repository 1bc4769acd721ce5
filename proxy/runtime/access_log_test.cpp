// The access log as a file: it never blocks its callers, and it can be rotated.
#include "proxy/runtime/access_log.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <thread>

#include "proxy/runtime/testing/pipe.hpp"

namespace baton::runtime {
namespace {

class AccessLogFile : public testing::Test {
 protected:
  AccessLogFile() {
    std::string name = testing::TempDir() + "access-log-XXXXXX";
    directory = ::mkdtemp(name.data());
    path = directory / "access.log";
  }
  ~AccessLogFile() override { std::filesystem::remove_all(directory); }

  static std::string content(const std::filesystem::path& file) {
    std::ostringstream all;
    all << std::ifstream(file).rdbuf();
    return all.str();
  }

  std::filesystem::path directory;
  std::string path;
};

TEST_F(AccessLogFile, HoldsEveryLineWhenTheLogIsGone) {
  {
    AccessLog log(path);
    log.write("one\n");
    log.write("two\nthree\n");
  }
  EXPECT_EQ(content(path), "one\ntwo\nthree\n");
}

TEST_F(AccessLogFile, IsAppendedTo) {
  {
    AccessLog(path).write("one\n");
  }
  {
    AccessLog(path).write("two\n");
  }
  EXPECT_EQ(content(path), "one\ntwo\n");
}

TEST_F(AccessLogFile, IsANewOneAfterRenameAndReopen) {
  const std::string rotated = path + ".1";
  {
    AccessLog log(path);
    std::filesystem::rename(path, rotated);
    log.write("one\n");
    while (content(rotated) != "one\n") std::this_thread::yield();
    log.reopen();
    log.write("two\n");
  }
  EXPECT_EQ(content(rotated), "one\n");
  EXPECT_EQ(content(path), "two\n");
}

TEST_F(AccessLogFile, GoesOnWhenItCannotBeReopened) {
  const std::string rotated = path + ".1";
  {
    AccessLog log(path);
    std::filesystem::rename(path, rotated);
    std::filesystem::create_directory(path);
    log.reopen();
    log.write("one\n");
  }
  EXPECT_EQ(content(rotated), "one\n");
}

TEST_F(AccessLogFile, ThatCannotBeOpenedIsAnErrorWithItsName) {
  try {
    AccessLog log(directory / "missing" / "access.log");
    FAIL();
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
    EXPECT_NE(std::string(error.what()).find("missing/access.log"), std::string::npos);
  }
}

TEST_F(AccessLogFile, AStuckReaderHoldsUpNobodyAndWhatDoesNotFitIsCounted) {
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  handoff::UniqueFd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  AccessLog log(path);
  const std::string megabyte = std::string(1024 * 1024 - 1, 'x') + "\n";
  constexpr int lines = 64;
  for (int i = 0; i < lines; ++i) log.write(megabyte);  // no reader: more than the pipe and the queue hold
  EXPECT_GE(log.lines_dropped(), lines - 10u);
  EXPECT_LE(log.lines_dropped(), lines - 8u);
  reader.reset();  // what is left fails at once
}

TEST_F(AccessLogFile, AFullDiskIsCountedAndNotWaitedFor) {
  AccessLog log("/dev/full");
  log.write("one\ntwo\n");
  while (log.lines_dropped() != 2) std::this_thread::yield();
}

TEST_F(AccessLogFile, DashIsStandardOutputAndReopeningLeavesItAlone) {
  TestPipe pipe;
  const handoff::UniqueFd saved(::dup(STDOUT_FILENO));
  ::dup2(pipe.writing.get(), STDOUT_FILENO);
  {
    AccessLog log("-");
    log.reopen();
    log.write("one\n");
  }
  ::dup2(saved.get(), STDOUT_FILENO);
  EXPECT_EQ(pipe.read_all(), "one\n");
}

}  // namespace
}  // namespace baton::runtime
