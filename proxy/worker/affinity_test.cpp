#include "proxy/worker/affinity.hpp"

#include <gtest/gtest.h>

#include <string>

namespace baton::proxy {
namespace {

using config::HashBy;

class AffinityTest : public testing::Test {
 protected:
  upstream::Affinity of(const std::string& target, const std::string& fields, const HashBy& by,
                        std::string_view client = "192.0.2.1") {
    raw_ = "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
    EXPECT_FALSE(http1::parse_request_head(raw_, {}, head_));
    upstream::UpstreamServers servers{.name = "app", .servers = {{}}};
    servers.balancing = {.balance = config::Balance::hash, .hash = by, .sticky = config::Sticky{}};
    return affinity_of(upstream::Upstream(servers), &head_, client);
  }

  std::string raw_;
  http1::RequestHead head_;
};

TEST_F(AffinityTest, HashesWhatItIsToldTo) {
  const HashBy header{HashBy::What::header, "X-User"};
  EXPECT_EQ(of("/", "x-uSER: bob\r\n", header).hash, of("/x", "X-User: bob\r\n", header).hash);
  EXPECT_NE(of("/", "X-User: bob\r\n", header).hash, of("/", "X-User: eve\r\n", header).hash);
  EXPECT_EQ(of("/", "", header).hash, 0U);
  const HashBy cookie{HashBy::What::cookie, "s"};
  EXPECT_EQ(of("/", "Cookie: a=1; s=7\r\n", cookie).hash, of("/", "Cookie: s=\"7\";b\r\n", cookie).hash);
  EXPECT_EQ(of("/", "Cookie: ss=7; S=7\r\n", cookie).hash, 0U) << "names of cookies have a case";
  const HashBy path{HashBy::What::path, ""};
  EXPECT_EQ(of("/a?x=1", "", path).hash, of("/a?x=2", "", path).hash);
  const HashBy uri{HashBy::What::uri, ""};
  EXPECT_NE(of("/a?x=1", "", uri).hash, of("/a?x=2", "", uri).hash);
  const HashBy client{HashBy::What::client, ""};
  EXPECT_NE(of("/", "", client).hash, of("/", "", client, "192.0.2.2").hash);
}

TEST_F(AffinityTest, ReadsOnlyCookiesOfOurForm) {
  const auto sticky = [&](const std::string& cookies) { return of("/", "Cookie: " + cookies + "\r\n", {}).sticky; };
  EXPECT_EQ(sticky("BATON_SERVER=00000000000000ff"), 255U);
  EXPECT_EQ(sticky("a=b;  BATON_SERVER = 00000000000000ff ;c=d"), 255U);
  for (const char* bad : {"BATON_SERVER=ff", "BATON_SERVER=", "BATON_SERVER=00000000000000fg", "BATON_SERVER",
                          "BATON_SERVER=-0000000000000ff", "XBATON_SERVER=00000000000000ff", ";;;=;"}) {
    EXPECT_EQ(sticky(bad), 0U) << bad;
  }
}

TEST(StickyCookie, SaysWhatBrowsersNeed) {
  EXPECT_EQ(sticky_cookie({}, 255, false), "BATON_SERVER=00000000000000ff; Path=/; HttpOnly; SameSite=Lax");
  EXPECT_EQ(sticky_cookie({}, 255, true), "BATON_SERVER=00000000000000ff; Path=/; HttpOnly; SameSite=Lax; Secure");
  const config::Sticky sticky{.cookie = "S",
                              .secure = config::CookieSecure::always,
                              .same_site = config::SameSite::none,
                              .max_age = std::chrono::hours(1)};
  EXPECT_EQ(sticky_cookie(sticky, 1, false),
            "S=0000000000000001; Path=/; HttpOnly; SameSite=None; Secure; Max-Age=3600");
}

}  // namespace
}  // namespace baton::proxy
