// What a route says instead of a server, and who may ask: with large contents, slow clients and reloads in between.
#include <gtest/gtest.h>

#include <string>

#include "proxy/engine/testing/exchange_cases.hpp"

namespace baton::engine {
namespace {

const std::string content(300'000, 'c');

config::Config with(config::Gate gate) {
  config::Config config;
  config.upstreams.push_back({.name = "app", .servers = {}, .tls = {}});
  config.log.access = config::AccessLog{.path = "-"};
  config.routes.push_back(
      {.name = "own", .match = {.path = "/own"}, .upstream = "app", .gate = std::move(gate), .where = {}});
  config.routes.push_back({.name = "rest", .match = {.path = "/"}, .upstream = "app", .where = {}});
  return config;
}

const routing::Files files{.contents = {{"/large", state::share(content)}}};

routing::RouteTable large() {
  return routing::RouteTable(with({.respond = config::Respond{.file = config::File{"/large", {}}}}), files);
}

std::string head(const std::string& status, const std::string& fields) {
  return "HTTP/1.1 " + status + "\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n" + fields + "\r\n";
}

const std::string head_of_large =
    head("200 OK", "Content-Type: application/octet-stream\r\nContent-Length: 300000\r\n");

const std::string ask = request("GET /own HTTP/1.1");

TEST(Answers, OfAnyLengthKeepTheConnection) {
  const routing::RouteTable table = large();
  for (const Freezing freezing : {Freezing::never, Freezing::always}) {
    Dialogue dialogue(freezing);
    dialogue.routes = &table;
    dialogue.take(client(ask + request("HEAD /own HTTP/1.1") + ask));
    EXPECT_EQ(dialogue.seen().client, head_of_large + content + head_of_large + head_of_large + content);
    EXPECT_EQ(dialogue.seen().statuses, (std::vector<std::uint16_t>{200, 200, 200}));
    EXPECT_EQ(dialogue.logged()[0].response_bytes, content.size());
    EXPECT_EQ(dialogue.logged()[1].response_bytes, 0U);
  }
}

TEST(Answers, HoldNoMoreThanABufferForASlowClient) {
  const routing::RouteTable table = large();
  Dialogue dialogue;
  dialogue.rules.buffer_bytes = dialogue.rules.head_bytes = 4096;
  dialogue.routes = &table;
  dialogue.client_reads = false;
  dialogue.take(client(ask));
  EXPECT_LE(dialogue.state().client.unsent.size(), 4096 + head_of_large.size());
  dialogue.client_reads = true;
  dialogue.take(client(""));
  EXPECT_EQ(dialogue.seen().client, head_of_large + content);
}

TEST(Answers, EndAsTheyBeganWhateverTheConfigurationSaysByThen) {
  const auto before = std::make_unique<routing::RouteTable>(large());
  const routing::RouteTable after(with({.redirect = config::Redirect{"/new", 308}}));
  for (const Freezing freezing : {Freezing::never, Freezing::always}) {
    auto old = std::make_unique<routing::RouteTable>(*before);
    Dialogue dialogue(freezing);
    dialogue.routes = old.get();
    dialogue.client_reads = false;
    dialogue.take(client(ask));
    dialogue.reconfigure(after);
    old.reset();
    dialogue.client_reads = true;
    dialogue.take(client(ask));
    const std::string redirect =
        head("308 Permanent Redirect", "Location: /new\r\nContent-Type: text/plain\r\nContent-Length: 23\r\n") +
        "308 Permanent Redirect\n";
    EXPECT_EQ(dialogue.seen().client, head_of_large + content + redirect);
  }
}

TEST(Answers, RedirectToWhereTheRequestSays) {
  const auto location = [](const char* to, const std::string& target, const char* method = "GET") {
    config::Config config = with({.redirect = config::Redirect{to, 301}});
    config.routes.front().match = {};
    const routing::RouteTable table(config);
    Dialogue dialogue;
    dialogue.routes = &table;
    dialogue.take(client(std::string(method) + " " + target + " HTTP/1.1\r\nHost: Shop.Test:81\r\nX: a/b\\c\r\n\r\n"));
    const std::string seen = dialogue.seen().client;
    const std::size_t at = seen.find("\r\nLocation: ");
    return at == std::string::npos ? seen : seen.substr(at + 12, seen.find("\r\n", at + 2) - at - 12);
  };
  EXPECT_EQ(location("https://{host}{uri}", "/a%20b?c=d"), "https://Shop.Test/a%20b?c=d");
  EXPECT_EQ(location("https://{host}:{port}/x?{query}", "/a?c=d"), "https://Shop.Test:81/x?c=d");
  EXPECT_EQ(location("https://b.example{uri}", "*", "OPTIONS"), "https://b.example/*");
  EXPECT_EQ(location("{path}", "//evil.example/a"), "/evil.example/a") << "no other host";
  EXPECT_EQ(location("{path}", "/\\evil.example"), "/%5Cevil.example");
  EXPECT_EQ(location("/{path}", "/a"), "/a");
  EXPECT_EQ(location("/{header.x}", "/b"), "/a%2Fb%5Cc");
}

TEST(Answers, RedirectNobodyToAHostThatIsNotNamed) {
  config::Config config = with({.redirect = config::Redirect{"https://{host}{uri}", 301}});
  config.routes.front().match = {};
  const routing::RouteTable table(config);
  for (const char* request :
       {"GET /evil.example/x HTTP/1.0\r\n\r\n", "GET /evil.example/x HTTP/1.1\r\nHost:\r\n\r\n"}) {
    Dialogue dialogue;
    dialogue.routes = &table;
    dialogue.take(client(request));
    EXPECT_TRUE(dialogue.seen().client.starts_with("HTTP/1.1 400 Bad Request\r\n")) << dialogue.seen().client;
  }
}

TEST(Answers, HaveTheFieldsThatTheirRouteAdds) {
  config::Config config = with({.respond = config::Respond{.body = "ok"}});
  config.routes.front().response_headers.set = {{"X-Path", config::Template::parse("{path}").value()}};
  const routing::RouteTable table(config);
  Dialogue dialogue;
  dialogue.routes = &table;
  dialogue.take(client(ask));
  EXPECT_NE(dialogue.seen().client.find("\r\nX-Path: /own\r\n"), std::string::npos) << dialogue.seen().client;
  EXPECT_TRUE(dialogue.seen().client.ends_with("\r\n\r\nok"));
}

// Baton cannot know what other routes do with other methods.
TEST(Answers, SayOnlyWhatTheirRouteSaysOfAllowedMethods) {
  config::Config config = with({.respond = config::Respond{.status = 405, .body = "no"}});
  for (const bool has_field : {false, true}) {
    if (has_field) config.routes.front().response_headers.set = {{"Allow", config::Template::parse("GET").value()}};
    const routing::RouteTable table(config);
    Dialogue dialogue;
    dialogue.routes = &table;
    dialogue.take(client(ask));
    const std::string seen(dialogue.seen().client);
    EXPECT_EQ(seen.find("Allow: GET\r\n") != std::string::npos, has_field) << seen;
    EXPECT_EQ(seen.find("Allow: GET,"), std::string::npos) << seen;
  }
}

TEST(Answers, WithoutContentHaveNoLength) {
  const routing::RouteTable table(with({.respond = config::Respond{.status = 204}}));
  Dialogue dialogue;
  dialogue.routes = &table;
  dialogue.take(client(ask + ask));
  EXPECT_EQ(dialogue.seen().client, head("204 No Content", "") + head("204 No Content", ""));
}

TEST(Answers, DoNotLimitTheMethod) {
  const routing::RouteTable table(with({.respond = config::Respond{.body = "ok"}}));
  Dialogue dialogue;
  dialogue.routes = &table;
  dialogue.take(client(request("PUT /own HTTP/1.1", "Content-Length: 3\r\n") + "abc" + ask));
  const std::string answer = head("200 OK", "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 2\r\n") + "ok";
  EXPECT_EQ(dialogue.seen().client, answer + answer);
}

TEST(Answers, HaveTheErrorPageOfTheirStatus) {
  config::Config config = with({.respond = config::Respond{.status = 502}});
  config.error_pages = {{404, {"/404.html", {}}}, {502, {"/502.html", {}}}};
  const routing::RouteTable table(config, {.contents = {{"/404.html", state::share("<none>")},
                                                        {"/502.html", state::share("<down>")}}});
  const std::string fields = "Content-Type: text/html; charset=utf-8\r\nContent-Length: 6\r\n";
  Dialogue dialogue;
  dialogue.routes = &table;
  dialogue.attempts = {Attempt::refused};
  dialogue.take(client(request("GET / HTTP/1.1") + ask + request("GET /none HTTP/1.1")));
  const std::string down = head("502 Bad Gateway", fields) + "<down>";
  EXPECT_EQ(dialogue.seen().client, down + down + head("404 Not Found", fields) + "<none>");
}

TEST(Answers, AServersErrorKeepsItsOwnPage) {
  config::Config config = with({});
  config.error_pages = {{502, {"/502.html", {}}}};
  const routing::RouteTable table(config, {.contents = {{"/502.html", state::share("<down>")}}});
  Dialogue dialogue;
  dialogue.routes = &table;
  dialogue.take(client(ask));
  const std::string servers = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\nmine";
  dialogue.take(upstream(servers));
  EXPECT_EQ(dialogue.seen().client, servers);
}

// ── Access ────────────────────────────────────────────────────────────────────────────────────────────────────────

config::Gate only_for(std::string_view range) {
  return {.access = {.allow = std::vector{config::parse_network(range).value()}}};
}

TEST(Answers, AClientThatMayNotAskGets403AndKeepsItsConnection) {
  const routing::RouteTable table(with(only_for("10.0.0.0/8")));
  for (const Freezing freezing : {Freezing::never, Freezing::always}) {
    Dialogue dialogue(freezing);
    dialogue.routes = &table;
    dialogue.take(client(ask + request("GET / HTTP/1.1")));
    dialogue.take(upstream(ok));
    EXPECT_EQ(dialogue.seen().client, kept(403) + ok);
    EXPECT_EQ(dialogue.seen().upstreams.size(), 1U);
  }
}

TEST(Answers, HaveTheirContentTypeWithoutABodyToo) {
  const routing::RouteTable table(with({.respond = config::Respond{.content_type = "text/x-status"}}));
  Dialogue dialogue;
  dialogue.routes = &table;
  dialogue.take(client(ask));
  EXPECT_EQ(dialogue.seen().client,
            head("200 OK", "Content-Type: text/x-status\r\nContent-Length: 7\r\n") + "200 OK\n");
}

TEST(Answers, AClientThatMayAskIsServed) {
  const routing::RouteTable table(with(only_for("192.0.2.0/24")));
  Dialogue dialogue;
  dialogue.routes = &table;
  dialogue.take(client(ask));
  EXPECT_EQ(dialogue.seen().upstreams.size(), 1U);
}

TEST(Answers, AReloadThatForbidsARequestStillToBeSentRefusesIt) {
  const routing::RouteTable before(with({}));
  const routing::RouteTable after(with(only_for("10.0.0.0/8")));
  Dialogue dialogue;
  dialogue.routes = &before;
  dialogue.attempts = {Attempt::late};
  dialogue.take(client(ask));
  dialogue.reconfigure(after);
  EXPECT_EQ(dialogue.seen().client, kept(403));
}

// ── Passwords ─────────────────────────────────────────────────────────────────────────────────────────────────────

const std::string authorization = "Authorization: Basic YW5uOnNlY3JldA==\r\n";

struct Guarded {
  std::shared_ptr<const routing::Passwords> passwords = std::make_shared<const routing::Passwords>();
  routing::RouteTable table{with({.basic_auth = config::BasicAuth{"office", {"/p", {}}}}),
                            {.passwords = {{"/p", passwords}}}};
};

std::string challenge() {
  return head("401 Unauthorized",
              "WWW-Authenticate: Basic realm=\"office\", charset=\"UTF-8\"\r\nContent-Type: text/plain\r\n"
              "Content-Length: 17\r\n") +
         "401 Unauthorized\n";
}

TEST(Answers, AClientWithoutAPasswordIsAskedForOne) {
  const Guarded office;
  for (const std::string& fields :
       {std::string(), std::string("Authorization: Bearer YW5uOnNlY3JldA==\r\n"), authorization + authorization}) {
    Dialogue dialogue(Freezing::always);
    dialogue.routes = &office.table;
    dialogue.take(client(request("GET /own HTTP/1.1", fields) + request("GET / HTTP/1.1")));
    dialogue.take(upstream(ok));
    EXPECT_EQ(dialogue.seen().client, challenge() + ok);
    EXPECT_TRUE(dialogue.questions().empty());
    EXPECT_EQ(dialogue.seen().statuses, (std::vector<std::uint16_t>{401, 200}));
  }
}

TEST(Answers, AGoodPasswordPassesWithItsFieldAndIsLogged) {
  const Guarded office;
  for (const Freezing freezing : {Freezing::never, Freezing::always}) {
    Dialogue dialogue(freezing);
    dialogue.routes = &office.table;
    dialogue.take(client(request("PUT /own HTTP/1.1", authorization + "Content-Length: 3\r\n") + "abc"));
    EXPECT_EQ(dialogue.questions(), std::vector<std::string>{"ann:secret"});
    EXPECT_TRUE(dialogue.seen().upstreams.empty()) << "before the verdict";
    dialogue.verified(http1::Verdict::good);
    dialogue.take(upstream(ok));
    EXPECT_EQ(dialogue.seen().client, ok);
    EXPECT_NE(dialogue.seen().upstreams.at(0).received.find(authorization), std::string::npos);
    ASSERT_TRUE(dialogue.logged().at(0).access);
    EXPECT_EQ(dialogue.logged().at(0).access->user.view(), "ann");
  }
}

TEST(Answers, ABadPasswordIsAskedForAgain) {
  const Guarded office;
  Dialogue dialogue;
  dialogue.routes = &office.table;
  dialogue.take(client(request("GET /own HTTP/1.1", authorization) + request("GET / HTTP/1.1")));
  dialogue.verified(http1::Verdict::bad);
  dialogue.take(upstream(ok));
  EXPECT_EQ(dialogue.seen().client, challenge() + ok) << "the next request is not judged by that password";
  EXPECT_EQ(dialogue.questions().size(), 1U);
}

TEST(Answers, APasswordThatCannotBeVerifiedNowIs503) {
  const Guarded office;
  Dialogue dialogue;
  dialogue.routes = &office.table;
  dialogue.take(client(request("GET /own HTTP/1.1", authorization)));
  dialogue.verified(http1::Verdict::busy);
  const std::string answer = dialogue.seen().client;
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n")) << answer;
  EXPECT_NE(answer.find("\r\nRetry-After: 1\r\n"), std::string::npos) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\n503 Service Unavailable\n")) << "it is not the upstream's fault: " << answer;
}

TEST(Answers, ARememberedPasswordIsNotVerifiedAgain) {
  const Guarded office;
  office.passwords->remember("ann:secret");
  Dialogue dialogue;
  dialogue.routes = &office.table;
  dialogue.take(client(request("GET /own HTTP/1.1", authorization)));
  EXPECT_EQ(dialogue.seen().upstreams.size(), 1U);
  EXPECT_TRUE(dialogue.questions().empty());
}

TEST(Answers, EachRequestIsJudgedByItsOwnPassword) {
  const Guarded office;
  Dialogue dialogue;
  dialogue.routes = &office.table;
  dialogue.take(client(request("GET /own HTTP/1.1", authorization)));
  dialogue.verified(http1::Verdict::good);
  dialogue.take(upstream(ok));
  dialogue.take(client(request("GET /own HTTP/1.1", "Authorization: Basic Ym9iOmJhZA==\r\n")));
  EXPECT_EQ(dialogue.questions(), (std::vector<std::string>{"ann:secret", "bob:bad"}));
}

// After a reload or a handover, the new owner of the connection asks again.
TEST(Answers, APasswordBeingVerifiedIsAskedAboutAgainUnderAnotherConfiguration) {
  const Guarded before;
  const Guarded after;
  Dialogue dialogue;
  dialogue.routes = &before.table;
  dialogue.take(client(request("GET /own HTTP/1.1", authorization)));
  dialogue.reconfigure(after.table);
  EXPECT_EQ(dialogue.questions().size(), 2U);
  dialogue.verified(http1::Verdict::good);
  EXPECT_EQ(dialogue.seen().upstreams.size(), 1U);
}

TEST(Answers, AccessIsDecidedBeforeAPasswordIsAskedFor) {
  config::Gate gate = only_for("10.0.0.0/8");
  gate.basic_auth = config::BasicAuth{"office", {"/p", {}}};
  const routing::RouteTable table(with(gate));
  Dialogue dialogue;
  dialogue.routes = &table;
  dialogue.take(client(request("GET /own HTTP/1.1", authorization)));
  EXPECT_EQ(dialogue.seen().client, kept(403));
  EXPECT_TRUE(dialogue.questions().empty());
}

// ── Certificates ──────────────────────────────────────────────────────────────────────────────────────────────────

TEST(Answers, ARequestForAHostThatTheCertificateDoesNotCoverIsMisdirected) {
  const routing::RouteTable table(with({}));
  Dialogue dialogue;
  dialogue.routes = &table;
  dialogue.certificate_covers = [](const void*, std::string_view host) { return host == "a" || host == "[::1]"; };
  const auto none = [](const std::string& host) { return "GET /none HTTP/1.1\r\nHost: " + host + "\r\n\r\n"; };
  dialogue.take(client(none("a") + none("b:443") + none("a:443") + none("[::1]:443") + none("")));
  EXPECT_EQ(dialogue.seen().statuses, (std::vector<std::uint16_t>{404, 421, 404, 404, 404}));
  EXPECT_EQ(dialogue.seen().client, kept(404) + kept(421) + kept(404) + kept(404) + kept(404));
  dialogue.take(client("GET / HTTP/1.1\r\nHost: b\r\n\r\n"));
  EXPECT_EQ(dialogue.seen().upstreams.size(), 1U) << "a route takes it";
}

// ── Maintenance ───────────────────────────────────────────────────────────────────────────────────────────────────

TEST(Answers, InMaintenanceAreOnePage) {
  config::Config config = with({});
  config.maintenance = {.file = config::File{"/m.txt", {}}, .retry_after = std::chrono::minutes(5)};
  const routing::RouteTable table(config, {.contents = {{"/m.txt", state::share("soon")}}});
  Dialogue dialogue;
  dialogue.routes = &table;
  dialogue.maintenance = true;
  dialogue.take(client(ask + request("GET /none HTTP/1.1")));
  const std::string page = head("503 Service Unavailable",
                                "Retry-After: 300\r\nContent-Type: text/plain; charset=utf-8\r\n"
                                "Content-Length: 4\r\n") +
                           "soon";
  EXPECT_EQ(dialogue.seen().client, page + page);
  dialogue.maintenance = false;
  dialogue.take(client(ask));
  EXPECT_EQ(dialogue.seen().upstreams.size(), 1U) << "on the same connection";
}

TEST(Answers, InMaintenanceServeWhomItExcepts) {
  config::Config config = with({});
  config.maintenance.allow = {config::parse_network("192.0.2.1").value()};
  const routing::RouteTable table(config);
  Dialogue dialogue;
  dialogue.routes = &table;
  dialogue.maintenance = true;
  dialogue.take(client(ask));
  EXPECT_EQ(dialogue.seen().upstreams.size(), 1U);
}

}  // namespace
}  // namespace baton::engine
