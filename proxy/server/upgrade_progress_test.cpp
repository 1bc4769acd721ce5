#include "proxy/server/upgrade_progress.hpp"

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <memory>
#include <thread>

namespace baton::proxy {
namespace {

// The handler of a timer that has expired cannot be cancelled, so it runs after the end.
TEST(UpgradeProgress, MayEndWhenItsTimerHasExpired) {
  boost::asio::io_context context;
  int lines = 0;
  auto progress =
      std::make_unique<UpgradeProgress>(context, [] { return 1; }, [&](std::string_view, bool) { ++lines; });
  progress->tell_periodically();
  std::this_thread::sleep_for(std::chrono::milliseconds(250));  // longer than from one line to the next
  boost::asio::post(context, [&] { progress.reset(); });
  context.run();
  EXPECT_EQ(lines, 1);
}

TEST(UpgradeProgress, SaysHowManyAreLeftAndThenTheResult) {
  boost::asio::io_context context;
  std::vector<std::string> lines;
  std::uint64_t here = 7;
  UpgradeProgress progress(
      context, [&] { return here; }, [&](std::string_view line, bool) { lines.emplace_back(line); });
  progress.begin_moving();
  here = 3;
  progress.begin_moving();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_NE(lines[0].find('7'), std::string::npos) << lines[0];
  EXPECT_NE(lines[1].find('3'), std::string::npos) << lines[1];
  progress.tell_result({"completed", "", {}});
  context.run();  // nothing more is to come
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_NE(lines[2].find("completed"), std::string::npos) << lines[2];
}

}  // namespace
}  // namespace baton::proxy
