// Who a request's client is and what marks it, through retries, reloads and moves between processes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <string>
#include <vector>

#include "proxy/engine/testing/exchange_cases.hpp"

namespace baton::engine {
namespace {

routing::RouteTable one_route() {
  config::Config config;
  config.upstreams.push_back({.name = "app", .servers = {}, .tls = {}});
  config.routes.push_back({.name = "app", .match = {}, .upstream = "app", .where = {}});
  return routing::RouteTable(config);
}

const routing::TrustedProxies trusted{{{config::parse_network("192.0.2.0/24").value()}, false}};

// A dialogue whose client is 192.0.2.1.
class Clients : public testing::TestWithParam<Freezing> {
 protected:
  Clients() {
    dialogue.routes = &table;
    dialogue.clients = &rules;
    dialogue.unix_us = 1'700'000'000'000'000;
  }
  // The values of a field in a message, in order.
  static std::vector<std::string> values(const std::string& message, const std::string& name) {
    std::vector<std::string> found;
    const std::regex line("(?:^|\n)" + name + ": ?([^\r]*)", std::regex::icase);
    for (std::sregex_iterator at(message.begin(), message.end(), line), end; at != end; ++at) found.push_back((*at)[1]);
    return found;
  }
  std::vector<std::string> sent(const std::string& name) const {
    return values(dialogue.seen().upstreams.back().received, name);
  }
  std::vector<std::string> returned(const std::string& name) const { return values(dialogue.seen().client, name); }
  static std::string get(const std::string& fields = "") {
    return "GET / HTTP/1.1\r\nHost: a.test\r\n" + fields + "\r\n";
  }

