// Answers and access of routes: what loads and to which values, what is refused, and what prints and reads back.
#include "config/gate_schema.hpp"

#include <gmock/gmock.h>

#include "config/load.hpp"
#include "config/testing/load.hpp"
#include "config/testing/refusals.hpp"

namespace baton::config {
namespace {

// A file whose first route, in line 8, has these keys.
std::string with_route(const std::string& keys) {
  return minimal + "routes: [ { " + keys + " } ]\n";
}

Gate gate_of(const std::string& keys) {
  const Config config = config_of(with_route(keys));
  EXPECT_EQ(config_of(print(config)), config) << print(config);
  return config.routes.empty() ? Gate{} : config.routes.front().gate;
}

Network network(std::string_view text) {
  return parse_network(text).value();
}

TEST(GateSchema, Responds) {
  EXPECT_EQ(gate_of("respond: { status: 204 }").respond, Respond{.status = 204});
  EXPECT_EQ(gate_of("respond: { body: \"ok\\n\\ta \\\"b\\\" $${HOST}\" }").respond,
            (Respond{.status = 200, .body = "ok\n\ta \"b\" ${HOST}"}));
  EXPECT_EQ(gate_of("respond: { status: 503, file: /s.html, content_type: \"text/html; charset=utf-8\" }").respond,
            (Respond{.status = 503, .file = File{"/s.html", {}}, .content_type = "text/html; charset=utf-8"}));
  EXPECT_EQ(gate_of("respond: { body: \"\" }").respond, (Respond{.body = ""}));
}

TEST(GateSchema, RedirectsFoundUnlessItSaysOtherwise) {
  EXPECT_EQ(gate_of("redirect: { to: /new }").redirect, (Redirect{"/new", 302}));
  EXPECT_EQ(gate_of("redirect: { to: \"https://b.example/?a=b#c\", status: 308 }").redirect,
            (Redirect{"https://b.example/?a=b#c", 308}));
}

TEST(GateSchema, RedirectsMayHavePlaceholders) {
  for (const char* to :
       {"https://{host}{uri}", "{scheme}://www.{host}:{port}/x?{query}", "/new{path}", "{uri}", "/a/{header.x}"}) {
    EXPECT_EQ(gate_of("redirect: { to: \"" + std::string(to) + "\" }").redirect, (Redirect{to, 302})) << to;
  }
}

TEST(GateSchema, ReadsRangesOfClients) {
  const Access access = gate_of("upstream: app, access: { allow: 10.0.0.0/8, deny: [ 10.6.6.0/24, \"::1\" ] }").access;
  EXPECT_EQ(access.allow, std::vector{network("10.0.0.0/8")});
  EXPECT_EQ(access.deny, (std::vector{network("10.6.6.0/24"), network("::1")}));
}

TEST(GateSchema, ReadsErrorPages) {
  const Config config = config_of(minimal + "error_pages: { 502: /502.html, 404: /404.html }\n");
  EXPECT_EQ(config.error_pages, (std::map<std::uint16_t, File>{{404, {"/404.html", {}}}, {502, {"/502.html", {}}}}));
  EXPECT_EQ(config_of(print(config)), config);
}

TEST(GateSchema, ReadsWhereThePasswordsAre) {
  EXPECT_EQ(gate_of("upstream: app, basic_auth: { file: /p }").basic_auth, (BasicAuth{"restricted", {"/p", {}}}));
  EXPECT_EQ(gate_of("upstream: app, basic_auth: { realm: \"the office\", file: /p }").basic_auth,
            (BasicAuth{"the office", {"/p", {}}}));
}

TEST(GateSchema, ReadsMaintenance) {
  const Config config =
      config_of(minimal + "maintenance: { file: /m.html, status: 500, allow: 10.0.0.0/8, retry_after: 5m }\n");
  const Maintenance expected{File{"/m.html", {}}, 500, {network("10.0.0.0/8")}, Milliseconds(300'000)};
  EXPECT_EQ(config.maintenance, expected);
  EXPECT_EQ(config_of(print(config)), config);
  EXPECT_EQ(config_of(minimal + "maintenance: {}\n").maintenance, Maintenance{});
}

class RefusedGates : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedGates, NamePlaceAndReason) {
  expect_refused(GetParam());
}

const Refusal gates[] = {
    {"NoAction", with_route("name: a"), {"f:8:11: `upstream` is missing on a route"}},
    {"TwoActions",
     with_route("upstream: app, respond: { status: 200 }"),
     {"f:8:37: `respond`: a route has only one of `upstream`, `split`, `redirect` and `respond`"}},
    {"NoStatus", with_route("respond: { status: 99 }"), {"f:8:32: `status`: `99` must be from 200 to 599"}},
    {"BodyAndFile",
     with_route("respond: { body: a, file: /b }"),
     {"f:8:39: `file`: a response has either `body` or `file`, not both"}},
    {"ContentWhereThereIsNone",
     with_route("respond: { status: 204, body: a }"),
     {"f:8:22: `respond`: a response with status 204 has no content"}},
    {"ControlInABody",
     with_route("respond: { body: \"a\\eb\" }"),
     {"f:8:30: `body`: `a?b` must be UTF-8 without control"}},
    {"RelativeFile", with_route("respond: { file: a.html }"), {"f:8:30: `file`: `a.html` must be the absolute path"}},
    {"NoMediaType",
     with_route("respond: { body: a, content_type: html }"),
     {"f:8:47: `content_type`: `html` is not a media type; write one such as `text/html`"}},
    {"StatusAlone",
     with_route("respond: 404"),
     {"f:8:22: `respond`: expected keys with values, as in `{ status: 404 }`"}},
    {"NoTarget", with_route("redirect: { status: 301 }"), {"f:8:23: `to` is missing in `redirect`"}},
    {"NoRedirect",
     with_route("redirect: { to: /a, status: 304 }"),
     {"f:8:41: `status`: `304` is not a redirect; write 301, 302, 303, 307 or 308"}},
    {"TargetOfTwoSlashes",
     with_route("redirect: { to: //b.example/ }"),
     {"f:8:29: `to`: `//b.example/` names a host without a scheme; write `https://b.example/`"}},
    {"TargetWithABackslash",
     with_route("redirect: { to: '/\\b' }"),
     {"f:8:29: `to`: `/\\b` must not have a backslash, which browsers take for a slash"}},
    {"TargetOfAnotherScheme",
     with_route("redirect: { to: \"javascript:a\" }"),
     {"f:8:29: `to`: `javascript:a` must be a path that begins with `/`, or a URL such as"}},
    {"TargetWithoutAHost",
     with_route("redirect: { to: \"https:///a\" }"),
     {"f:8:29: `to`: `https:///a` must be a path that begins with `/`, or a URL such as"}},
    {"TargetOfTheClientsChoice",
     with_route("redirect: { to: \"https://{header.x}/\" }"),
     {"f:8:29: `to`: `https://{header.x}/` would let a client choose the host; put a `/` before that placeholder"}},
    {"TargetWithAPlaceholderBehindTheHost",
     with_route("redirect: { to: \"https://a.example{query}\" }"),
     {"f:8:29: `to`: `https://a.example{query}` would let a client choose the host"}},
    {"TargetWithAnUnknownPlaceholder",
     with_route("redirect: { to: \"/{nothing}\" }"),
     {"f:8:29: `to`: there is no placeholder `{nothing}`"}},
    {"TargetWithABlank",
     with_route("redirect: { to: /a b }"),
     {"f:8:29: `to`: `/a b` must be ASCII without blanks; write other bytes as `%20`"}},
    {"TargetWithALineEnd",
     with_route("redirect: { to: \"/a\\r\\nX: y\" }"),
     {"f:8:29: `to`: `/a??X: y` must be one line of UTF-8"}},
    {"NoRange", with_route("upstream: app, access: { allow: [ 10.0.0.0/33 ] }"), {"f:8:47: `allow`: `10.0.0.0/33`"}},
    {"NoRanges",
     with_route("upstream: app, access: { deny: [] }"),
     {"f:8:44: `deny`: the list is empty; leave it out, or name a range such as `10.0.0.0/8`"}},
    {"NeitherAllowNorDeny",
     with_route("upstream: app, access: {}"),
     {"f:8:36: `access`: expected `allow` or `deny` with address ranges"}},
    {"NoPasswordFile",
     with_route("upstream: app, basic_auth: { realm: a }"),
     {"f:8:40: `file` is missing in `basic_auth`"}},
    {"RealmWithAQuote",
     with_route("upstream: app, basic_auth: { realm: 'a\"b', file: /p }"),
     {"f:8:49: `realm`: `a\"b` must be ASCII without quotes and backslashes"}},
    {"RetryAfterPartOfASecond",
     minimal + "maintenance: { retry_after: 1500ms }\n",
     {"f:8:29: `retry_after`: `1500ms` is not in whole seconds"}},
    {"MaintenanceThatIsNoError",
     minimal + "maintenance: { status: 200 }\n",
     {"f:8:24: `status`: `200` must be from 400 to 599"}},
    {"PageOfNoError",
     minimal + "error_pages: { 200: /a }\n",
     {"f:8:16: `200` in `error_pages` is not a status from 400 to 599"}},
    {"PagesWithoutStatus",
     minimal + "error_pages: /a\n",
     {"f:8:14: `error_pages`: expected statuses with files, as in `{ 502: /etc/baton/502.html }`"}},
};
INSTANTIATE_TEST_SUITE_P(Of, RefusedGates, testing::ValuesIn(gates), [](const auto& i) { return i.param.title; });

}  // namespace
}  // namespace baton::config
