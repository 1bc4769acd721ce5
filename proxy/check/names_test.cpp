#include "proxy/check/names.hpp"

#include <gtest/gtest.h>

#include <latch>
#include <vector>

namespace baton::check {
namespace {

using namespace std::chrono_literals;

void expect_no_waiting(const std::string& what) {
  ADD_FAILURE() << "waited for " << what;
}

TEST(Names, ThatHaveAnAddressAreFine) {
  EXPECT_TRUE(look_up_all({"127.0.0.1", "::1", "localhost"}, 60s, [](const std::string&) {}).empty());
  EXPECT_TRUE(look_up_all({}, 60s, expect_no_waiting).empty());
}

TEST(Names, ThatHaveNoneAreNamedWithTheReason) {
  std::set<std::string> hosts;
  for (int i = 0; i < 50; ++i) hosts.insert("host" + std::to_string(i));
  const auto unknown = look_up_all(
      hosts, 60s, [](const std::string&) {},
      [](const std::string& host) {
        return host == "host7" || host == "host8" ? std::optional("no " + host) : std::nullopt;
      });
  EXPECT_EQ(unknown, (std::map<std::string, std::string>{{"host7", "no host7"}, {"host8", "no host8"}}));
}

std::latch never_ends(1);

TEST(Names, ThatTakeTooLongAreGivenUpAndShownMeanwhile) {
  std::vector<std::string> shown;
  const auto unknown = look_up_all(
      {"a", "b", "c", "d", "e"}, 1200ms, [&](const std::string& what) { shown.push_back(what); },
      [](const std::string& host) -> std::optional<std::string> {
        if (host != "a") never_ends.wait();
        return std::nullopt;
      });
  EXPECT_EQ(unknown.size(), 4u);
  EXPECT_EQ(unknown.at("b"), "the host `b` could not be looked up within 1200 ms");
  ASSERT_FALSE(shown.empty());
  EXPECT_EQ(shown.back(), "b, c, d and 1 more");
  never_ends.count_down();
}

}  // namespace
}  // namespace baton::check