  const routing::RouteTable table = one_route();
  routing::ClientRules rules;
  Dialogue dialogue{GetParam()};
};

using testing::ElementsAre;
using testing::IsEmpty;

TEST_P(Clients, ProxiesThatAreTrustedAreBelieved) {
  dialogue.trusted = &trusted;
  rules.forwarded = {.x_forwarded = true, .forwarded = true, .x_real_ip = true};
  dialogue.take(
      client(get("X-Forwarded-For: 6.6.6.6, 198.51.100.7, 192.0.2.9\r\nX-Forwarded-Proto: https\r\n"
                 "X-Forwarded-Host: shop.test\r\nX-Real-IP: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\n")));
  EXPECT_THAT(sent("X-Forwarded-For"), ElementsAre("198.51.100.7, 192.0.2.9, 192.0.2.1"));
  EXPECT_THAT(sent("X-Forwarded-Proto"), ElementsAre("https"));
  EXPECT_THAT(sent("X-Forwarded-Host"), ElementsAre("shop.test"));
  EXPECT_THAT(sent("Forwarded"),
              ElementsAre("for=198.51.100.7;host=\"shop.test\";proto=https, for=192.0.2.9, for=192.0.2.1"));
  EXPECT_THAT(sent("X-Real-IP"), ElementsAre("198.51.100.7"));
  EXPECT_THAT(sent("X_Forwarded_For"), IsEmpty());
  dialogue.take(upstream(ok_empty));
  ASSERT_TRUE(dialogue.logged().back().extras);
  EXPECT_EQ(dialogue.logged().back().extras->client->host_text(), "198.51.100.7") << "the log's client";
}

TEST_P(Clients, OthersAreNot) {
  rules.forwarded = {.x_forwarded = true, .forwarded = true, .x_real_ip = true};
  dialogue.take(
      client(get("X-Forwarded-For: 6.6.6.6\r\nForwarded: for=\"6.6.6.6\r\nX-Forwarded-Proto: https\r\n"
                 "X-Forwarded-Host: evil\r\nX-Real-IP: 6.6.6.6\r\n")));
  EXPECT_THAT(sent("X-Forwarded-For"), ElementsAre("192.0.2.1"));
  EXPECT_THAT(sent("X-Forwarded-Proto"), ElementsAre("http"));
  EXPECT_THAT(sent("X-Forwarded-Host"), ElementsAre("a.test"));
  EXPECT_THAT(sent("Forwarded"), ElementsAre("for=192.0.2.1;host=\"a.test\";proto=http"));
  EXPECT_THAT(sent("X-Real-IP"), ElementsAre("192.0.2.1"));
  dialogue.take(upstream(ok_empty));
  EXPECT_FALSE(dialogue.logged().back().extras);
}

TEST_P(Clients, OnlyTheFieldsAskedForAreWritten) {
  rules.forwarded = {.x_forwarded = false, .forwarded = false, .x_real_ip = true};
  dialogue.take(client(get("X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n")));
  EXPECT_THAT(sent("X-Forwarded-(For|Proto|Host)"), IsEmpty());
  EXPECT_THAT(sent("Forwarded"), IsEmpty());
  EXPECT_THAT(sent("X-Real-IP"), ElementsAre("192.0.2.1"));
}

TEST_P(Clients, ContradictingProxiesAreRefused) {
  dialogue.trusted = &trusted;
  dialogue.take(client(get("X-Forwarded-For: 198.51.100.7\r\nForwarded: for=198.51.100.8\r\n")));
  EXPECT_TRUE(dialogue.seen().client.starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(dialogue.seen().upstreams.empty());
}

// Until the request is sent, the configuration of now says who is trusted.
TEST_P(Clients, AReloadChangesWhoIsBelieved) {
  dialogue.attempts = {Attempt::late, Attempt::late, Attempt::late};
  dialogue.trusted = &trusted;
  dialogue.take(client(get("X-Forwarded-For: 198.51.100.7\r\n")));
  EXPECT_TRUE(dialogue.state().exchange->extras);
  dialogue.trusted = nullptr;
  dialogue.reconfigure(table);
  EXPECT_EQ(state::client_of(*dialogue.state().exchange, dialogue.state().client_address).host_text(), "192.0.2.1");
  dialogue.take(connected);
  EXPECT_THAT(sent("X-Forwarded-For"), ElementsAre("192.0.2.1"));
}

TEST_P(Clients, AnIdIsSentOnAndReturnedOnce) {
  rules.request_id_header = "X-Request-Id";
  dialogue.take(client(get("X-Request-Id: mine\r\nx_request_id: mine\r\nx-request-ID: mine\r\n")));
  const auto ids = sent("X.Request.Id");
  ASSERT_EQ(ids.size(), 1u);
  EXPECT_TRUE(std::regex_match(ids[0], std::regex("018bcfe5-6800-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"))) << ids[0];
  dialogue.take(upstream("HTTP/1.1 200 OK\r\nX-Request-Id: server\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_EQ(returned("X-Request-Id"), ids);
  EXPECT_EQ(dialogue.logged().back().extras->request_id.view(), ids[0]);
  dialogue.take(client(get()));
  EXPECT_NE(sent("X-Request-Id"), ids) << "each request has its own";
}

TEST_P(Clients, AnIdOfTheClientIsKeptWhereItIsTrustedAndWellFormed) {
  rules.request_id_header = "X-Request-Id";
  rules.trusts_request_ids = true;
  const auto id_for = [&](const std::string& fields) {
    dialogue.take(client(get(fields)));
    const auto ids = sent("X-Request-Id");
    dialogue.take(upstream(ok_empty));
    return ids.size() == 1 ? ids[0].substr(0, 9) : "not once";
  };
  EXPECT_EQ(id_for("x-request-id: mine-1\r\n"), "mine-1");
  for (const char* bad : {"", "X-Request-Id: a b\r\n", "X-Request-Id: \r\n", "X-Request-Id: a\r\nX-Request-Id: b\r\n",
                          "X_Request_Id: mine\r\n"}) {
    EXPECT_EQ(id_for(bad), "018bcfe5-") << bad;
  }
}

TEST_P(Clients, AnIdSurvivesARetryAndAReload) {
  rules.request_id_header = "X-Request-Id";
  rules.propagates_traces = true;
  dialogue.attempts = {Attempt::pooled, Attempt::late, Attempt::late};
  dialogue.take(client(get()));
  const auto ids = sent("X-Request-Id");
  const auto traces = sent("traceparent");
  ASSERT_EQ(ids.size(), 1u);
  ASSERT_EQ(traces.size(), 1u);
  dialogue.take(upstream_resets);
  dialogue.reconfigure(table);
  dialogue.take(connected);
  ASSERT_EQ(dialogue.seen().upstreams.size(), 2u);
  EXPECT_EQ(sent("X-Request-Id"), ids);
  EXPECT_EQ(sent("traceparent"), traces);
}

TEST_P(Clients, AnswersOfOurOwnHaveTheIdToo) {
  rules.request_id_header = "X-Request-Id";
  dialogue.take(client("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"));
  EXPECT_TRUE(dialogue.seen().client.starts_with("HTTP/1.1 400 "));
  ASSERT_EQ(returned("X-Request-Id").size(), 1u);
  EXPECT_EQ(returned("X-Request-Id")[0], dialogue.logged().back().extras->request_id.view());
}

TEST_P(Clients, ATraceparentIsMadeOnlyWhereThereIsNone) {
  rules.propagates_traces = true;
  dialogue.take(client(get("Traceparent: 00-anything\r\ntracestate: a=b\r\n")));
  EXPECT_THAT(sent("traceparent"), ElementsAre("00-anything"));
  dialogue.take(upstream(ok_empty));
  dialogue.take(client(get()));
  ASSERT_EQ(sent("traceparent").size(), 1u);
  EXPECT_TRUE(std::regex_match(sent("traceparent")[0], std::regex("00-[0-9a-f]{32}-[0-9a-f]{16}-01")));
}

INSTANTIATE_TEST_SUITE_P(Freezing, Clients, testing::Values(Freezing::never, Freezing::always),
                         [](const auto& i) { return i.param == Freezing::never ? "Stays" : "Moves"; });

}  // namespace
}  // namespace baton::engine
