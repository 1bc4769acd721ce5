// Requests over their rates: which are counted together, what they get, and that each counts once.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proxy/engine/testing/exchange_cases.hpp"

namespace baton::engine {
namespace {

const std::string ask = request("GET / HTTP/1.1");

std::string refused(const std::string& wait) {
  return "HTTP/1.1 429 Too Many Requests\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nRetry-After: " + wait +
         "\r\nContent-Type: text/plain\r\nContent-Length: 22\r\n\r\n429 Too Many Requests\n";
}

using By = config::RateBy;

// A route for which requests are counted, of a client who is 192.0.2.1.
class Rates : public testing::TestWithParam<Freezing> {
 protected:
  Rates() { table->make_room(); }

  // `requests` an hour.
  static config::Config with(std::uint64_t requests, By by = {}) {
    config::Config config;
    config.upstreams.push_back({.name = "app", .servers = {}, .tls = {}});
    config.log.access = config::AccessLog{.path = "-"};
    config::Gate gate;
    gate.rate_limit = config::RateLimit{requests, config::Milliseconds(3'600'000), requests, std::move(by)};
    config.routes.push_back(
        {.name = "own", .match = {.path_prefix = "/"}, .upstream = "app", .gate = std::move(gate), .where = {}});
    return config;
  }
  routing::RouteTable routes_of(const config::Config& config, const routing::Files& files = {}) const {
    return routing::RouteTable(config, files, table);
  }
  // What the requests get, all of them answered by the server if they get there.
  static std::vector<std::uint16_t> play(Dialogue& dialogue, const std::vector<std::string>& requests) {
    for (const std::string& one : requests) {
      const std::size_t before = dialogue.seen().statuses.size();
      dialogue.take(client(one));
      if (dialogue.seen().statuses.size() == before) dialogue.take(upstream(ok_empty));
    }
    return dialogue.seen().statuses;
  }
  using Statuses = std::vector<std::uint16_t>;

