#include "proxy/routing/path_substitution.hpp"

#include <gtest/gtest.h>

#include "proxy/routing/path_rewrite.hpp"

namespace baton::routing {
namespace {

std::string substituted(const std::string& match, const std::string& replace, std::string_view path) {
  std::string space;
  std::string out;
  PathSubstitution({.match = match, .replace = replace}).apply(resolved_path(path, space), out);
  return out;
}

TEST(PathSubstitution, ReplacesTheFirstMatch) {
  EXPECT_EQ(substituted("^/old/(.*)$", "/new/$1", "/old/a/b"), "/new/a/b");
  EXPECT_EQ(substituted("^/u/([0-9]+)/([a-z]+)", "/${2}/$1", "/u/12/ab/c"), "/ab/12/c");
  EXPECT_EQ(substituted("\\.html$", "", "/a.html"), "/a");
  EXPECT_EQ(substituted("_", "-", "/a_b_c"), "/a-b_c");
  EXPECT_EQ(substituted("b+", "[$0]", "/abbbc"), "/a%5Bbbb%5Dc");
}

TEST(PathSubstitution, LeavesAPathWithoutAMatchAlone) {
  EXPECT_EQ(substituted("^/old/", "/new/", "/other//%20x"), "/other/%20x");
}

TEST(PathSubstitution, AGroupThatTakesNoPartIsEmpty) {
  EXPECT_EQ(substituted("^/a(b)?(c)?", "/$1-$2", "/ac"), "/-c");
}

TEST(PathSubstitution, SeesThePathDecodedAndKeepsItsEncoding) {
  EXPECT_EQ(substituted("^/old/(.*)$", "/new/$1", "/%6fld/%41%20%3Fb%25"), "/new/%41%20%3Fb%25");
  EXPECT_EQ(substituted("^/old/(.*)$", "/new/$1", "/x/..//old%2Fa"), "/new/a");
  EXPECT_EQ(substituted("a b", "c", "/x/a%20b/%20"), "/x/c/%20");
  EXPECT_EQ(substituted("\xff(.)", "$1", "/%FF%FE"), "/%FE") << "bytes stand for themselves";
}

TEST(PathSubstitution, EncodesWhatCannotStandInAPath) {
  EXPECT_EQ(substituted("^/a$", "/b c\"#\xc3\xa9%20", "/a"), "/b%20c%22%23%C3%A9%20");
}

TEST(PathSubstitution, KeepsTheEncodingOfTheReplacement) {
  EXPECT_EQ(substituted("^/p/([^/]+)/([^/]+)", "/p/$1%2f$2", "/p/a/b/c"), "/p/a%2fb/c") << "one segment to the server";
  EXPECT_EQ(substituted("^/(.*)$", "%2F$1", "/a"), "/%2Fa");
  EXPECT_EQ(substituted("^/(.)", "/$$1-$1$$", "/a"), "/$1-a$");
}

TEST(PathSubstitution, AResultBeginsWithOneSlash) {
  EXPECT_EQ(substituted("^/a/", "", "/a/b"), "/b");
  EXPECT_EQ(substituted("^/", "", "/"), "/");
  EXPECT_EQ(substituted("a", "/b", "/a"), "/b") << "two slashes would begin a host";
  EXPECT_EQ(substituted("^/a", "//b//", "/a/c"), "/b/c");
}

TEST(PathSubstitution, LeavesDotSegmentsToBeRefused) {
  EXPECT_EQ(substituted("^/x(.*)$", "/files/$1", "/x../y"), "/files/../y");
  EXPECT_EQ(substituted("^/x(.*)$", "/files/$1", "/x%2e./y"), "/files/%2e./y");
  EXPECT_EQ(substituted("^/x(.*)$", "/files%2F$1", "/x../y"), "/files%2F../y");
}

// RE2 takes time linear in the path; expressions that make others backtrack do not slow it.
TEST(PathSubstitution, LongPathsAreSubstitutedOnce) {
  const std::string path = "/" + std::string(1'000'000, 'a');
  EXPECT_EQ(substituted("^/(a+)+b", "/x", path), path);
  EXPECT_EQ(substituted("a(.*z)?", "/x", path), "/x" + std::string(999'999, 'a'));
}

}  // namespace
}  // namespace baton::routing
