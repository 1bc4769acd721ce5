#include "proxy/check/explain.hpp"

#include <gtest/gtest.h>

#include <variant>

#include "config/load.hpp"

namespace baton::check {
namespace {

config::Config config_of(const std::string& routes) {
  auto loaded = config::load_text(
      "version: 1\n"
      "listeners: [ { name: web, bind: \":80\" } ]\n"
      "upstreams:\n"
      "  - { name: app, servers: [ { address: \"127.0.0.1:9000\" }, { address: unix:/app } ] }\n"
      "  - { name: api, servers: [ { address: \"127.0.0.1:9001\" } ] }\n"
      "routes:\n" +
          routes,
      "f", [](const char*) -> const char* { return nullptr; });
  return std::get<config::Config>(std::move(loaded));
}

const std::string routes =
    "  - { name: api, match: { host: \"*.example.com\", path_prefix: /v1 }, upstream: api }\n"
    "  - { match: { host: a.example.com, path: / }, upstream: api }\n"
    "  - upstream: app\n";

std::string explained(const std::string& url, const std::string& of = routes) {
  const auto explanation = explain(config_of(of), url);
  return explanation ? explanation->text : "error: " + explanation.error();
}

TEST(Explain, NamesTheRouteItsPlaceAndTheReason) {
  EXPECT_EQ(explained("https://B.A.example.com:8443/x/../%76%31/users?b=c#d"),
            "request:    host `b.a.example.com`, path `/v1/users`\n"
            "route:      `api`, at f:7:5\n"
            "host:       it is below `*.example.com`\n"
            "path:       the prefix `/v1` matches\n"
            "upstream:   `api` (127.0.0.1:9001)\n"
            "otherwise:  `*`, at f:9:5\n");
  EXPECT_EQ(explained("a.example.com"),
            "request:    host `a.example.com`, path `/`\n"
            "route:      `a.example.com/`, at f:8:5\n"
            "host:       the route names it\n"
            "path:       the route names it\n"
            "upstream:   `api` (127.0.0.1:9001)\n"
            "otherwise:  `*`, at f:9:5\n");
  EXPECT_EQ(explained("/v1"),
            "request:    no host, path `/v1`\n"
            "route:      `*`, at f:9:5\n"
            "host:       the route matches every host\n"
            "path:       the route matches every path\n"
            "upstream:   `app` (127.0.0.1:9000, unix:/app)\n"
            "otherwise:  404\n");
}

const std::string conditioned =
    "  - { name: post, match: { path: /a, method: [ POST, PUT ] }, upstream: api }\n"
    "  - { name: canary, match: { header: { x-canary: \"1\", y: \"!\" }, query: { q: \"*\" }, client: 10.0.0.0/8 }, "
    "upstream:  api }\n"
    "  - { name: user, match: { path_regex: \"^/u/[0-9]+$\" }, upstream: api }\n"
    "  - upstream: app\n";

std::string answer_to(const std::string& url, const Asked& asked) {
  const auto explanation = explain(config_of(conditioned), url, asked);
  return explanation ? explanation->text : "error: " + explanation.error();
}

TEST(Explain, NamesTheOtherConditionsAndWhatWasPassedOver) {
  EXPECT_EQ(answer_to("/a?q=1", {.headers = {"X-Canary:  1 "}, .client = "10.1.2.3"}),
            "request:    no host, path `/a`\n"
            "not:        `post`, at f:7:5: it wants method `POST` or `PUT`\n"
            "not:        `user`, at f:9:5: it wants the path `^/u/[0-9]+$`\n"
            "route:      `canary`, at f:8:5\n"
            "host:       the route matches every host\n"
            "path:       the route matches every path\n"
            "also:       header `x-canary` with `1`, no header `y`, query `q`, client in `10.0.0.0/8`\n"
            "upstream:   `api` (127.0.0.1:9001)\n"
            "otherwise:  `*`, at f:10:5\n");
  EXPECT_EQ(answer_to("/u/7", Asked{}),
            "request:    no host, path `/u/7`\n"
            "route:      `user`, at f:9:5\n"
            "host:       the route matches every host\n"
            "path:       the expression `^/u/[0-9]+$` matches\n"
            "upstream:   `api` (127.0.0.1:9001)\n"
            "otherwise:  `*`, at f:10:5\n");
  EXPECT_NE(answer_to("/a", {.method = "PUT"}).find("route:      `post`"), std::string::npos);
}

TEST(Explain, RefusesWhatNoRequestCanSay) {
  EXPECT_EQ(answer_to("/", {.headers = {"x"}}), "error: `x` is not a header; write it as in `x-canary: 1`");
  EXPECT_EQ(answer_to("/", {.client = "10.0.0.0/8"}), "error: `10.0.0.0/8` is not an IP address");
  EXPECT_EQ(answer_to("/", {.headers = {"a b: 1"}}), "error: `a b: 1` is not a header; write it as in `x-canary: 1`");
  EXPECT_EQ(answer_to("/", {.headers = {"Host: a b"}}), "error: `a b` is not a host, so a request with it gets 400");
  EXPECT_EQ(answer_to("/", {.headers = {"Host: a", "host: a"}}),
            "error: a request with two `Host` fields gets 400; name one");
  EXPECT_EQ(answer_to("/", {.method = "a b"}), "error: `a b` is not a method, as in `GET`");
  EXPECT_EQ(answer_to("/", {.method = ""}), "error: `` is not a method, as in `GET`");
  EXPECT_EQ(answer_to("/", {.method = "CONNECT"}), "error: `CONNECT` never reaches a route; Baton is no forward proxy");
  EXPECT_EQ(answer_to("/", {.headers = {"X-Forwarded-For: 10.0.0.1"}}),
            "error: no route sees `X-Forwarded-For`, since any client can send it; write --client for its address");
}

const std::string guarded =
    "  - name: office\n"
    "    match: { host: office.test }\n"
    "    access: { allow: 10.0.0.0/8, deny: [ 10.6.6.0/24 ] }\n"
    "    rate_limit: { requests: 10, per: 1m }\n"
    "    basic_auth: { realm: office, file: /etc/baton/htpasswd }\n"
    "    upstream: app\n";

TEST(Explain, NamesWhatElseDecidesInTheOrderInWhichItApplies) {
  const std::string before =
      "request:    host `office.test`, path `/`\n"
      "route:      `office`, at f:7:5\n"
      "host:       the route names it\n"
      "path:       the route matches every path\n"
      "access:     { allow: [\"10.0.0.0/8\"], deny: [\"10.6.6.0/24\"] }";
  const std::string after =
      "\nrate_limit: { requests: 10, per: 1m, burst: 10, by: \"client\" }\n"
      "basic_auth: { realm: \"office\", file: \"/etc/baton/htpasswd\" }\n"
      "upstream:   `app` (127.0.0.1:9000, unix:/app)\n"
      "otherwise:  404\n";
  const auto for_client = [](const std::string& client) {
    return explain(config_of(guarded), "office.test", {.client = client}).value().text;
  };
  EXPECT_EQ(for_client(""), before + after);
  EXPECT_EQ(for_client("10.1.2.3"), before + ", which admits the client" + after);
  EXPECT_EQ(for_client("10.6.6.6"), before + ", so the client gets 403" + after);
  EXPECT_EQ(for_client("192.0.2.1"), before + ", so the client gets 403" + after);
}

TEST(Explain, AHostFieldCountsInsteadOfTheHostOfTheUrl) {
  const auto with_host = [](const std::string& url, const std::string& header) {
    return explain(config_of(routes), url, {.headers = {header}}).value().text;
  };
  EXPECT_EQ(with_host("http://127.0.0.1:8080/", "Host: A.example.com:80"), explained("http://a.example.com/"));
  EXPECT_EQ(with_host("/", "hOST:a.example.com"), explained("http://a.example.com/"));
  EXPECT_EQ(with_host("http://a.example.com/", "Host:"), explained("/"));
}

TEST(Explain, AnswersInJsonToo) {
  const auto taken = explain(config_of(conditioned), "/a");
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->json,
            "{\"request\":\"no host, path `/a`\",\"not\":[\"`post`, at f:7:5: it wants method `POST` or "
            "`PUT`\",\"`user`, at f:9:5: it wants "
            "the path `^/u/[0-9]+$`\",\"`canary`, at f:8:5: it wants header `x-canary` with `1`, no header `y`, query "
            "`q`, client in "
            "`10.0.0.0/8`\"],\"route\":\"`*`, at f:10:5\",\"host\":\"the route matches every host\",\"path\":\"the "
            "route matches every "
            "path\",\"upstream\":\"`app` (127.0.0.1:9000, "
            "unix:/app)\",\"otherwise\":\"404\",\"taken\":true,\"name\":\"*\",\"file\":\"f\","
            "\"line\":10,\"column\":5}");
}

TEST(Explain, SaysThatNoRouteIsTaken) {
  const auto explanation = explain(config_of("  - { match: { host: a }, upstream: app }\n"), "http://b/");
  ASSERT_TRUE(explanation);
  EXPECT_FALSE(explanation->is_taken);
  EXPECT_EQ(explanation->text, "request:    host `b`, path `/`\nroute:      none, the answer is 404\n");
}

TEST(Explain, TakesWhateverAClientCouldAskFor) {
  for (const std::string url :
       {"http://a", "HTTPS://a/", "ws://a?b", "wss://[::1]:80/", "a:80", "/", "*", "a/://b", "/a?b=http://c"}) {
    EXPECT_TRUE(explained(url).starts_with("request: ")) << url << ": " << explained(url);
  }
}

TEST(Explain, RefusesWhatIsNoUrl) {
  EXPECT_EQ(explained("ftp://a/"), "error: `ftp://a/` is not an HTTP URL");
  EXPECT_EQ(explained("http:///a"), "error: `http:///a` names no host");
  EXPECT_EQ(explained(""), "error: `` is not a host; write a URL like https://example.com/path");
  EXPECT_EQ(explained("https://b\xc3\xbc"
                      "cher/"),
            "error: `b\xc3\xbc"
            "cher` is not a host; write a URL like https://example.com/path");
  EXPECT_EQ(explained("http://u@a/"), "error: `u@a` is not a host; write a URL like https://example.com/path");
}

TEST(Explain, LetsNoControlCharacterReachTheTerminal) {
  EXPECT_EQ(explained("/%1b[31m").find('\x1b'), std::string::npos);
  EXPECT_EQ(explained("/\x1b[31m").find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace baton::check
