// The access log as a file: it never blocks its callers, and it can be rotated.
#include "proxy/access_log/access_log.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <thread>

#include "proxy/runtime/testing/pipe.hpp"

namespace baton::access_log {
namespace {

config::AccessLog to(const std::string& path) {
  return {.path = path};
}

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
    AccessLog log(to(path));
    log.write("one\n");
    log.write("two\nthree\n");
  }
  EXPECT_EQ(content(path), "one\ntwo\nthree\n");
}

TEST_F(AccessLogFile, IsAppendedTo) {
  {
    AccessLog(to(path)).write("one\n");
  }
  {
    AccessLog(to(path)).write("two\n");
  }
  EXPECT_EQ(content(path), "one\ntwo\n");
}

TEST_F(AccessLogFile, IsANewOneAfterRenameAndReopen) {
  const std::string rotated = path + ".1";
  {
    AccessLog log(to(path));
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
    AccessLog log(to(path));
    std::filesystem::rename(path, rotated);
    std::filesystem::create_directory(path);
    log.reopen();
    log.write("one\n");
  }
  EXPECT_EQ(content(rotated), "one\n");
}

TEST_F(AccessLogFile, ThatCannotBeOpenedIsAnErrorWithItsName) {
  try {
    AccessLog log(to(directory / "missing" / "access.log"));
    FAIL();
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
    EXPECT_NE(std::string(error.what()).find("missing/access.log"), std::string::npos);
  }
}

TEST_F(AccessLogFile, AStuckReaderHoldsUpNobodyAndWhatDoesNotFitIsCounted) {
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  handoff::UniqueFd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  AccessLog log(to(path));
  const std::string megabyte = std::string(1024 * 1024 - 1, 'x') + "\n";
  constexpr int lines = 64;
  for (int i = 0; i < lines; ++i) log.write(megabyte);  // no reader: more than the pipe and the queue hold
  EXPECT_GE(log.lines_dropped(), lines - 10u);
  EXPECT_LE(log.lines_dropped(), lines - 8u);
  reader.reset();  // what is left fails at once
}

TEST_F(AccessLogFile, AFullDiskIsCountedAndNotWaitedFor) {
  AccessLog log(to("/dev/full"));
  log.write("one\ntwo\n");
  while (log.lines_dropped() != 2) std::this_thread::yield();
}

TEST_F(AccessLogFile, DashIsStandardOutputAndReopeningLeavesItAlone) {
  runtime::TestPipe pipe;
  const handoff::UniqueFd saved(::dup(STDOUT_FILENO));
  ::dup2(pipe.writing.get(), STDOUT_FILENO);
  {
    AccessLog log(to("-"));
    log.reopen();
    log.write("one\n");
  }
  ::dup2(saved.get(), STDOUT_FILENO);
  EXPECT_EQ(pipe.read_all(), "one\n");
}

// A receiver of syslog on a Unix socket or by UDP.
class Receiver {
 public:
  explicit Receiver(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un name{.sun_family = AF_UNIX, .sun_path = {}};
    path.copy(name.sun_path, sizeof name.sun_path - 1);
    ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name);
    log.syslog = config::Address{.unix_path = path};
  }
  Receiver() : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name);
    socklen_t length = sizeof name;
    ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&name), &length);
    log.syslog = config::Address{.host = "127.0.0.1", .port = ntohs(name.sin_port)};
  }

  std::string next() const {
    std::string datagram(1000, '\0');
    datagram.resize(static_cast<std::size_t>(::recv(socket_.get(), datagram.data(), datagram.size(), 0)));
    return datagram;
  }

  config::AccessLog log;

 private:
  handoff::UniqueFd socket_;
};

TEST(Syslog, GetsEachLineAsADatagramWithoutItsEnd) {
  const Receiver receiver;
  AccessLog log(receiver.log);
  log.write("one\ntwo\n");
  log.write("three\n");
  for (const char* line : {"one", "two", "three"}) EXPECT_EQ(receiver.next(), line);
}

TEST_F(AccessLogFile, SyslogThatBeginsAnewGetsWhatComesThen) {
  const std::string socket = directory / "log";
  AccessLog log({.syslog = config::Address{.unix_path = socket}});
  log.write("nobody is there\n");
  while (log.lines_dropped() != 1) std::this_thread::yield();
  {
    const Receiver receiver(socket);
    log.write("one\n");
    EXPECT_EQ(receiver.next(), "one");
  }
  std::filesystem::remove(socket);
  const Receiver receiver(socket);
  log.write("two\n");
  EXPECT_EQ(receiver.next(), "two");
  EXPECT_EQ(log.lines_dropped(), 1U);
}

TEST_F(AccessLogFile, SyslogThatReadsNothingHoldsUpNobody) {
  const std::string socket = directory / "log";
  const Receiver receiver(socket);
  AccessLog log(receiver.log);
  const std::string lines = std::string(99'999, 'x') + "\n";
  for (int i = 0; i < 200; ++i) log.write(lines);
  EXPECT_GT(log.lines_dropped(), 0U);
}

}  // namespace
}  // namespace baton::access_log
