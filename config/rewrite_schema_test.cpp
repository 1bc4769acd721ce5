// What a route changes: what loads and to which values, what is refused, and what prints and reads back.
#include "config/rewrite_schema.hpp"

#include <gmock/gmock.h>

#include "config/load.hpp"
#include "config/testing/load.hpp"

namespace baton::config {
namespace {

// Four lines; the keys are in line 5 and the next ones.
std::string with(const std::string& keys) {
  return "version: 1\n"
         "listeners: [ { name: web, bind: \":80\" } ]\n"
         "upstreams: [ { name: app, servers: [ { address: \"127.0.0.1:9000\" } ] } ]\n"
         "routes:\n" +
         keys + "    upstream: app\n";
}

Route route_of(const std::string& keys) {
  return config_of(with(keys)).routes.front();
}

// The only problem, without the file's name.
std::string problem_of(const std::string& keys) {
  const std::vector<std::string> problems = problems_of(with(keys));
  EXPECT_EQ(problems.size(), 1u) << keys;
  return problems.empty() ? "" : problems.front().substr(2);
}

Template text(const char* of) {
  return Template::parse(of).value();
}

TEST(FieldEdits, AreReadInTheirOrderAndPrinted) {
  const std::string keys =
      "  - request_headers:\n"
      "      set: { X-Real-IP: \"{client}\", x-kept: \"\" }\n"
      "      add: { Link: [ a, b ], X-One: \"{{1}\" }\n"
      "      remove: [ X-Debug, Cookie ]\n"
      "    response_headers: { remove: Server }\n";
  const Route route = route_of(keys);
  EXPECT_EQ(route.request_headers,
            (FieldEdits{.set = {{"X-Real-IP", text("{client}")}, {"x-kept", text("")}},
                        .add = {{"Link", text("a")}, {"Link", text("b")}, {"X-One", text("{{1}")}},
                        .remove = {"X-Debug", "Cookie"}}));
  EXPECT_EQ(route.response_headers, (FieldEdits{.set = {}, .add = {}, .remove = {"Server"}}));
  const Config config = config_of(with(keys));
  EXPECT_EQ(config_of(print(config)), config);
  EXPECT_THAT(print(config), testing::HasSubstr("add: { \"Link\": [\"a\", \"b\"], \"X-One\": \"{{1}\" }"));
}

TEST(FieldEdits, LeaveFramingAndHopsAlone) {
  EXPECT_EQ(problem_of("  - request_headers: { set: { Content-Length: 5 } }\n"),
            "5:31: `set`: `Content-Length` frames the message or belongs to one connection; Baton writes it itself");
  EXPECT_EQ(problem_of("  - response_headers: { add: { connection: close } }\n"),
            "5:32: `add`: `connection` frames the message or belongs to one connection; Baton writes it itself");
  EXPECT_EQ(
      problem_of("  - request_headers: { remove: [ transfer-encoding ] }\n"),
      "5:34: `remove`: `transfer-encoding` frames the message or belongs to one connection; Baton writes it itself");
  EXPECT_EQ(problem_of("  - request_headers: { set: { HOST: a } }\n"),
            "5:31: `set`: `Host` is set by the route's key `host`");
  EXPECT_EQ(problem_of("  - request_headers: { set: { Transfer_Encoding: a } }\n"),
            "5:31: `set`: `Transfer_Encoding` frames the message or belongs to one connection; Baton writes it itself");
  EXPECT_EQ(route_of("  - response_headers: { set: { Host: a } }\n").response_headers.set.size(), 1u);
}

TEST(FieldEdits, RefuseWhatCannotBeAField) {
  EXPECT_EQ(problem_of("  - request_headers: { set: { \"X Y\": a } }\n"), "5:31: `set`: `X Y` is not a field name");
  EXPECT_EQ(problem_of("  - request_headers: { set: { X: \"a\\nb\" } }\n"),
            "5:34: `set`: `a?b` must be one line of UTF-8 without control characters");
  EXPECT_EQ(problem_of("  - request_headers: { set: { X: \"{who}\" } }\n"),
            "5:34: `set`: there is no placeholder `{who}`; for a brace write `{{`");
  EXPECT_EQ(problem_of("  - request_headers: { set: { X: a, x: b } }\n"), "5:37: `set`: `x` appears twice");
  EXPECT_EQ(problem_of("  - request_headers: { set: { X: a }, remove: x }\n"),
            "5:47: `remove`: `x` is in `set`, which already removes what came");
  EXPECT_EQ(problem_of("  - request_headers: { set: X }\n"), "5:29: `set`: expected fields, as in `{ X-Name: value }`");
}

TEST(PathRewrite, IsOneOfThreeKinds) {
  EXPECT_EQ(route_of("  - path: { strip_prefix: /v1/, add_prefix: /api }\n").path,
            (PathRewrite{.strip_prefix = "/v1", .add_prefix = "/api", .replace = {}, .regex = {}}));
  EXPECT_EQ(route_of("  - path: { replace: \"/x{path}\" }\n").path,
            (PathRewrite{.strip_prefix = {}, .add_prefix = {}, .replace = text("/x{path}"), .regex = {}}));
  EXPECT_EQ(problem_of("  - path: { strip_prefix: /v1, replace: /x }\n"),
            "5:11: `path`: expected either `strip_prefix` and `add_prefix`, or `replace`, or `regex`");
  EXPECT_EQ(problem_of("  - path: {}\n"),
            "5:11: `path`: expected what to do with the path, as in `{ strip_prefix: /v1 }`");
  EXPECT_EQ(problem_of("  - path: { replace: x }\n"), "5:22: `replace`: expected a path, which begins with a slash");
  EXPECT_EQ(problem_of("  - path: { replace: \"{host}/\" }\n"),
            "5:22: `replace`: expected a path, which begins with a slash");
  for (const char* replace : {"/../b", "/a/..", "/..?a", "/{host}/./b", "/..{path}", "/..{uri}", "/%2e%2e/{host}"}) {
    EXPECT_THAT(problem_of(std::string("  - path: { replace: \"") + replace + "\" }\n"),
                testing::HasSubstr("has a segment `.` or `..`, so all requests would get 400"))
        << replace;
  }
  for (const char* replace : {"/..{host}", "/{host}..", "/a?b/../c", "{uri}/../c", "/..."}) {
    EXPECT_TRUE(route_of(std::string("  - path: { replace: \"") + replace + "\" }\n").path.replace) << replace;
  }
  for (const char* keys :
       {"  - path: { strip_prefix: /v1, add_prefix: /api }\n", "  - path: { replace: \"{uri}\" }\n"}) {
    const Config config = config_of(with(keys));
    EXPECT_EQ(config_of(print(config)), config);
  }
}

TEST(PathRegex, ReplacesGroups) {
  const auto pattern_of = [](const std::string& keys) {
    return route_of("  - path: { regex: { match: \"^/a/(.*)$\", replace: " + keys + " } }\n").path.regex.value();
  };
  EXPECT_EQ(pattern_of("/$1"), (PathRewrite::Pattern{"^/a/(.*)$", "/$1"}));
  EXPECT_EQ(pattern_of("\"/${1}0/$0\"").replace, "/${1}0/$0") << "a group, no variable";
  EXPECT_EQ(pattern_of("\"/$$1/$$$1\"").replace, "/$$1/$$$1") << "a dollar and 1, a dollar and a group";
  EXPECT_EQ(pattern_of("\"/${HOST}/$1\"").replace, "/10.1.2.3/$1") << "a variable";
  for (const char* replace : {"/$1", "\"/${1}0\"", "\"\"", "/%24", "/$$1", "/$$", "\"/$$$1\\\\\""}) {
    const Config config =
        config_of(with(std::string("  - path: { regex: { match: \"(a)$\", replace: ") + replace + " } }\n"));
    EXPECT_EQ(config_of(print(config)), config) << replace;
  }
}

TEST(PathRegex, IsCheckedAtLoad) {
  const auto problem_with = [](const std::string& match, const std::string& replace) {
    return problem_of("  - path: { regex: { match: \"" + match + "\", replace: \"" + replace + "\" } }\n");
  };
  EXPECT_EQ(problem_with("(a", "b"),
            "5:29: `match`: `(a` is not a regular expression of RE2: missing ): (a, at character 1 of it");
  EXPECT_EQ(problem_with("(a)", "/$2"), "5:45: `replace`: `/$2` has `$2`, but `match` has 1 group");
  EXPECT_EQ(problem_with("a", "/${1}"), "5:43: `replace`: `/${1}` has `$1`, but `match` has 0 groups");
  EXPECT_THAT(problem_with("a", "/$x"), testing::HasSubstr("`/$x` has a `$` that is no group; write `$0` to `$9`"));
  EXPECT_THAT(problem_with("a", "/$"), testing::HasSubstr("has a `$` that is no group"));
  EXPECT_THAT(problem_with("a", "/b?c"), testing::HasSubstr("has a `?`, but the query stays"));
  EXPECT_THAT(problem_with("a", "/{host}"), testing::HasSubstr("has a brace, but placeholders are for `replace`"));
  EXPECT_THAT(problem_with("a", "/" + std::string(1024, 'b')),
              testing::HasSubstr("must not be longer than 1024 bytes"));
  EXPECT_THAT(problem_with("a", "$0$0$0$0$0$0$0$0$0$0$0"), testing::HasSubstr("more than 10 groups"));
  EXPECT_THAT(problem_with(std::string(1025, 'a'), "b"), testing::HasSubstr("must not be longer than 1024 bytes"));
  EXPECT_THAT(problem_with("((a{100}){100}){100}", "b"), testing::HasSubstr("is not a regular expression of RE2"))
      << "its program would be too large";
  for (const char* replace : {"/../b", "/a/./$1", "$1/%2e%2E/", "/%2f..%2F"}) {
    EXPECT_THAT(problem_with("(a)", replace), testing::HasSubstr("has a segment `.` or `..`")) << replace;
  }
  for (const char* replace : {".", "/.", "../b", "/..$1/b", "/.../..a/"}) {
    EXPECT_EQ(
        route_of(std::string("  - path: { regex: { match: (a), replace: ") + replace + " } }\n").path.regex->replace,
        replace)
        << "what is around it decides";
  }
  EXPECT_EQ(problem_of("  - path: { regex: { match: a } }\n"), "5:20: `replace` is missing in `regex`");
  EXPECT_EQ(problem_of("  - path: { regex: { match: a, replace: b }, replace: /c }\n"),
            "5:11: `path`: expected either `strip_prefix` and `add_prefix`, or `replace`, or `regex`");
}

TEST(HostRewrite, IsAWordOrAHost) {
  EXPECT_EQ(route_of("  - host: preserve\n").host, HostRewrite{});
  EXPECT_EQ(route_of("  - host: upstream\n").host, (HostRewrite{HostRewrite::To::upstream, {}}));
  EXPECT_EQ(route_of("  - host: \"{host}.internal:8080\"\n").host,
            (HostRewrite{HostRewrite::To::literal, text("{host}.internal:8080")}));
  for (const char* keys : {"  - host: \"a b\"\n", "  - host: \"\"\n", "  - host: \"{host}/x\"\n",
                           "  - host: \"{header.X}\"\n", "  - host: \"http://a\"\n"}) {
    EXPECT_THAT(problem_of(keys), testing::HasSubstr("`host`: expected `preserve`, `upstream`, or a host")) << keys;
  }
  for (const char* keys : {"  - host: upstream\n", "  - host: \"{host}.internal\"\n"}) {
    const Config config = config_of(with(keys));
    EXPECT_EQ(config_of(print(config)), config);
  }
}

}  // namespace
}  // namespace baton::config
