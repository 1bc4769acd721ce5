#include "config/matched_path.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "config/testing/slow_path.hpp"

namespace baton::config {
namespace {

std::string matched(std::string_view path) {
  return std::string(MatchedPath(path).text());
}

TEST(MatchedPath, IsAnOrdinaryPathAsItCame) {
  for (const std::string path : {"/", "/a", "/a/", "/a/b.c", "/a..b/.c", "/a;b=c/@d"}) EXPECT_EQ(matched(path), path);
}

TEST(MatchedPath, EndsBeforeTheQuery) {
  EXPECT_EQ(matched("/a?b=/../c"), "/a");
  EXPECT_EQ(matched("/?"), "/");
  EXPECT_EQ(matched("/%61/../b?/../%62"), "/b");
}

TEST(MatchedPath, HasNoPercentEncoding) {
  EXPECT_EQ(matched("/%76%31"), "/v1");
  EXPECT_EQ(matched("/caf%C3%a9"), "/caf\xc3\xa9");
  EXPECT_EQ(matched("/a%3Fb%23c"), "/a?b#c");
  EXPECT_EQ(matched("/a%2fb%2F"), "/a/b/");
}

TEST(MatchedPath, IsDecodedOnce) {
  EXPECT_EQ(matched("/%2576"), "/%76");
  EXPECT_EQ(matched("/%252e%252e/a"), "/%2e%2e/a");
}

TEST(MatchedPath, KeepsWhatOnlyLooksEncoded) {
  for (const std::string path : {"/%", "/%4", "/%4g", "/%g4/", "/100%/a"}) EXPECT_EQ(matched(path), path);
}

TEST(MatchedPath, HasNoDotSegments) {
  EXPECT_EQ(matched("/v1/../admin"), "/admin");
  EXPECT_EQ(matched("/a/./b"), "/a/b");
  EXPECT_EQ(matched("/a/b/.."), "/a/");
  EXPECT_EQ(matched("/a/b/."), "/a/b/");
  EXPECT_EQ(matched("/../../a"), "/a");
  EXPECT_EQ(matched("/.."), "/");
  EXPECT_EQ(matched("/a/%2e%2E/b"), "/b");
  EXPECT_EQ(matched("/a%2F..%2Fb"), "/b");
  EXPECT_EQ(matched("/.../..a/a../.a"), "/.../..a/a../.a");
}

TEST(MatchedPath, HasNoEmptySegments) {
  EXPECT_EQ(matched("//admin"), "/admin");
  EXPECT_EQ(matched("/a///b//"), "/a/b/");
  EXPECT_EQ(matched("/a//../b"), "/b");
}

TEST(MatchedPath, MayBeCutBehindWhatAnyRouteHas) {
  const std::string longest = "/" + std::string(MatchedPath::bytes_max - 1, 'a');
  EXPECT_EQ(matched("/." + longest + "bcd"), longest);
}

// Cutting does not end the path: `..` beyond the cut leads back to the right segment.
TEST(MatchedPath, LeadsUpFromBehindTheCut) {
  for (std::size_t bytes = MatchedPath::bytes_max - 6; bytes <= MatchedPath::bytes_max + 3; ++bytes) {
    const std::string first = "/" + std::string(bytes, 'a');
    for (const std::string more : {"/b/../..", "/b/c/../../..", "/b/./c//../../../", "/bcdefg/../.."}) {
      EXPECT_EQ(matched("//x" + first + more + "/y"), "/x/y") << bytes << more;
    }
  }
}

TEST(MatchedPath, IsWhatTheSlowWaySays) {
  constexpr std::string_view pieces[] = {
      "/",   "/",   "/.",  "/..", "a",   "b.c",  ".",
      "..",  "%2e", "%2F", "%2f", "%61", "%",    "%4",
      "%00", "?",   ";",   "\\",  "//",  "/../", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
  std::mt19937 random(5);
  for (int round = 0; round < 100'000; ++round) {
    std::string path = "/";
    const std::size_t count = random() % (round % 100 == 0 ? 400 : 12);
    for (std::size_t i = 0; i < count; ++i) path += pieces[random() % std::size(pieces)];
    EXPECT_EQ(matched(path), slowly_matched(path).substr(0, MatchedPath::bytes_max)) << path;
  }
}

}  // namespace
}  // namespace baton::config
