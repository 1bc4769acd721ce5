#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "config/client_identity.hpp"
#include "proxy/http1/head.hpp"

namespace baton::http1 {
namespace {

using namespace std::string_literals;

TEST(FieldNameLookup, FindsEveryKnownNameInAnyCase) {
  const std::pair<const char*, FieldName> names[] = {
      {"Connection", FieldName::connection},
      {"Content-Length", FieldName::content_length},
      {"Expect", FieldName::expect},
      {"Host", FieldName::host},
      {"Keep-Alive", FieldName::keep_alive},
      {"Proxy-Authenticate", FieldName::proxy_authenticate},
      {"Proxy-Authorization", FieldName::proxy_authorization},
      {"Proxy-Connection", FieldName::proxy_connection},
      {"TE", FieldName::te},
      {"Trailer", FieldName::trailer},
      {"Transfer-Encoding", FieldName::transfer_encoding},
      {"Upgrade", FieldName::upgrade},
      {"HTTP2-Settings", FieldName::http2_settings},
      {"User-Agent", FieldName::user_agent},
      {"Referer", FieldName::referer},
      {"Date", FieldName::date},
      {"Server", FieldName::server},
      {"Via", FieldName::via},
      {"Authorization", FieldName::authorization},
      {"Cookie", FieldName::cookie},
      {"Set-Cookie", FieldName::set_cookie},
      {"Cache-Control", FieldName::cache_control},
      {"Content-Encoding", FieldName::content_encoding},
      {"Content-Type", FieldName::content_type},
      {"Content-Range", FieldName::content_range},
      {"Max-Forwards", FieldName::max_forwards},
      {"WWW-Authenticate", FieldName::www_authenticate},
      {"Sec-WebSocket-Key", FieldName::sec_websocket_key},
  };
  EXPECT_EQ(std::size(names), static_cast<std::size_t>(FieldName::sec_websocket_key));
  for (const auto& [name, id] : names) {
    std::string text = name;
    EXPECT_EQ(field_name(text), id) << name;
    for (char& c : text) c = static_cast<char>(std::toupper(c));
    EXPECT_EQ(field_name(text), id) << name;
    for (char& c : text) c = static_cast<char>(std::tolower(c));
    EXPECT_EQ(field_name(text), id) << name;
    for (std::size_t i = 0; i < text.size(); ++i) {
      std::string changed = text;
      changed[i] = changed[i] == 'q' ? 'z' : 'q';
      EXPECT_EQ(field_name(changed), FieldName::other) << changed;
    }
    EXPECT_EQ(field_name(text + "x"), FieldName::other);
    EXPECT_EQ(field_name(text.substr(1)), FieldName::other);
  }
}

TEST(FieldNameLookup, SeesThroughOtherSpellings) {
  using enum FieldName;
  const std::pair<const char*, FieldName> names[] = {
      {"X-Forwarded-For", client_identity},
      {"x-forwarded-", client_identity},
      {"X_Forwarded-Proto", client_identity},
      {"X.Real.IP", client_identity},
      {"FORWARDED", client_identity},
      {"X-Original-Host", client_identity},
      {"X-Host", client_identity},
      {"x_host", client_identity},
      {"X-HTTP-Host-Override", client_identity},
      {"Proxy-Client-IP", client_identity},
      {"WL-Proxy-Client-IP", client_identity},
      {"WL_Proxy_Client_IP", client_identity},
      {"X-Original-Forwarded-For", client_identity},
      {"X-Originating-IP", client_identity},
      {"X-Remote-IP", client_identity},
      {"X-Remote-Addr", client_identity},
      {"Remote_Addr", client_identity},
      {"Forwarded-For", client_identity},
      {"X-Forwarded", client_identity},
      {"Client-IP", client_identity},
      {"X-ProxyUser-Ip", client_identity},
      {"HTTP_CLIENT_IP", client_identity},
      {"HTTP_X_FORWARDED_FOR", client_identity},
      {"Proxy", client_identity},
      {"pROXY", client_identity},
      {"X-Hosts", other},
      {"Proxies", other},
      {"HTTP_", with_underscore},
      {"HTTP_USER_AGENT", with_underscore},
      {"CF-Connecting-IP", other},
      {"Fastly-Client-IP", other},
      {"X-Forwarde-For", other},
      {"X-Real-IPs", other},
      {"X", other},
      {"Content_Length", misspelt_framing},
      {"transfer~encoding", misspelt_framing},
      {"Content_Type", with_underscore},
      {"Content.Type", other},
      {"_", with_underscore},
      {"Transfer_Encodings", with_underscore},
      {"a-name-that-is-longer-than-a-block_", with_underscore},
  };
  for (const auto& [name, id] : names) {
    EXPECT_EQ(field_name(name), id) << name;
    RequestHead head;
    const std::string raw = "GET / HTTP/1.1\r\n"s + name + ": a value of more than a block\r\n\r\n";
    ASSERT_FALSE(parse_request_head(raw, {}, head));
    EXPECT_EQ(head.fields[0].id, id) << name;
  }
}

TEST(EqualsIgnoringCase, FoldsLettersOnly) {
  EXPECT_TRUE(equals_ignoring_case("aBc-1", "AbC-1"));
  EXPECT_FALSE(equals_ignoring_case("abc", "abcd"));
  EXPECT_FALSE(equals_ignoring_case("@", "`"));
  EXPECT_FALSE(equals_ignoring_case("[", "{"));
  EXPECT_FALSE(equals_ignoring_case("-", "\r"));
}

// The configuration refuses the names that the data path ignores.
TEST(FieldNameLookup, KnowsTheNamesOfClientsThatTheConfigurationKnows) {
  std::vector<std::string> names(std::begin(config::client_identity_names), std::end(config::client_identity_names));
  names.insert(names.end(), {"x-forwarded-for", "x-forwarded-anything", "host", "x-api-key", "x-host-id",
                             "http-client-ip", "cookie", "cf-connecting-ip", "proxy-authorization"});
  for (const std::string& name : names) {
    for (const char separator : {'-', '_', '.'}) {
      std::string spelled = name;
      std::ranges::replace(spelled, '-', separator);
      for (const std::string& one : {spelled, "HTTP_" + spelled, "X" + spelled}) {
        EXPECT_EQ(config::names_client_identity(one), field_name(one) == FieldName::client_identity) << one;
      }
    }
  }
}

}  // namespace
}  // namespace baton::http1
