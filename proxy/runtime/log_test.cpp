#include "proxy/runtime/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <future>
#include <regex>
#include <sstream>
#include <vector>

#include "proxy/runtime/testing/pipe.hpp"

namespace baton::runtime {
namespace {

// Standard error is a pipe for as long as a test lasts.
class EventLog : public testing::Test {
 protected:
  EventLog() : saved_(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)) { ::dup2(pipe.writing.get(), STDERR_FILENO); }
  ~EventLog() override {
    restore();
    log::stop();
    log::set_writer({});
    log::set_format(log::Format::text);
  }

  void restore() { ::dup2(saved_.get(), STDERR_FILENO); }
  // Everything that was logged; ends the log.
  std::string text() {
    log::stop();
    restore();
    return pipe.read_all();
  }

  TestPipe pipe;

 private:
  const handoff::UniqueFd saved_;
};

TEST_F(EventLog, ALineIsTimeLevelTagAndText) {
  log::start(log::Level::debug);
  log::set_writer({"g1 4711", 1});
  log::debug("one {}", 1);
  log::info("two");
  log::warning("three");
  log::error("four");
  const std::string time = R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z )";
  const std::regex lines(time + R"(debug \[g1 4711\] one 1\n)" + time + R"(info  \[g1 4711\] two\n)" + time +
                         R"(warn  \[g1 4711\] three\n)" + time + R"(error \[g1 4711\] four\n)");
  const std::string written = text();
  EXPECT_TRUE(std::regex_match(written, lines)) << written;
}

TEST_F(EventLog, WhatIsBelowTheLevelIsNotWritten) {
  log::start(log::Level::warning);
  EXPECT_FALSE(log::enabled(log::Level::info));
  EXPECT_TRUE(log::enabled(log::Level::warning));
  log::info("quiet");
  log::write(log::Level::debug, "quiet");
  log::warning("loud");
  const std::string written = text();
  EXPECT_EQ(written.find("quiet"), std::string::npos);
  EXPECT_NE(written.find("loud"), std::string::npos);
}

TEST_F(EventLog, ALineIsOneLineWhateverIsInIt) {
  log::start(log::Level::info);
  log::info("a\nb\r\x1b[31m\x7F\xFF\xC2\x9Bz \u00e4\u20ac");
  const std::string written = text();
  EXPECT_EQ(written.find('\n'), written.size() - 1);
  EXPECT_THAT(written, testing::HasSubstr(" a\\nb\\x0D\\x1B[31m\\x7F\\xFF\\xC2\\x9Bz \u00e4\u20ac\n"));
}

