#include "proxy/routing/path_rewrite.hpp"

#include <gtest/gtest.h>

#include "config/matched_path.hpp"

namespace baton::routing {
namespace {

std::string resolved(std::string_view path) {
  std::string space;
  return std::string(resolved_path(path, space));
}

std::string rewritten(const config::PathRewrite& rewrite, std::string_view path) {
  std::string out;
  rewrite_path(rewrite, resolved(path), out);
  return out;
}

TEST(ResolvedPath, KeepsWhatIsResolvedAlready) {
  for (const char* path : {"/", "/a", "/a/", "/a/b.c/..d/.e", "/%41/b%20c", "/a%", "/a%2", "/..."}) {
    EXPECT_EQ(resolved(path), path);
  }
}

TEST(ResolvedPath, ResolvesDotsAndSlashesInEverySpelling) {
  EXPECT_EQ(resolved("//a///b"), "/a/b");
  EXPECT_EQ(resolved("/a/./b/../c"), "/a/c");
  EXPECT_EQ(resolved("/a/.."), "/");
  EXPECT_EQ(resolved("/a/b/.."), "/a/");
  EXPECT_EQ(resolved("/a/."), "/a/");
  EXPECT_EQ(resolved("/../../a"), "/a");
  EXPECT_EQ(resolved("/a/%2e%2E/b"), "/b");
  EXPECT_EQ(resolved("/a/.%2e/b"), "/b");
  EXPECT_EQ(resolved("/a%2Fb%2f%2fc"), "/a/b/c");
  EXPECT_EQ(resolved("/a%2F..%2Fb"), "/b");
  EXPECT_EQ(resolved("/x%20y//z"), "/x%20y/z");
}

// What routes match is what they rewrite.
TEST(ResolvedPath, DecodesToTheMatchedPath) {
  for (const char* path : {"/", "//", "/a/../..//b/./%2e/c", "/%2F%2F", "/a%2fb/..", "/a/b/../", "/.", "/..", "/%",
                           "/a//", "/%2e%2e%2fa", "/a/...", "/a%25b", "/%2", "/./a"}) {
    std::string decoded;
    const std::string one = resolved(path);
    for (std::string_view rest = one; !rest.empty();) decoded += config::take_decoded(rest);
    EXPECT_EQ(decoded, config::MatchedPath(path).text()) << path;
  }
}

TEST(PathRewrite, StripsWholeSegments) {
  const config::PathRewrite rewrite{.strip_prefix = "/v1", .add_prefix = {}, .replace = {}, .regex = {}};
  EXPECT_EQ(rewritten(rewrite, "/v1/a"), "/a");
  EXPECT_EQ(rewritten(rewrite, "/v1"), "/");
  EXPECT_EQ(rewritten(rewrite, "/v1/"), "/");
  EXPECT_EQ(rewritten(rewrite, "/v12/a"), "/v12/a");
  EXPECT_EQ(rewritten(rewrite, "/a/v1"), "/a/v1");
  EXPECT_EQ(rewritten(rewrite, "//v1//a"), "/a");
  EXPECT_EQ(rewritten(rewrite, "/%76%31/%61%20"), "/%61%20");
  EXPECT_EQ(rewritten(rewrite, "/x/../v1/../v1/a"), "/a");
  EXPECT_EQ(rewritten(rewrite, "/v1%2Fa"), "/a");
}

TEST(PathRewrite, AddsAPrefix) {
  const config::PathRewrite rewrite{.strip_prefix = "/v1", .add_prefix = "/api/v 2", .replace = {}, .regex = {}};
  EXPECT_EQ(rewritten(rewrite, "/v1/a"), "/api/v%202/a");
  EXPECT_EQ(rewritten(rewrite, "/a"), "/api/v%202/a");
  EXPECT_EQ(rewritten(rewrite, "/v1/../../etc"), "/api/v%202/etc") << "nothing leaves the prefix";
}

TEST(PathText, CanStandInAPath) {
  const auto text = [](std::string_view from, PathText kind) {
    std::string out;
    append_to_path(from, kind, out);
    return out;
  };
  EXPECT_EQ(text("/a b%20\xc3\xa9\"<", PathText::path), "/a%20b%20%C3%A9%22%3C");
  EXPECT_EQ(text("../a?b#c\r\n%", PathText::value), "..%2Fa%3Fb%23c%0D%0A%25");
}

}  // namespace
}  // namespace baton::routing
