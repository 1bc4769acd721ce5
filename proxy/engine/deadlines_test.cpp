// Deadlines of an exchange.
#include <gtest/gtest.h>

#include <string>

#include "proxy/engine/engine.hpp"
#include "proxy/engine/testing/exchange_cases.hpp"

namespace baton::engine {
namespace {

TEST(Exchange, AHeadIsTimedFromItsFirstByteAndIdlenessFromTheLastResponse) {
  Dialogue dialogue;
  const std::int64_t begin = dialogue.now_ms;
  EXPECT_EQ(dialogue.deadline_ms(), begin + dialogue.rules.idle_ms);
  dialogue.now_ms += 10;
  dialogue.take(client("GET "));
  dialogue.now_ms += 10;
  dialogue.take(client("/ HT"));
  EXPECT_EQ(dialogue.deadline_ms(), begin + 10 + dialogue.rules.head_ms);
}

TEST(Exchange, AResponseIsTimedFromTheLastProgressOfItsUpstream) {
  Dialogue dialogue;
  dialogue.take(client(request("GET / HTTP/1.1")));
  EXPECT_EQ(dialogue.deadline_ms(), dialogue.now_ms + dialogue.rules.response_ms);
  dialogue.now_ms += 1000;
  dialogue.take(upstream("HTTP/1.1 102 Processing\r\n\r\n"));
  EXPECT_EQ(dialogue.deadline_ms(), dialogue.now_ms + dialogue.rules.response_ms);
  dialogue.now_ms += 1000;
  dialogue.take(upstream("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"));
  EXPECT_EQ(dialogue.deadline_ms(), dialogue.now_ms + dialogue.rules.response_body_ms);
}

TEST(Exchange, AStreamMayBeSilentForAsLongAsATunnel) {
  const auto deadline_after = [](const std::string& type) {
    Dialogue dialogue(Freezing::always);
    dialogue.take(client(request("GET / HTTP/1.1")));
    dialogue.take(upstream("HTTP/1.1 200 OK\r\n" + type + "\r\nTransfer-Encoding: chunked\r\n\r\n"));
    return dialogue.deadline_ms() - dialogue.now_ms;
  };
  const Rules rules;
  for (const char* type : {"Content-Type: text/event-stream", "content-type: Text/Event-Stream; charset=utf-8",
                           "Content-Type: application/grpc", "Content-Type: application/grpc-web+proto"}) {
    EXPECT_EQ(deadline_after(type), rules.tunnel_idle_ms) << type;
  }
  for (const char* type : {"Content-Type: text/event-streams", "Content-Type: text/plain", "Content-Type: ",
                           "X-Content-Type: text/event-stream", "Content-Type: application/grp"}) {
    EXPECT_EQ(deadline_after(type), rules.response_body_ms) << type;
  }
}

TEST(Exchange, BesideAStreamOfResponsesTheRequestMayBeSilentToo) {
  Dialogue dialogue;
  dialogue.take(client(request("POST / HTTP/1.1", "Transfer-Encoding: chunked\r\n") + "5\r\nhello\r\n"));
  EXPECT_EQ(dialogue.deadline_ms(), dialogue.now_ms + dialogue.rules.body_ms);
  dialogue.take(upstream("HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n"));
  EXPECT_EQ(dialogue.deadline_ms(), dialogue.now_ms + dialogue.rules.tunnel_idle_ms);
}

TEST(Exchange, MayHaveALimitInAllFromTheFirstByteOfItsHead) {
  Dialogue dialogue(Freezing::always);
  dialogue.rules.total_ms = 10'000;
  const std::int64_t end = dialogue.now_ms + 10'000;
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
  dialogue.attempts = {Attempt::late};
  dialogue.take(client("GET / HTTP/1.1\r\nHos"));
  EXPECT_EQ(dialogue.deadline_ms(), end);
  dialogue.now_ms += 4'000;
  dialogue.take(client("t: a\r\n\r\n"));
  EXPECT_EQ(dialogue.deadline_ms(), end) << "also while a server is being connected";
  dialogue.take(connected);
  dialogue.take(upstream(head));
  EXPECT_EQ(dialogue.deadline_ms(), end);
  dialogue.take(deadline);
  EXPECT_EQ(dialogue.seen().client, head);
  EXPECT_EQ(dialogue.seen().end, Seen::End::reset);
}

TEST(Exchange, WhoseTimeIsOverBeforeAResponseIsAnsweredByUs) {
  for (const Script& script : {Script{}, Script{connected}}) {
    Dialogue dialogue;
    dialogue.rules.total_ms = 10'000;
    dialogue.attempts = {Attempt::late};
    dialogue.take(client(request("GET / HTTP/1.1")));
    dialogue.play(script);
    dialogue.take(deadline);
    EXPECT_EQ(dialogue.seen().client, kept(504));
  }
}

TEST(Exchange, ItsLimitIsNotThatOfTheNextOneNorOfATunnel) {
  Dialogue dialogue;
  dialogue.rules.total_ms = 10'000;
  dialogue.take(client(request("GET / HTTP/1.1")));
  dialogue.take(upstream("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_EQ(dialogue.deadline_ms(), dialogue.now_ms + dialogue.rules.idle_ms);
  dialogue.now_ms += 9'000;
  dialogue.take(client(request("GET / HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n")));
  EXPECT_EQ(dialogue.deadline_ms(), dialogue.now_ms + 10'000);
  dialogue.take(upstream("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"));
  EXPECT_EQ(dialogue.deadline_ms(), dialogue.now_ms + dialogue.rules.tunnel_idle_ms);
}

TEST(Exchange, AClientIsTimedWhileItHasToReadOrToSend) {
  Dialogue dialogue;
  dialogue.rules.send_ms = 7;
  dialogue.rules.body_ms = 9;
  dialogue.take(client(request("PUT / HTTP/1.1", "Content-Length: 9\r\n")));
  EXPECT_EQ(dialogue.deadline_ms(), dialogue.now_ms + 9);
  dialogue.client_reads = false;
  dialogue.take(upstream("HTTP/1.1 102 Processing\r\n\r\n"));
  EXPECT_EQ(dialogue.deadline_ms(), dialogue.now_ms + 7);
}

TEST(Exchange, AClientWhoseBodyWasHeldUpByTheUpstreamHasItsWholeTimeAfterwards) {
  Dialogue dialogue;
  dialogue.upstream_reads = false;
  dialogue.take(client(request("PUT / HTTP/1.1", "Content-Length: 9\r\n") + "hello"));
  EXPECT_EQ(dialogue.deadline_ms(), dialogue.now_ms + dialogue.rules.response_ms) << "it is the upstream's turn";
  dialogue.now_ms += dialogue.rules.response_ms - 1;
  dialogue.upstream_reads = true;
  dialogue.take(client(""));
  EXPECT_EQ(dialogue.deadline_ms(), dialogue.now_ms + dialogue.rules.body_ms);
}

TEST(Exchange, AnExpectedContinueIsTheUpstreamsToSend) {
  Dialogue dialogue;
  dialogue.rules.body_ms = 9;
  dialogue.take(client(request("PUT / HTTP/1.1", "Content-Length: 9\r\nExpect: 100-continue\r\n")));
  EXPECT_EQ(dialogue.deadline_ms(), dialogue.now_ms + dialogue.rules.response_ms);
  dialogue.take(deadline);
  EXPECT_EQ(dialogue.seen().client, own(504));
}

TEST(Exchange, LingeringIsBoundedInAllAndWhileNothingComes) {
  Dialogue dialogue;
  dialogue.take(client("nonsense\r\n\r\n"));
  const std::int64_t begin = dialogue.now_ms;
  EXPECT_EQ(dialogue.deadline_ms(), begin + http1::linger_quiet_ms);
  while (dialogue.deadline_ms() < begin + http1::linger_ms) {
    dialogue.now_ms += http1::linger_quiet_ms - 1;
    dialogue.take(client("still sending"));
  }
  EXPECT_EQ(dialogue.deadline_ms(), begin + http1::linger_ms);
  EXPECT_EQ(dialogue.state().client.unread.size(), 0U) << "what comes is thrown away";
}

}  // namespace
}  // namespace baton::engine
