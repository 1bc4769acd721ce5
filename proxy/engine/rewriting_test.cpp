// What a route changes in requests and responses, on an exchange that is frozen between any two steps or never.
#include <gtest/gtest.h>

#include <string>

#include "proxy/engine/testing/exchange_cases.hpp"

namespace baton::engine {
namespace {

config::Template text(std::string_view of) {
  return config::Template::parse(of).value();
}

config::Route plain() {
  return {.name = "shop", .match = {}, .upstream = "app", .where = {}};
}

routing::RouteTable table_with(const config::Route& route) {
  config::Config config;
  config.upstreams.push_back({.name = "app", .servers = {}, .tls = {}});
  config.routes.push_back(route);
  return routing::RouteTable(config);
}

const std::string answered_hi = "HTTP/1.1 200 OK\r\nServer: origin/1\r\nContent-Length: 2\r\n\r\nhi";

// What the server got, and what the client got for `answer`, whether frozen or not.
struct Both {
  std::string server;
  std::string client;
};
Both played(const config::Route& route, const std::string& request, const std::string& answer = answered_hi) {
  Both both[2];
  const auto table = table_with(route);
  for (const Freezing freezing : {Freezing::never, Freezing::always}) {
    Dialogue dialogue(freezing);
    dialogue.routes = &table;
    const Seen seen = dialogue.play({client(request), upstream(answer)});
    both[static_cast<int>(freezing)] = {seen.upstreams.empty() ? "" : seen.upstreams.back().received, seen.client};
  }
  EXPECT_EQ(both[0].server, both[1].server);
  EXPECT_EQ(both[0].client, both[1].client);
  return both[0];
}

std::string get_target(const std::string& target, const std::string& fields = "") {
  return "GET " + target + " HTTP/1.1\r\nHost: Shop.Test:81\r\n" + fields + "\r\n";
}

std::string line_of(const std::string& message, const std::string& beginning) {
  const std::size_t at = message.find("\r\n" + beginning);
  return at == std::string::npos ? "none" : message.substr(at + 2, message.find("\r\n", at + 2) - at - 2);
}

std::string target_of(const std::string& request) {
  return request.substr(4, request.find(" HTTP/1.1\r\n") - 4);
}

TEST(Rewriting, EditsTheFieldsOfARequest) {
  config::Route route = plain();
  route.request_headers = {
      .set = {{"X-Who", text("{client} {scheme} {host} {port} {method}")}, {"Accept", text("all")}},
      .add = {{"Via-Route", text("{route}/{upstream}")}, {"Via-Route", text("2")}},
      .remove = {"x-debug", "COOKIE"}};
  const Both both =
      played(route, get_target("/", "X-Debug: 1\r\nAccept: one\r\nCookie: a=b\r\nAccept: two\r\nVia-Route: 0\r\n"));
  EXPECT_EQ(both.server,
            "GET / HTTP/1.1\r\nHost: Shop.Test:81\r\nVia-Route: 0\r\nX-Forwarded-For: 192.0.2.1\r\n"
            "X-Forwarded-Proto: http\r\nX-Forwarded-Host: Shop.Test:81\r\n"
            "X-Who: 192.0.2.1 http Shop.Test 81 GET\r\nAccept: all\r\nVia-Route: shop/\r\nVia-Route: 2\r\n\r\n");
  EXPECT_EQ(both.client, answered_hi);
}

TEST(Rewriting, KnowsWhatTheRequestSays) {
  config::Route route = plain();
  route.request_headers.set = {{"X-A", text("{uri}|{path}|{query}")},
                               {"X-B", text("{header.accept}|{header.cookie}|{header.none}")},
                               {"X-Empty", text("{header.none}")}};
  const Both both = played(
      route, get_target("/a%20b?c=d?e", "Accept: x\r\nCookie: a=1\r\naccept: y\r\nCookie: b=2\r\nX-Empty: 1\r\n"));
  EXPECT_EQ(line_of(both.server, "X-A"), "X-A: /a%20b?c=d?e|/a%20b|c=d?e");
  EXPECT_EQ(line_of(both.server, "X-B"), "X-B: x, y|a=1; b=2|");
  EXPECT_EQ(line_of(both.server, "X-Empty"), "none") << "a field without a value is not written";
}

TEST(Rewriting, ReplacesWhatBatonWritesItself) {
  config::Route route = plain();
  route.request_headers = {.set = {{"X-Forwarded-Proto", text("https")}}, .add = {}, .remove = {"X-Forwarded-Host"}};
  const Both both = played(route, get_target("/"));
  EXPECT_EQ(line_of(both.server, "X-Forwarded-Proto"), "X-Forwarded-Proto: https");
  EXPECT_EQ(line_of(both.server, "X-Forwarded-Host"), "none");
  EXPECT_EQ(both.server.find("http\r\n"), std::string::npos);
}

TEST(Rewriting, EditsTheFieldsOfAResponse) {
  config::Route route = plain();
  route.response_headers = {
      .set = {{"X-Path", text("{path}")}}, .add = {{"Set-Cookie", text("a=b")}}, .remove = {"server"}};
  const Both both =
      played(route, get_target("/x?y"), "HTTP/1.1 200 OK\r\nServer: o\r\nX-Path: 1\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(both.client, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Path: /x\r\nSet-Cookie: a=b\r\n\r\n");
}

TEST(Rewriting, LeavesInterimResponsesAlone) {
  config::Route route = plain();
  route.response_headers.remove = {"Link"};
  const std::string hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
  EXPECT_EQ(played(route, get_target("/"), hints + "HTTP/1.1 204 No Content\r\nLink: </b>\r\n\r\n").client,
            hints + "HTTP/1.1 204 No Content\r\n\r\n");
}

// The response is edited as the route said when its request was sent.
TEST(Rewriting, HoldsToTheEndOfAnExchange) {
  config::Route before = plain();
  before.response_headers.set = {{"X-Route", text("before {path}")}};
  config::Route after = plain();
  after.response_headers.set = {{"X-Route", text("after")}};
  const auto old_table = table_with(before);
  const auto new_table = table_with(after);
  for (const Freezing freezing : {Freezing::never, Freezing::always}) {
    Dialogue dialogue(freezing);
    dialogue.routes = &old_table;
    dialogue.take(client(get_target("/1")));
    dialogue.reconfigure(new_table);
    dialogue.take(upstream(answered_hi));
    EXPECT_EQ(line_of(dialogue.seen().client, "X-Route"), "X-Route: before /1");
    dialogue.take(client(get_target("/2")));
    dialogue.take(upstream(answered_hi));
    EXPECT_EQ(line_of(dialogue.seen().client.substr(answered_hi.size()), "X-Route"), "X-Route: after");
  }
}

// The second attempt is written anew.
TEST(Rewriting, IsDoneOnceForEachAttempt) {
  config::Route route = plain();
  route.request_headers.add = {{"X-Once", text("1")}};
  route.path.strip_prefix = "/a";
  const auto table = table_with(route);
  Dialogue dialogue;
  dialogue.routes = &table;
  dialogue.servers = 2;
  dialogue.attempts = {Attempt::pooled, Attempt::fresh};
  const Seen seen = dialogue.play({client(get_target("/a/b")), upstream_resets, connected, upstream(answered_hi)});
  ASSERT_EQ(seen.upstreams.size(), 2u);
  EXPECT_EQ(seen.upstreams[0].received, seen.upstreams[1].received);
  EXPECT_EQ(target_of(seen.upstreams[1].received), "/b");
}

TEST(Rewriting, ChangesThePath) {
  config::Route route = plain();
  route.path = {.strip_prefix = "/v1", .add_prefix = "/api", .replace = {}, .regex = {}};
  const auto sent = [&](const std::string& target) { return target_of(played(route, get_target(target)).server); };
  EXPECT_EQ(sent("/v1/a?b=/../c"), "/api/a?b=/../c");
  EXPECT_EQ(sent("/v1"), "/api/");
  EXPECT_EQ(sent("/v1?x"), "/api/?x");
  EXPECT_EQ(sent("/v1/../../etc"), "/api/etc");
  EXPECT_EQ(sent("http://shop.test/v1/a?b"), "/api/a?b");
  EXPECT_EQ(sent("http://shop.test?b"), "/api/?b");
  EXPECT_EQ(target_of(played(route, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").server.substr(4)), "*");
}

TEST(Rewriting, ReplacesThePath) {
  config::Route route = plain();
  const auto sent = [&](const char* replace, const std::string& target) {
    route.path.replace = text(replace);
    return target_of(played(route, get_target(target, "X-F: a/b?c d\r\n")).server);
  };
  EXPECT_EQ(sent("/fixed", "/a?b"), "/fixed?b");
  EXPECT_EQ(sent("/fixed?x=1", "/a?b"), "/fixed?x=1");
  EXPECT_EQ(sent("/new{path}", "/a/../c?b"), "/new/c?b");
  EXPECT_EQ(sent("/new{uri}", "/a?b"), "/new/a?b");
  EXPECT_EQ(sent("/q/{query}", "/a?b=c"), "/q/b=c?b=c");
  EXPECT_EQ(sent("/{host}/{header.X-F}", "/a"), "/Shop.Test/a%2Fb%3Fc%20d");
}

TEST(Rewriting, SubstitutesInThePath) {
  config::Route route = plain();
  route.path.regex = {.match = "^/old/(.*)$", .replace = "/new/$1"};
  const auto sent = [&](const std::string& target) { return target_of(played(route, get_target(target)).server); };
  EXPECT_EQ(sent("/old/a%20b?c=/old/"), "/new/a%20b?c=/old/");
  EXPECT_EQ(sent("/x/../%6fld//a?"), "/new/a?");
  EXPECT_EQ(sent("/other?/old/"), "/other?/old/");
  EXPECT_EQ(sent("http://shop.test/old/"), "/new/");
  EXPECT_EQ(target_of(played(route, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").server.substr(4)), "*");
}

TEST(Rewriting, NothingClimbsOutOfAPath) {
  config::Route route = plain();
  route.path.regex = {.match = "^/x(.*)$", .replace = "/files/$1"};
  const Both climbing = played(route, get_target("/x../secret"));
  EXPECT_EQ(climbing.server, "");
  EXPECT_TRUE(climbing.client.starts_with("HTTP/1.1 400 Bad Request\r\n")) << climbing.client;
  route.path.regex.reset();
  const auto answered_by = [&](const char* replace, const std::string& request) {
    route.path.replace = text(replace);
    return played(route, request);
  };
  for (const char* host : {"..", "."}) {
    const std::string request = std::string("GET /secret HTTP/1.1\r\nHost: ") + host + "\r\n\r\n";
    const Both both = answered_by("/files/{host}/end", request);
    EXPECT_EQ(both.server, "");
    EXPECT_TRUE(both.client.starts_with("HTTP/1.1 400 Bad Request\r\n")) << both.client;
  }
  EXPECT_EQ(answered_by("/f/{header.x}/e", get_target("/", "X: ..\r\n")).server, "");
  EXPECT_EQ(answered_by("/f/{query}", get_target("/a?/../../etc?x")).server, "") << "it may decode %2F";
  EXPECT_EQ(target_of(answered_by("/f/{query}", get_target("/a?b/c?x")).server), "/f/b%2Fc%3Fx?b/c?x");
}

TEST(Rewriting, EditsTrailersToo) {
  config::Route route = plain();
  route.request_headers = {.set = {{"X-All", text("ours")}}, .add = {}, .remove = {"X-Debug"}};
  route.response_headers = {.set = {{"X-Echo", text("ours")}}, .add = {}, .remove = {"Server"}};
  const std::string trailers = "0\r\nX-All: 1\r\nx-debug: 2\r\nX-Echo: 3\r\nServer: 4\r\nX-Kept: 5\r\n\r\n";
  const Both both = played(route, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + trailers,
                           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + trailers);
  EXPECT_TRUE(both.server.ends_with("0\r\nX-Echo: 3\r\nServer: 4\r\nX-Kept: 5\r\n\r\n")) << both.server;
  EXPECT_TRUE(both.client.ends_with("0\r\nX-All: 1\r\nx-debug: 2\r\nX-Kept: 5\r\n\r\n")) << both.client;
}

TEST(Rewriting, BelievesNoClientWhoItIs) {
  config::Route route = plain();
  route.request_headers.set = {{"X-Real-IP", text("{header.x-real-ip}{header.x-forwarded-for}{header.x_under}")}};
  const Both both =
      played(route, get_target("/", "X-Real-IP: 6.6.6.6\r\nX-Forwarded-For: 6.6.6.6\r\nX_Under: 6.6.6.6\r\n"));
  EXPECT_EQ(both.server.find("6.6.6.6"), std::string::npos) << both.server;
}

TEST(Rewriting, OfDateLeavesOne) {
  config::Route route = plain();
  route.response_headers.set = {{"Date", text("now")}};
  Dialogue dialogue;
  const auto table = table_with(route);
  dialogue.routes = &table;
  dialogue.unix_us = 1'000'000;
  const std::string seen = dialogue.play({client(get_target("/")), upstream(answered_hi)}).client;
  EXPECT_EQ(line_of(seen, "Date"), "Date: now");
  EXPECT_EQ(seen.find("Date", seen.find("Date") + 1), std::string::npos) << seen;
}

TEST(Rewriting, ChangesTheHost) {
  config::Route route = plain();
  route.host = {config::HostRewrite::To::literal, text("{host}.internal:8080")};
  const Both both = played(route, get_target("/"));
  EXPECT_EQ(both.server.substr(0, both.server.find("X-Forwarded-For")),
            "GET / HTTP/1.1\r\nHost: Shop.Test.internal:8080\r\n");
  EXPECT_EQ(line_of(both.server, "X-Forwarded-Host"), "X-Forwarded-Host: Shop.Test:81") << "what the client asked for";
}

// Nothing that a client sends ends a line or adds one.
TEST(Rewriting, AValueCannotEndALine) {
  config::Route route = plain();
  route.request_headers.set = {{"X-Tab", text("{header.a}")}};
  route.response_headers.set = {{"X-Tab", text("{header.a}")}};
  const Both both = played(route, get_target("/", "A: x\ty\xff\r\n"));
  EXPECT_EQ(line_of(both.server, "X-Tab"), "X-Tab: x\ty\xff");
  EXPECT_EQ(line_of(both.client, "X-Tab"), "X-Tab: x\ty\xff");
}

TEST(Rewriting, EditsWhatSwitchesToAWebSocket) {
  config::Route route = plain();
  route.response_headers.set = {{"X-Socket", text("{path}")}};
  const Both both =
      played(route, get_target("/ws", "Connection: upgrade\r\nUpgrade: websocket\r\n"),
             "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nframes");
  EXPECT_EQ(line_of(both.client, "X-Socket"), "X-Socket: /ws");
  EXPECT_TRUE(both.client.ends_with("\r\n\r\nframes"));
}

}  // namespace
}  // namespace baton::engine