TEST_F(EventLog, AVeryLongTextIsCutSoThatLinesOfTwoProcessesNeverMix) {
  log::start(log::Level::info);
  std::string text_of_characters;
  while (text_of_characters.size() < 10'000) text_of_characters += "\u20ac";
  log::write(log::Level::info, text_of_characters);
  log::write(log::Level::info, std::string(10'000, '\n'));
  const std::string written = text();
  const std::size_t end = written.find('\n');
  EXPECT_GT(end, 4000u);
  EXPECT_LE(end + 1, 4096u);
  EXPECT_TRUE(written.substr(0, end).ends_with("\u20ac..."));
  EXPECT_LE(written.size() - end - 1, 4096u);
  EXPECT_TRUE(written.ends_with("\\n...\n"));
}

TEST_F(EventLog, AsJsonALineIsAnObject) {
  log::set_format(log::Format::json);
  log::start(log::Level::debug);
  log::warning("before it has a {}", "generation");
  log::set_writer({"g1 4711", 1});
  log::of_request("id \"7\"", log::Level::debug, "of a request");
  log::info("a\nb\r\x1b[31m\x7F\xFF\xC2\x9Bz \"\u00e4\u20ac\\");
  const std::string time = R"(\{"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",)";
  const std::string pid = R"("pid":)" + std::to_string(::getpid());
  const std::regex lines(time + R"("level":"warn",)" + pid + R"(,"message":"before it has a generation"\}\n)" + time +
                         R"("level":"debug",)" + pid +
                         R"(,"generation":1,"request_id":"id \\"7\\"","message":"of a request"\}\n)" + time +
                         R"("level":"info",)" + pid + R"(,"generation":1,"message":.*\}\n)");
  const std::string written = text();
  EXPECT_TRUE(std::regex_match(written, lines)) << written;
  EXPECT_TRUE(
      written.ends_with("\"message\":\"a\\u000ab\\u000d\\u001b[31m\\u007f\uFFFD\\u009bz \\\"\u00e4\u20ac\\\\\"}\n"))
      << written;
}

TEST_F(EventLog, AsJsonALongLineIsCutAndStillAnObject) {
  log::set_format(log::Format::json);
  log::start(log::Level::info);
  log::of_request(std::string(10'000, '"'), log::Level::info, "{}", std::string(10'000, '\n'));
  const std::string written = text();
  EXPECT_LE(written.size(), 4096u);
  EXPECT_GT(written.size(), 4000u);
  EXPECT_THAT(written, testing::HasSubstr("\\\"...\",\"message\":\"\\u000a"));
  EXPECT_TRUE(written.ends_with("\\u000a...\"}\n")) << written;
}

TEST_F(EventLog, ItsFormatGoesToAProcessThatWeStart) {
  EXPECT_EQ(log::environment(), std::vector<std::string>());
  log::set_format(log::Format::json);
  const std::vector<std::string> variables = log::environment();
  ASSERT_EQ(variables.size(), 1u);
  log::set_format(log::Format::text);
  const std::size_t equals = variables[0].find('=');
  const std::string name = variables[0].substr(0, equals);
  ::setenv(name.c_str(), variables[0].substr(equals + 1).c_str(), 1);
  log::take_format_from_environment();
  EXPECT_EQ(log::format(), log::Format::json);
  EXPECT_EQ(std::getenv(name.c_str()), nullptr) << "it is for this process alone";
}

TEST_F(EventLog, KeepsTheOrderOfAThread) {
  log::start(log::Level::info);
  for (int i = 0; i < 500; ++i) log::info("number {}.", i);
  const std::string written = text();
  std::size_t at = 0;
  for (int i = 0; i < 500; ++i) {
    at = written.find("number " + std::to_string(i) + ".\n", at);
    ASSERT_NE(at, std::string::npos) << i;
  }
}

TEST_F(EventLog, StuckStandardErrorHoldsUpNeitherLoggingNorStopping) {
  pipe.fill();
  log::start(log::Level::info);
  for (int i = 0; i < 50'000; ++i) log::info("number {}", i);
  log::stop();
  log::info("nobody listens");
}

TEST_F(EventLog, ASlowReaderLearnsHowManyLinesAreLostAndSeesTheNewest) {
  pipe.fill();
  log::start(log::Level::info);
  for (int i = 0; i < 50'000; ++i) log::info("number {}.", i);
  const std::string written = pipe.read_until("number 49999.\n");
  EXPECT_TRUE(std::regex_search(written, std::regex(R"(warn  log: \d+ lines lost)")));
}

TEST_F(EventLog, BeforeStartAndAfterStopNothingHappens) {
  log::error("early");
  log::start(log::Level::info);
  log::stop();
  log::error("late");
  log::stop();
  EXPECT_EQ(text(), "");
}

TEST_F(EventLog, ManyThreadsMayLogWhileItStops) {
  log::start(log::Level::info);
  std::vector<std::future<void>> threads;
  for (int i = 0; i < 4; ++i) {
    threads.push_back(std::async(std::launch::async, [] {
      for (int line = 0; line < 200; ++line) log::info("line");
    }));
  }
  log::stop();
  threads.clear();
  for (std::istringstream lines(text()); !lines.eof();) {
    std::string line;
    std::getline(lines, line);
    EXPECT_TRUE(line.empty() || line.ends_with("Z info  line")) << line;
  }
}

}  // namespace
}  // namespace baton::runtime
