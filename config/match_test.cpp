#include "config/match.hpp"

#include <gtest/gtest.h>

#include "config/config.hpp"

namespace baton::config {
namespace {

using Parse = Parsed<std::string>(std::string_view);

void expect_all(Parse parse, std::initializer_list<std::pair<std::string_view, std::string_view>> cases) {
  for (const auto& [text, result] : cases) {
    const auto parsed = parse(text);
    EXPECT_EQ(parsed ? *parsed : parsed.error(), result) << text;
  }
}

TEST(MatchHost, IsAName) {
  expect_all(parse_match_host, {{"example.com", "example.com"},
                                {"API.Example.COM", "api.example.com"},
                                {"example.com.", "example.com"},
                                {"localhost", "localhost"},
                                {"my_app", "my_app"},
                                {"xn--bcher-kva.example", "xn--bcher-kva.example"}});
}

TEST(MatchHost, IsAllBelowAName) {
  expect_all(parse_match_host, {{"*.example.com", "*.example.com"}, {"*.COM.", "*.com"}});
}

TEST(MatchHost, IsAnAddress) {
  expect_all(parse_match_host, {{"10.0.0.1", "10.0.0.1"},
                                {"::1", "[::1]"},
                                {"[::1]", "[::1]"},
                                {"2001:DB8:0:0::1", "[2001:db8::1]"},
                                {"[::ffff:10.0.0.1]", "[::ffff:10.0.0.1]"}});
}

TEST(MatchHost, IsNothingElse) {
  expect_all(parse_match_host,
             {{"", "a host is missing"},
              {"*", "`*` means every host; leave out `host` instead"},
              {"a.*.com", "`a.*.com`: `*` must be the whole first label, as in `*.example.com`"},
              {"*a.com", "`*a.com`: `*` must be the whole first label, as in `*.example.com`"},
              {"*.*.com", "`*.*.com`: `*` must be the whole first label, as in `*.example.com`"},
              {"*.", "`` is not a host name; write it like api.example.com"},
              {"*.10.0.0.1", "`10.0.0.1` is an IP address, which has no hosts below it"},
              {"example.com:443",
               "`example.com:443` must not have a port; a route matches a host on every port; write `example.com`"},
              {"[::1]:80", "`[::1]:80` must not have a port; a route matches a host on every port; write `[::1]`"},
              {"https://Example.com/a", "`https://Example.com/a` must be a host, not a URL; write `Example.com`"},
              {"example.com/", "`example.com/` must be a host, not a URL; write `example.com`"},
              {"a/b c", "`a/b c` must be a host, not a URL; write `a`"},
              {"b\xc3\xbc"
               "cher.example",
               "`b\xc3\xbc"
               "cher.example` must be in ASCII, as in DNS: `xn--...`"},
              {"a b", "`a b` is not a host name; write it like api.example.com"},
              {"a..b", "`a..b` is not a host name; write it like api.example.com"},
              {"-a.b", "`-a.b` is not a host name; write it like api.example.com"},
              {"10.0.0.256", "`10.0.0.256` is not a host name; write it like api.example.com"},
              {"[::g]", "`[::g]` is not an IPv6 address"},
              {"fe80::1%eth0", "`fe80::1%eth0` must not have a port; a route matches a host on every port"}});
}

TEST(MatchPath, IsAPathAsItIsMatched) {
  expect_all(parse_match_path, {{"/", "/"},
                                {"/status", "/status"},
                                {"/status/", "/status/"},
                                {"/.well-known/a b", "/.well-known/a b"},
                                {"/caf\xc3\xa9", "/caf\xc3\xa9"},
                                {"/100%", "/100%"}});
}

TEST(MatchPath, IsNothingElse) {
  const std::string not_matched =
      " would never match: percent-encoding is removed from paths, and `//`, `.` and `..` are resolved";
  const std::string star = ": `*` is not a wildcard in a path; `path_prefix` matches everything below one";
  expect_all(parse_match_path, {{"", "a path is missing; write `/`"},
                                {"status", "`status` must begin with `/`; write `/status`"},
                                {"/a?b", "`/a?b` must not have a query; write `/a`"},
                                {"/a#b", "`/a#b` must not have a fragment; write `/a`"},
                                {"/%76%31", "`/%76%31`" + not_matched + "; write `/v1`"},
                                {"/a/../b", "`/a/../b`" + not_matched + "; write `/b`"},
                                {"/a/.", "`/a/.`" + not_matched + "; write `/a/`"},
                                {"//a", "`//a`" + not_matched + "; write `/a`"},
                                {"/%2576", "`/%2576`" + not_matched},
                                {"/v1/*", "`/v1/*`" + star + "; write `path_prefix: /v1`"},
                                {"/*", "`/*`" + star + "; write `path_prefix: /`"},
                                {"/a/*/b", "`/a/*/b`" + star}});
  const std::string longest = "/" + std::string(route_path_bytes_max - 1, 'a');
  EXPECT_EQ(parse_match_path(longest), longest);
  EXPECT_EQ(parse_match_path(longest + "a").error(), "a path must not be longer than 1024 bytes, this one has 1025");
}

TEST(MatchPrefix, MayEndInASlash) {
  expect_all(parse_match_prefix, {{"/", "/"}, {"/v1", "/v1"}, {"/v1/", "/v1"}});
}

TEST(MatchPrefix, IsNothingElse) {
  const std::string star = ": `*` is not a wildcard in a path; `path_prefix` matches everything below one";
  expect_all(parse_match_prefix, {{"v1", "`v1` must begin with `/`; write `/v1`"},
                                  {"/v1/*", "`/v1/*`" + star + "; write `/v1`"},
                                  {"/*", "`/*`" + star + "; write `/`"}});
}

TEST(MatchText, IsOneWord) {
  EXPECT_EQ(Match().text(), "*");
  EXPECT_EQ((Match{.hosts = {"a.b", "*.a.b"}}.text()), "a.b,*.a.b");
  EXPECT_EQ((Match{.hosts = {"a.b"}, .path = "/c"}.text()), "a.b/c");
  EXPECT_EQ((Match{.hosts = {"a.b"}, .path_prefix = "/c"}.text()), "a.b/c/*");
  EXPECT_EQ((Match{.path_prefix = "/"}.text()), "/*");
}

}  // namespace
}  // namespace baton::config
