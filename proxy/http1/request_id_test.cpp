#include "proxy/http1/request_id.hpp"

#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <string>

namespace baton::http1 {
namespace {

std::string id_at(std::int64_t unix_ms, RandomBytes& random) {
  const auto id = make_request_id(unix_ms, random);
  return {id.begin(), id.end()};
}

// RFC 9562 appendix A.6 has the time of this example.
TEST(RequestId, IsAUuidOfVersion7WithItsTime) {
  RandomBytes random;
  const std::string id = id_at(0x017F22E279B0, random);
  EXPECT_TRUE(std::regex_match(id, std::regex("017f22e2-79b0-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"))) << id;
  EXPECT_TRUE(is_request_id(id));
}

TEST(RequestId, IsAnotherEachTimeAndSortsByTime) {
  RandomBytes random;
  std::set<std::string> ids;
  for (int i = 0; i < 10'000; ++i) ids.insert(id_at(1'700'000'000'000, random));
  EXPECT_EQ(ids.size(), 10'000u);
  EXPECT_LT(id_at(1'700'000'000'000, random), id_at(1'700'000'000'001, random));
}

TEST(RequestId, HasNothingThatEndsAFieldOrALogLine) {
  for (const char* good : {"a", "0123-abc_D.~+/=:@"}) EXPECT_TRUE(is_request_id(good)) << good;
  EXPECT_TRUE(is_request_id(std::string(128, 'a')));
  for (const char* bad : {"", "a b", "a\"", "a,b", "a;b", "a\\", "\xc3\xa9", "<a>", "a\t", "{a}"}) {
    EXPECT_FALSE(is_request_id(bad)) << bad;
  }
  EXPECT_FALSE(is_request_id(std::string(129, 'a')));
  EXPECT_FALSE(is_request_id(std::string_view("a\0", 2)));
}

TEST(Traceparent, BeginsASampledTrace) {
  RandomBytes random;
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const auto made = make_traceparent(random);
    const std::string text(made.begin(), made.end());
    EXPECT_TRUE(std::regex_match(text, std::regex("00-[0-9a-f]{32}-[0-9a-f]{16}-01"))) << text;
    seen.insert(text);
  }
  EXPECT_EQ(seen.size(), 100u);
}

}  // namespace
}  // namespace baton::http1
