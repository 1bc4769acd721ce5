#include "proxy/admin/authorization.hpp"

#include <gtest/gtest.h>

#include <initializer_list>
#include <utility>

namespace baton::admin {
namespace {

using Fields = std::initializer_list<std::pair<const char*, const char*>>;

bool is_foreign(Fields fields) {
  boost::beast::http::fields all;
  for (const auto& [name, value] : fields) all.insert(name, value);
  return is_of_another_site(all);
}

TEST(AnotherSite, IsWhatABrowserSaysOfARequest) {
  EXPECT_FALSE(is_foreign({{"Host", "x"}})) << "curl, `baton ctl`";
  EXPECT_FALSE(is_foreign({{"Host", "localhost:9901"}, {"Origin", "http://localhost:9901"}}));
  EXPECT_FALSE(is_foreign({{"Host", "127.0.0.1:9901"}, {"Sec-Fetch-Site", "same-origin"}}));
  EXPECT_FALSE(is_foreign({{"Host", "[::1]:9901"}, {"Origin", "http://[::1]:9901"}, {"Sec-Fetch-Site", "same-origin"}}));
  EXPECT_FALSE(is_foreign({{"Host", "127.0.0.1"}, {"Sec-Fetch-Site", "none"}})) << "typed by its user";
  EXPECT_TRUE(is_foreign({{"Host", "localhost:9901"}, {"Origin", "https://evil.example"}}));
  EXPECT_TRUE(is_foreign({{"Host", "localhost:9901"}, {"Origin", "null"}}));
  EXPECT_TRUE(is_foreign({{"Host", "localhost:9901"}, {"Sec-Fetch-Site", "cross-site"}}));
  EXPECT_TRUE(is_foreign({{"Host", "localhost:9901"}, {"Sec-Fetch-Site", "same-site"}}));
  EXPECT_TRUE(is_foreign({{"Host", "evil.example:9901"}, {"Origin", "http://evil.example:9901"}}))
      << "a name that leads here";
  EXPECT_TRUE(is_foreign({{"Origin", "http://"}})) << "without a host";
  EXPECT_TRUE(is_foreign({{"Host", "["}, {"Origin", "http://["}}));
  EXPECT_TRUE(is_foreign({{"Host", ""}, {"Origin", "http://"}}));
}

}  // namespace
}  // namespace baton::admin