  const std::shared_ptr<rates::Table> table = std::make_shared<rates::Table>();
  Dialogue dialogue{GetParam()};
};

// Time is read once in a millisecond.
TEST_P(Rates, LetPassWhatComesWithinAMillisecond) {
  config::Config config = with(1);
  config.routes.front().gate.rate_limit = config::RateLimit{5000, config::Milliseconds(1000), 1, {}};
  const auto routes = routes_of(config);
  dialogue.routes = &routes;
  EXPECT_EQ(play(dialogue, {ask, ask, ask, ask, ask, ask}), (Statuses{200, 200, 200, 200, 200, 429}));
}

TEST_P(Rates, AnswerWhatIsTooMuchAndTheConnectionGoesOn) {
  const auto routes = routes_of(with(2));
  dialogue.routes = &routes;
  const std::string upload = request("POST / HTTP/1.1", "Content-Length: 3\r\n") + "abc";
  EXPECT_EQ(play(dialogue, {ask, ask, upload, ask}), (Statuses{200, 200, 429, 429}));
  EXPECT_EQ(dialogue.seen().client, ok_empty + ok_empty + refused("1800") + refused("1800"));
  EXPECT_EQ(dialogue.seen().upstreams.size(), 2U);
  EXPECT_EQ(dialogue.seen().end, Seen::End::open);
  EXPECT_EQ(dialogue.logged().at(3).access->request_line.view(), "GET / HTTP/1.1");
}

TEST_P(Rates, SayWhenAnotherRequestMayCome) {
  const auto routes = routes_of(with(2));
  dialogue.routes = &routes;
  EXPECT_EQ(play(dialogue, {ask, ask}), (Statuses{200, 200}));
  dialogue.now_ms += 1'799'001;
  dialogue.take(client(ask));
  EXPECT_TRUE(dialogue.seen().client.ends_with(refused("1"))) << "the last part of a second is one";
  dialogue.now_ms += 998;
  EXPECT_EQ(play(dialogue, {ask}), (Statuses{200, 200, 429, 429}));
  dialogue.now_ms += 1;
  EXPECT_EQ(play(dialogue, {ask, ask}), (Statuses{200, 200, 429, 429, 200, 429}));
}

TEST_P(Rates, HaveAnErrorPageAndHeadersWithoutContent) {
  config::Config config = with(1);
  config.error_pages[429] = {"/429.txt"};
  const auto page = state::share("Slow down, please.\n");
  const auto routes = routes_of(config, {.contents = {{"/429.txt", page}}});
  dialogue.routes = &routes;
  play(dialogue, {ask, ask, request("HEAD / HTTP/1.1")});
  const std::string head =
      "HTTP/1.1 429 Too Many Requests\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nRetry-After: 3600\r\n"
      "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 19\r\n\r\n";
  EXPECT_EQ(dialogue.seen().client, ok_empty + head + std::string(page->view()) + head);
}

TEST_P(Rates, CountByHeaderAndWithoutItByClient) {
  const auto routes = routes_of(with(1, {By::What::header, "x-key"}));
  dialogue.routes = &routes;
  const auto with_key = [](const std::string& key) { return request("GET / HTTP/1.1", "X-Key: " + key + "\r\n"); };
  EXPECT_EQ(play(dialogue, {with_key("a"), with_key("b"), ask, with_key("a"), ask, with_key("")}),
            (Statuses{200, 200, 200, 429, 429, 200}));
}

TEST_P(Rates, CountAllRequestsOfARoute) {
  const auto routes = routes_of(with(1, {By::What::route, {}}));
  const routing::TrustedProxies trusted{{{config::parse_network("192.0.2.0/24").value()}, false}};
  dialogue.routes = &routes;
  dialogue.trusted = &trusted;
  const auto from = [](const std::string& who) {
    return request("GET / HTTP/1.1", "X-Forwarded-For: " + who + "\r\n");
  };
  EXPECT_EQ(play(dialogue, {from("198.51.100.1"), from("198.51.100.2")}), (Statuses{200, 429}));
}

TEST_P(Rates, CountByTheClientThatIsBelieved) {
  const auto routes = routes_of(with(1));
  const routing::TrustedProxies trusted{{{config::parse_network("192.0.2.0/24").value()}, false}};
  const auto from = [](const std::string& who) {
    return request("GET / HTTP/1.1", "X-Forwarded-For: " + who + "\r\n");
  };
  dialogue.routes = &routes;
  EXPECT_EQ(play(dialogue, {from("198.51.100.1"), from("198.51.100.2")}), (Statuses{200, 429})) << "anybody says so";
  Dialogue behind(GetParam());
  behind.routes = &routes;
  behind.trusted = &trusted;
  EXPECT_EQ(play(behind, {from("198.51.100.1"), from("198.51.100.2"), from("198.51.100.1"), from("2001:db8::1"),
                          from("2001:db8::2"), from("2001:db8:0:1::1")}),
            (Statuses{200, 200, 429, 200, 429, 200}));
}

TEST_P(Rates, OfAllRequestsCountThoseWithoutARouteAndSpareProxies) {
  config::Config config = with(1000);
  config.limits.requests_per_second_per_client = 2;
  config.routes.front().match.path_prefix = "/own";
  const auto routes = routes_of(config);
  dialogue.routes = &routes;
  const std::string own = request("GET /own HTTP/1.1");
  EXPECT_EQ(play(dialogue, {own, ask, own, ask}), (Statuses{200, 404, 429, 429}));
  const routing::TrustedProxies trusted{{{config::parse_network("192.0.2.0/24").value()}, false}};
  Dialogue proxy(GetParam());
  proxy.routes = &routes;
  proxy.trusted = &trusted;
  const std::string for_another = request("GET /own HTTP/1.1", "X-Forwarded-For: 198.51.100.1\r\n");
  EXPECT_EQ(play(proxy, {own, own, own, for_another, for_another, for_another}),
            (Statuses{200, 200, 200, 200, 200, 429}));
}

TEST_P(Rates, CountARequestOnceHoweverOftenItIsLookedAt) {
  const auto before = routes_of(with(2));
  const auto after = routes_of(with(2));
  dialogue.routes = &before;
  dialogue.servers = 2;
  dialogue.rules.retries = config::Retries{.attempts = 2};
  dialogue.attempts = {Attempt::late};
  dialogue.take(client(ask));
  dialogue.reconfigure(after);
  dialogue.take(connected);
  dialogue.take(upstream_ends);
  dialogue.take(upstream(ok_empty));
  EXPECT_EQ(dialogue.seen().upstreams.size(), 2U) << "it was sent again";
  EXPECT_EQ(play(dialogue, {ask, ask}), (Statuses{200, 200, 429}));
}

TEST_P(Rates, KeepWhatWasUsedWhenTheNumbersChange) {
  const auto before = routes_of(with(4));
  const auto after = routes_of(with(3));
  dialogue.routes = &before;
  play(dialogue, {ask, ask});
  dialogue.reconfigure(after);
  EXPECT_EQ(play(dialogue, {ask, ask}), (Statuses{200, 200, 200, 429}));
}

TEST_P(Rates, DoNotCountWhomTheRouteDoesNotAdmit) {
  config::Config config = with(1);
  config.routes.front().gate.access.deny = {config::parse_network("192.0.2.0/24").value()};
  const auto closed = routes_of(config);
  const auto open = routes_of(with(1));
  dialogue.routes = &closed;
  EXPECT_EQ(play(dialogue, {ask, ask}), (Statuses{403, 403}));
  dialogue.reconfigure(open);
  EXPECT_EQ(play(dialogue, {ask}), (Statuses{403, 403, 200}));
}

TEST_P(Rates, CountGuessedPasswordsBeforeTheyAreVerified) {
  config::Config config = with(2);
  config.routes.front().gate.basic_auth = config::BasicAuth{"office", {"/p", {}}};
  const auto routes = routes_of(config, {.passwords = {{"/p", std::make_shared<const routing::Passwords>()}}});
  dialogue.routes = &routes;
  const std::string guess = request("GET / HTTP/1.1", "Authorization: Basic YW5uOnNlY3JldA==\r\n");
  dialogue.take(client(guess));
  dialogue.verified(http1::Verdict::bad);
  dialogue.take(client(guess));
  dialogue.verified(http1::Verdict::good);
  dialogue.take(upstream(ok_empty));
  dialogue.take(client(guess));
  EXPECT_EQ(dialogue.seen().statuses, (Statuses{401, 200, 429}));
  EXPECT_EQ(dialogue.questions().size(), 2U);
}

TEST_P(Rates, ComeBeforeTheSizeAndBeforeAnAnswerOfTheRoute) {
  config::Config config = with(1);
  config.routes.front().limits.body_bytes = 1;
  config.routes.front().upstream.clear();
  config.routes.front().gate.respond = config::Respond{.status = 204};
  const auto routes = routes_of(config);
  dialogue.routes = &routes;
  EXPECT_EQ(play(dialogue, {ask, request("POST / HTTP/1.1", "Content-Length: 2\r\n") + "ab"}), (Statuses{204, 429}));
}

INSTANTIATE_TEST_SUITE_P(With, Rates, testing::Values(Freezing::never, Freezing::always),
                         [](const auto& of) { return of.param == Freezing::never ? "one_process" : "moves"; });

}  // namespace
}  // namespace baton::engine
