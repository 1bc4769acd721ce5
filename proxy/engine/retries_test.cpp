// Requests that a route sends again (`retries`), and those that nothing sends again.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proxy/engine/testing/exchange_cases.hpp"

namespace baton::engine {
namespace {

const std::string unavailable = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nlate";

class RetriesTest : public testing::TestWithParam<Freezing> {
 protected:
  RetriesTest() {
    dialogue.servers = 2;
    dialogue.rules.retries = config::Retries{.attempts = 2};
  }
  std::vector<std::string> received() const {
    std::vector<std::string> all;
    for (const auto& upstream : dialogue.seen().upstreams) all.push_back(upstream.received);
    return all;
  }
  using Texts = std::vector<std::string>;

  Dialogue dialogue{GetParam()};
};

TEST_P(RetriesTest, AStatusOfTheServerIsNotPassedOnIfAnotherAttemptIsAllowed) {
  dialogue.take(client(get));
  dialogue.take(upstream(unavailable));
  EXPECT_EQ(dialogue.seen().client, "");
  dialogue.take(upstream(ok));
  EXPECT_EQ(dialogue.seen().client, ok);
  EXPECT_EQ(received(), (Texts{get_forwarded, get_forwarded}));
  EXPECT_EQ(dialogue.seen().upstreams.at(0).fate, Seen::Upstream::Fate::cut);
  EXPECT_EQ(dialogue.seen().statuses, std::vector<std::uint16_t>{200});
}

TEST_P(RetriesTest, TheLastAttemptCountsWhateverItBrings) {
  dialogue.take(client(get));
  dialogue.take(upstream(unavailable));
  dialogue.take(upstream(unavailable));
  EXPECT_EQ(dialogue.seen().client, unavailable);
  EXPECT_EQ(received().size(), 2U);
}

TEST_P(RetriesTest, ABodyThatIsHeldIsSentAgain) {
  dialogue.take(client(request("PUT / HTTP/1.1", "Content-Length: 4\r\n") + "ab"));
  dialogue.take(upstream(unavailable));
  dialogue.take(client("cd"));
  dialogue.take(upstream(ok));
  EXPECT_EQ(dialogue.seen().client, ok);
  const std::string head = forwarded("PUT / HTTP/1.1", "Content-Length: 4\r\n");
  EXPECT_EQ(received(), (Texts{head + "ab", head + "abcd"}));
}

TEST_P(RetriesTest, WhatMayHaveBeenDoneIsNotDoneTwice) {
  dialogue.take(client(request("POST / HTTP/1.1", "Content-Length: 0\r\n")));
  dialogue.take(upstream(unavailable));
  EXPECT_EQ(dialogue.seen().client, unavailable);
  EXPECT_EQ(received().size(), 1U);
}

TEST_P(RetriesTest, NothingIsSentAgainOnceAPartOfAResponseWasForwarded) {
  const std::string hints = "HTTP/1.1 103 Early Hints\r\n\r\n";
  dialogue.take(client(get));
  dialogue.take(upstream(hints));
  dialogue.take(upstream(unavailable));
  EXPECT_EQ(dialogue.seen().client, hints + unavailable);
  EXPECT_EQ(received().size(), 1U);
}

TEST_P(RetriesTest, OnlyTheNamedCausesCount) {
  dialogue.rules.retries->on = config::on_connect | config::on_502;
  dialogue.take(client(get));
  dialogue.take(upstream(unavailable));
  EXPECT_EQ(dialogue.seen().client, unavailable);
  dialogue.take(client(get));
  dialogue.take(upstream_resets);
  EXPECT_EQ(dialogue.seen().client, unavailable + kept(502));
  EXPECT_LE(received().size(), 3U) << "the second request may have found a stale connection first";
}

// A request that must not be sent again after a loss is not, whichever connection it was lost on.
TEST_P(RetriesTest, ALossOnAPooledConnectionIsFreeUnlessLossesAreExcluded) {
  const auto sent_times = [&](config::Retries retries) {
    Dialogue one{GetParam()};
    one.servers = 2;
    one.rules.retries = retries;
    routing::RetryBudget spent;
    while (spent.take(one.now_ms, retries.budget)) {
    }
    one.retry_budget = &spent;
    one.attempts = {Attempt::pooled, Attempt::fresh, Attempt::fresh};
    one.take(client(get));
    one.take(upstream_ends);
    if (one.seen().client.empty()) one.take(upstream_ends);
    EXPECT_EQ(one.seen().client, kept(502));
    return one.seen().upstreams.size();
  };
  EXPECT_EQ(sent_times({.attempts = 2}), 2U) << "once more, without the budget, and only once";
  EXPECT_EQ(sent_times({.attempts = 2, .on = config::on_connect | config::on_503}), 1U);
  EXPECT_EQ(sent_times({.attempts = 1}), 1U);
}

TEST_P(RetriesTest, TheServersThatHaveFailedAreRememberedButNotForAStaleConnection) {
  dialogue.rules.retries->attempts = 3;
  dialogue.attempts = {Attempt::pooled, Attempt::fresh, Attempt::late};
  dialogue.take(client(get));
  dialogue.take(upstream_ends);
  EXPECT_FALSE(dialogue.state().exchange->extras);
  dialogue.take(upstream(unavailable));
  const state::SocketAddress server;  // of every attempt here
  EXPECT_EQ(dialogue.state().exchange->extras->failed.view(), server.text() + "\n");
}

TEST_P(RetriesTest, OneServerMayBeTriedSeveralTimes) {
  dialogue.servers = 1;
  dialogue.rules.retries->attempts = 3;
  dialogue.attempts = {Attempt::refused, Attempt::fresh, Attempt::fresh};
  dialogue.take(client(get));
  dialogue.take(upstream_ends);
  dialogue.take(upstream(ok));
  EXPECT_EQ(dialogue.seen().client, ok);
  EXPECT_EQ(received().size(), 2U);
}

TEST_P(RetriesTest, AServerThatDoesNotAnswerInTimeIsGivenUp) {
  dialogue.take(client(get));
  dialogue.now_ms = dialogue.deadline_ms();
  dialogue.take(deadline);
  EXPECT_EQ(dialogue.seen().client, "");
  dialogue.take(upstream(ok));
  EXPECT_EQ(dialogue.seen().client, ok);
}

TEST_P(RetriesTest, WithoutABudgetLeftTheClientGetsWhatThereIs) {
  routing::RetryBudget budget;
  dialogue.retry_budget = &budget;
  std::string expected;
  for (std::uint32_t i = 0; i < routing::RetryBudget::floor; ++i) {
    dialogue.take(client(get));
    dialogue.take(upstream(unavailable));
    dialogue.take(upstream(ok));
    expected += ok;
  }
  dialogue.take(client(get));
  dialogue.take(upstream(unavailable));
  EXPECT_EQ(dialogue.seen().client, expected + unavailable);
}

INSTANTIATE_TEST_SUITE_P(Frozen, RetriesTest, testing::Values(Freezing::never, Freezing::always),
                         [](const auto& one) { return one.param == Freezing::never ? "Never" : "Always"; });

}  // namespace
}  // namespace baton::engine
