// Which of its admin addresses identifies an instance, and so which upgrades may change them.
#include "proxy/server/admin_sockets.hpp"

#include <gtest/gtest.h>

#include "config/address.hpp"

namespace baton::proxy {
namespace {

std::vector<config::Address> list_of(const std::vector<std::string>& texts) {
  std::vector<config::Address> addresses;
  for (const std::string& text : texts) addresses.push_back(config::parse_address(text).value());
  return addresses;
}

TEST(AdminKnownAs, TheFirstPathElseTheFirstAddress) {
  EXPECT_EQ(admin_known_as(list_of({"a:1", "unix:/a", "unix:/b"})), "unix:/a");
  EXPECT_EQ(admin_known_as(list_of({"a:1", "b:2"})), "a:1");
  EXPECT_EQ(admin_known_as({}), "");
}

TEST(AdminKnownAs, StaysWhatItWas) {
  EXPECT_EQ(admin_known_as(list_of({"unix:/a", "unix:/b"}), "unix:/b"), "unix:/b");
  EXPECT_EQ(admin_known_as(list_of({"unix:/a", "a:1"}), "a:1"), "a:1");
  EXPECT_EQ(admin_known_as(list_of({"unix:/a", "b:2"}), "a:1"), "b:2");
}

// As a successor decides it.
bool may_succeed(const std::string& theirs, const std::vector<config::Address>& ours) {
  return !theirs.starts_with("unix:") || admin_known_as(ours, theirs) == theirs;
}

TEST(AdminKnownAs, LeavesTheWayBackOpenAfterEachUpgrade) {
  std::vector<std::vector<config::Address>> lists;
  const std::vector<std::string> some{"unix:/a", "unix:/b", "x:1", "y:2"};
  for (const auto& one : some) {
    lists.push_back(list_of({one}));
    for (const auto& two : some) {
      if (one == two) continue;
      lists.push_back(list_of({one, two}));
      for (const auto& three : some) {
        if (three != one && three != two) lists.push_back(list_of({one, two, three}));
      }
    }
  }
  int upgrades = 0;
  for (const auto& before : lists) {
    for (const auto& after : lists) {
      const std::string first = admin_known_as(before);
      if (!may_succeed(first, after)) continue;
      ++upgrades;
      const std::string then = admin_known_as(after, first);
      EXPECT_TRUE(may_succeed(then, before)) << first << " " << then;
    }
  }
  EXPECT_GT(upgrades, 500);
}

}  // namespace
}  // namespace baton::proxy
