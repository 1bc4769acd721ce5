#include "proxy/engine/engine.hpp"

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "proxy/engine/testing/exchange_cases.hpp"

namespace baton::engine {

// Prints the observed result for GoogleTest.
void PrintTo(const Seen& seen, std::ostream* out) {
  *out << "client: " << testing::PrintToString(seen.client) << (seen.client_ended ? ", then FIN" : "")
       << (seen.end == Seen::End::open ? ", open" : seen.end == Seen::End::closed ? ", closed" : ", reset");
  for (const auto& upstream : seen.upstreams) {
    *out << "\nupstream: " << testing::PrintToString(upstream.received) << ", fate "
         << static_cast<int>(upstream.fate);
  }
  *out << "\nstatuses: " << testing::PrintToString(seen.statuses);
}

namespace {

Seen play(const Case& one, const Script& script, Freezing freezing) {
  Dialogue dialogue(freezing);
  one.prepare(dialogue);
  Seen seen = dialogue.play(script);
  if (one.given_up) {
    for (auto& upstream : seen.upstreams) upstream.received.clear();
  }
  return seen;
}

bool sends(const Step& step) {
  return step.what == Step::What::client_sends || step.what == Step::What::upstream_sends;
}

// The script with one of its steps split in two.
Script cut(const Script& script, std::size_t step, std::size_t at) {
  Script pieces(script.begin(), script.begin() + static_cast<std::ptrdiff_t>(step) + 1);
  pieces.back().bytes.resize(at);
  pieces.push_back({script[step].what, script[step].bytes.substr(at)});
  pieces.insert(pieces.end(), script.begin() + static_cast<std::ptrdiff_t>(step) + 1, script.end());
  return pieces;
}

Script in_single_bytes(const Script& script) {
  Script bytes;
  for (const Step& step : script) {
    if (!sends(step)) bytes.push_back(step);
    for (const char c : step.bytes) bytes.push_back({step.what, std::string(1, c)});
  }
  return bytes;
}

TEST(Exchange, EachSideSeesWhatItMust) {
  for (const Case& one : all_cases()) EXPECT_EQ(play(one, one.script, Freezing::never), one.expected) << one.name;
}

TEST(Exchange, FreezingAnywhereChangesNothing) {
  for (const Case& one : all_cases()) EXPECT_EQ(play(one, one.script, Freezing::always), one.expected) << one.name;
}

TEST(Exchange, BytesInTwoPiecesAreTheSameBytes) {
  for (const Case& one : all_cases()) {
    for (std::size_t step = 0; step < one.script.size(); ++step) {
      for (std::size_t at = 1; at < one.script[step].bytes.size(); ++at) {
        ASSERT_EQ(play(one, cut(one.script, step, at), Freezing::never), one.expected)
            << one.name << ", step " << step << " cut at " << at;
      }
    }
  }
}

TEST(Exchange, FreezingAtAnyByteLosesNothing) {
  for (const Case& one : all_cases()) {
    const Script script = in_single_bytes(one.script);
    ASSERT_EQ(play(one, script, Freezing::never), one.expected) << one.name << ", byte by byte";
    ASSERT_EQ(play(one, script, Freezing::always), one.expected) << one.name << ", byte by byte and frozen";
  }
}

// ── Room ──────────────────────────────────────────────────────────────────────────────────────────────────────────

TEST(Exchange, HoldsNoMoreOfAResponseThanItsBuffersForASlowClient) {
  Dialogue dialogue;
  dialogue.rules.buffer_bytes = dialogue.rules.head_bytes = 1024;
  dialogue.take(client(request("GET / HTTP/1.1")));
  dialogue.client_reads = false;
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
  const std::string body(100'000, 'b');
  dialogue.take(upstream(head + body));
  EXPECT_LE(dialogue.state().client.unsent.size(), 2048U);
  EXPECT_LE(dialogue.state().upstream()->unread.size(), 1024U);
  EXPECT_EQ(wanted_from_upstream(dialogue.state(), dialogue.rules), 0U);
  dialogue.client_reads = true;
  dialogue.take(upstream(""));
  EXPECT_EQ(dialogue.seen().client, head + body);
}

TEST(Exchange, AResponseThatWasWholeBeforeItsServerResetIsPassedOnWhole) {
  Dialogue dialogue;
  dialogue.rules.buffer_bytes = dialogue.rules.head_bytes = 1024;
  dialogue.take(client(request("GET / HTTP/1.1")));
  dialogue.client_reads = false;
  const std::string response = "HTTP/1.1 200 OK\r\nContent-Length: 1500\r\n\r\n" + std::string(1500, 'b');
  dialogue.take(upstream(response));
  dialogue.take(upstream_resets);
  EXPECT_LT(dialogue.state().client.unsent.size(), response.size()) << "some of it waits behind";
  dialogue.client_reads = true;
  dialogue.take(upstream(""));
  EXPECT_EQ(dialogue.seen().client, response);
  EXPECT_EQ(dialogue.seen().end, Seen::End::open);
}

TEST(Exchange, ATunnelWhoseClientWasResetWaitsForItsServerNoLongerThanForAnyReader) {
  Dialogue dialogue;
  dialogue.take(client(request("GET / HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n")));
  dialogue.take(upstream("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"));
  dialogue.upstream_reads = false;
  dialogue.take(client("unread"));
  dialogue.take(client_resets);
  EXPECT_EQ(dialogue.deadline_ms(), dialogue.now_ms + dialogue.rules.send_ms);
}

TEST(Exchange, HoldsNoMoreOfABodyThanItsBuffersForASlowUpstream) {
  Dialogue dialogue;
  dialogue.rules.buffer_bytes = dialogue.rules.head_bytes = 1024;
  dialogue.upstream_reads = false;
  const std::string body(100'000, 'b');
  dialogue.take(client(request("PUT / HTTP/1.1", "Content-Length: 100000\r\n") + body));
  EXPECT_LE(dialogue.state().client.unread.size(), 2 * 1024U);
  EXPECT_LE(dialogue.state().upstream()->unsent.size(), 2 * 1024U);
  dialogue.upstream_reads = true;
  dialogue.take(client(""));
  EXPECT_EQ(dialogue.seen().upstreams.at(0).received,
            forwarded("PUT / HTTP/1.1", "Content-Length: 100000\r\n") + body);
}

// The parsed head consists of views into a buffer that has moved since.
TEST(Exchange, ARequestWhoseBodyHasGrownGoesAgainWithItsOwnHead) {
  Dialogue dialogue;
  dialogue.rules.buffer_bytes = 256 * 1024;
  dialogue.attempts = {Attempt::pooled};
  const std::string body(100'000, 'b');
  const std::string head = request("PUT / HTTP/1.1", "Content-Length: 100000\r\nX-Padding: " + std::string(500, 'p') + "\r\n");
  dialogue.take(client(head + body.substr(0, 1'000)));
  for (std::size_t at = 1'000; at < body.size(); at += 9'000) dialogue.take(client(body.substr(at, 9'000)));
  dialogue.take(upstream_resets);
  ASSERT_EQ(dialogue.seen().upstreams.size(), 2u);
  EXPECT_EQ(dialogue.seen().upstreams[1].received, dialogue.seen().upstreams[0].received);
  EXPECT_TRUE(dialogue.seen().upstreams[1].received.ends_with(body));
}

// ── What interim responses may cost ───────────────────────────────────────────────────────────────────────────────

std::string interim_responses(std::size_t count) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) all += "HTTP/1.1 102 Processing\r\n\r\n";
  return all;
}

TEST(Exchange, PassesOnAsManyInterimResponsesAsProgressReportsNeed) {
  Dialogue dialogue;
  dialogue.take(client(request("PUT / HTTP/1.1", "Content-Length: 9\r\n") + "hello"));
  dialogue.take(upstream(interim_responses(1'000)));
  dialogue.take(client("more"));
  dialogue.take(upstream("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_EQ(dialogue.seen().client, interim_responses(1'000) + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

TEST(Exchange, AnEndlessStreamOfInterimResponsesIs502) {
  Dialogue dialogue;
  dialogue.take(client(request("GET / HTTP/1.1")));
  dialogue.take(upstream(interim_responses(20'000)));
  EXPECT_TRUE(dialogue.seen().client.ends_with(kept(502)));
  EXPECT_LT(dialogue.seen().client.size(), interim_responses(20'000).size());
}

TEST(Exchange, InterimResponsesMayGoOnForEverIfTheyAreSlow) {
  Dialogue dialogue;
  dialogue.take(client(request("GET / HTTP/1.1")));
  for (int i = 0; i < 20'000; ++i) {
    dialogue.now_ms += 10;
    dialogue.take(upstream(interim_responses(1)));
  }
  EXPECT_EQ(dialogue.seen().client, interim_responses(20'000));
}

TEST(Exchange, HoldsNoMoreOfInterimResponsesThanItsBuffersForASlowClient) {
  Dialogue dialogue;
  dialogue.rules.buffer_bytes = dialogue.rules.head_bytes = 1024;
  dialogue.take(client(request("GET / HTTP/1.1")));
  dialogue.client_reads = false;
  dialogue.take(upstream(interim_responses(1'000)));
  EXPECT_LE(dialogue.state().client.unsent.size(), 2048U);
  EXPECT_LE(dialogue.state().upstream()->unread.size(), 1024U);
  dialogue.client_reads = true;
  dialogue.take(upstream(""));
  EXPECT_EQ(dialogue.seen().client, interim_responses(1'000));
}

// ── Counts and limits that only a successor with another configuration meets ──────────────────────────────────────

TEST(Exchange, AHeadBegunUnderALargerLimitIsJudgedByTheSmallerOne) {
  Dialogue dialogue;
  dialogue.take(client("GET / HTTP/1.1\r\nA: " + std::string(5000, 'a')));
  dialogue.rules.head_bytes = 1024;
  dialogue.take(client("a"));
  EXPECT_EQ(dialogue.seen().client, own(431));
}

TEST(Exchange, GivesUpAfterOneAttemptForEachOfVeryManyServers) {
  Dialogue dialogue;
  dialogue.servers = 100'000;
  dialogue.attempts.assign(1000, Attempt::refused);
  dialogue.take(client(request("GET / HTTP/1.1")));
  EXPECT_EQ(dialogue.seen().client, kept(502));
}

TEST(Exchange, GivesAFinalResponseTheDateOfItsArrival) {
  Dialogue dialogue;
  dialogue.unix_us = 784'111'777'999'999;
  dialogue.take(client(request("GET / HTTP/1.1")));
  dialogue.take(upstream("HTTP/1.1 103 E\r\n\r\n"));
  dialogue.unix_us += 1;
  dialogue.take(upstream("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_EQ(dialogue.seen().client, "HTTP/1.1 103 E\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
                                    "Date: Sun, 06 Nov 1994 08:49:38 GMT\r\n\r\n");
}

TEST(Exchange, PassesUnderscoresAsItsRulesSay) {
  const Step upload =
      client(request("POST / HTTP/1.1", "A_b: 1\r\nTransfer-Encoding: chunked\r\n") + "0\r\nC_d: 2\r\n\r\n");
  Dialogue strict;
  strict.take(upload);
  EXPECT_TRUE(strict.seen().upstreams.at(0).received.ends_with("\r\n\r\n0\r\n\r\n"));
  EXPECT_EQ(strict.seen().upstreams.at(0).received.find("A_b"), std::string::npos);
  EXPECT_EQ(strict.fields_dropped(), 1u) << "trailers are not counted";
  Dialogue lenient;
  lenient.rules.underscores = true;
  lenient.take(upload);
  EXPECT_TRUE(lenient.seen().upstreams.at(0).received.ends_with("\r\n\r\n0\r\nC_d: 2\r\n\r\n"));
  EXPECT_NE(lenient.seen().upstreams.at(0).received.find("\r\nA_b: 1\r\n"), std::string::npos);
  EXPECT_EQ(lenient.fields_dropped(), 0u);
}

TEST(Exchange, KeepsForTheAccessLogWhatARequestSaid) {
  Dialogue dialogue;
  dialogue.rules.keep_access = true;
  dialogue.take(client(request("GET /x HTTP/1.1", "User-Agent: u\r\nReferer: r\r\n")));
  dialogue.take(upstream("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"));
  const state::Exchange& exchange = dialogue.logged().at(0);
  const state::AccessRecord& access = *exchange.access;
  EXPECT_EQ(access.request_line, "GET /x HTTP/1.1");
  EXPECT_EQ(access.user_agent, "u");
  EXPECT_EQ(access.referer, "r");
  EXPECT_EQ(exchange.response_bytes, 5U) << "of content, not of chunks";
}

TEST(Exchange, TheAccessLogKnowsTheBytesOfOurOwnAnswers) {
  Dialogue dialogue;
  dialogue.take(client("nonsense\r\n\r\n"));
  EXPECT_EQ(dialogue.logged().at(0).response_bytes, 16U) << "400 Bad Request";
  Dialogue head;
  head.take(client("HEAD / HTTP/1.1\r\n\r\n"));
  EXPECT_EQ(head.logged().at(0).response_bytes, 0U);
}

TEST(Exchange, LastsSinceTheFirstByteOfItsHead) {
  Dialogue dialogue;
  const std::int64_t begin = dialogue.now_ms;
  dialogue.take(client("GET / HTTP/1.1\r\nHos"));
  dialogue.now_ms += 7'000;
  dialogue.take(client("t: a\r\n\r\n"));
  const state::Exchange& exchange = *dialogue.state().exchange;
  EXPECT_EQ(exchange.started_ms, begin);
  EXPECT_EQ(exchange.started_unix_us, -7'000'000) << "the clock of this test stands at 0";
}

}  // namespace
}  // namespace baton::engine
