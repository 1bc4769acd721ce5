// What passes the proxy unchanged, and what it must change: framing of bodies, fields, forms of the target.
#include <gtest/gtest.h>

#include <regex>

#include "harness/baton.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

class Forwarding : public testing::Test {
 protected:
  Origin origin;
  Baton baton{Settings(origin.address())};
  Client client = baton.connect();
};

TEST_F(Forwarding, BothSidesAreKeptAlive) {
  for (int i = 0; i < 10; ++i) EXPECT_EQ(client.get("/bytes/100").body, pattern(100));
  EXPECT_EQ(origin.accepted(), 1u);
  EXPECT_EQ(baton.number("accepted_total"), 1);
  EXPECT_EQ(baton.number("requests_total"), 10);
}

TEST_F(Forwarding, ResponseBodiesKeepTheirFraming) {
  Response by_length = client.get("/bytes/100000");
  EXPECT_EQ(by_length.field("Content-Length"), "100000");
  EXPECT_EQ(by_length.body, pattern(100'000));
  Response by_chunks = client.get("/chunked/100000");
  EXPECT_TRUE(by_chunks.chunked);
  EXPECT_EQ(by_chunks.body, pattern(100'000));
  EXPECT_EQ(client.get("/bytes/0").body, "");
  EXPECT_EQ(client.get("/chunked/0").body, "");
}

TEST_F(Forwarding, RequestBodiesKeepTheirFraming) {
  EXPECT_EQ(client.post("/count", pattern(100'000)).body, "100000 as sent");
  EXPECT_EQ(origin.last_request().field("Content-Length"), "100000");
  std::string body = pattern(5000);
  client.send("POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(body.substr(0, 3000)) +
              chunk(body.substr(3000)) + std::string(last_chunk));
  EXPECT_EQ(client.response().body, "5000 as sent");
  EXPECT_TRUE(origin.last_request().chunked || origin.last_request().field("Transfer-Encoding") == "chunked");
}

TEST_F(Forwarding, TrailersPassBothWays) {
  EXPECT_EQ(client.get("/trailers").trailer("X-Checksum"), "abc123");
  client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk("abc") +
              "0\r\nX-Digest: 42\r\nContent-Length: 3\r\n\r\n");
  EXPECT_TRUE(client.response().body.ends_with("\r\n\r\nabc\ntrailer X-Digest: 42"))
      << "and the framing one is dropped";
}

TEST_F(Forwarding, ABodyUntilCloseEndsTheConnection) {
  client.send(get_request("/until-close/300000"));
  Response response = client.response();
  EXPECT_EQ(response.body, pattern(300'000));
  EXPECT_EQ(response.field("Connection"), "close");
}

TEST_F(Forwarding, AnswersWithoutBodyLeaveTheConnectionUsable) {
  client.send("HEAD /bytes/1000 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.response(BodyIs::absent).field("Content-Length"), "1000");
  EXPECT_EQ(client.get("/status/204").status(), 204);
  EXPECT_EQ(client.get("/status/304").status(), 304);
  EXPECT_EQ(client.get("/bytes/3").body, pattern(3));
}

TEST_F(Forwarding, StatusesPassAsTheyCame) {
  for (int status : {200, 201, 206, 301, 400, 404, 418, 429, 500, 503, 599}) {
    Response response = client.get("/status/" + std::to_string(status));
    EXPECT_EQ(response.start_line, "HTTP/1.1 " + std::to_string(status) + " Chosen");
  }
  EXPECT_EQ(origin.accepted(), 1u);
}

TEST_F(Forwarding, InterimAnswersPass) {
  Response response = client.get("/interim");
  EXPECT_EQ(response.body, "final");
  ASSERT_EQ(response.interim.size(), 1u);
  EXPECT_EQ(response.interim[0].status(), 103);
  EXPECT_EQ(response.interim[0].field("Link"), "</a.css>; rel=preload");
}

TEST_F(Forwarding, ExpectContinueIsAnsweredBeforeTheBodyIsSent) {
  client.send("POST /continue HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(read_head(client).start_line.substr(0, 12), "HTTP/1.1 100");
  client.send("hello");
  EXPECT_EQ(client.response().body, "5");
  EXPECT_EQ(client.get("/bytes/1").body, "A");
}

TEST_F(Forwarding, AFinalAnswerToExpectIsPassedOnAndTheBodyIsNeverARequest) {
  client.send("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 38\r\nExpect: 100-continue\r\n\r\n");
  Response response = client.response();
  EXPECT_EQ(response.status(), 403);
  EXPECT_EQ(response.field("Connection"), "close");
  client.send_what_goes("GET /smuggled HTTP/1.1\r\nHost: evil\r\n\r\n");
  std::string rest;
  client.read_to_end(rest);
  EXPECT_EQ(rest, "");
  EXPECT_EQ(origin.requests().size(), 1u);
}

TEST_F(Forwarding, AnEarlyFinalAnswerIsPassedOnDuringTheUpload) {
  client.send("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + pattern(1000));
  EXPECT_EQ(client.response().status(), 403);
}

TEST_F(Forwarding, PipelinedRequestsAreAnsweredInOrder) {
  std::string requests;
  for (int i = 1; i <= 50; ++i) requests += get_request("/bytes/" + std::to_string(i));
  client.send(requests + post_request("/count", pattern(7)) + get_request("/chunked/20"));
  for (std::size_t i = 1; i <= 50; ++i) EXPECT_EQ(client.response().body, pattern(i));
  EXPECT_EQ(client.response().body, "7 as sent");
  EXPECT_EQ(client.response().body, pattern(20));
}

TEST_F(Forwarding, AHalfClosedClientStillGetsItsAnswers) {
  client.send(get_request("/bytes/100000") + get_request("/chunked/100"));
  client.half_close();
  EXPECT_EQ(client.response().body, pattern(100'000));
  EXPECT_EQ(client.response().body, pattern(100));
  client.expect_fin();
}

TEST_F(Forwarding, AHeadMayArriveByteByByte) {
  for (char byte : get_request("/bytes/9")) client.send(std::string_view(&byte, 1));
  EXPECT_EQ(client.response().body, pattern(9));
}

TEST_F(Forwarding, TheTargetIsPassedInOriginForm) {
  EXPECT_EQ(client.get("/echo?a=b&c=%20").body.substr(0, 29), "GET /echo?a=b&c=%20 HTTP/1.1\r");
  client.send("GET http://other.example:81/echo?q HTTP/1.1\r\nHost: ignored\r\n\r\n");
  client.response();
  EXPECT_EQ(origin.last_request().start_line, "GET /echo?q HTTP/1.1");
  EXPECT_EQ(origin.last_request().field("Host"), "other.example:81");
  origin.on("*", [](Exchange& exchange) { exchange.respond("", "200 OK", "Allow: GET\r\n"); });
  client.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.response().field("Allow"), "GET");
  EXPECT_EQ(origin.last_request().start_line, "OPTIONS * HTTP/1.1");
}

TEST_F(Forwarding, HopByHopFieldsOfTheRequestEndHere) {
  client.get("/echo",
             "Connection: keep-alive, X-Private, Host\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\n"
             "Proxy-Connection: keep-alive\r\nTE: gzip\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA\r\nX-Kept: Yes\r\n");
  const Request seen = origin.last_request();
  for (const char* gone : {"X-Private", "Keep-Alive", "Proxy-Connection", "Upgrade", "HTTP2-Settings", "TE"})
    EXPECT_FALSE(seen.field(gone)) << gone << " in\n" << seen.raw_head;
  EXPECT_EQ(seen.field("X-Kept"), "Yes");
  EXPECT_EQ(seen.field("Host"), "test.example");
}

TEST_F(Forwarding, TheOriginLearnsWhoTakesTrailers) {
  client.get("/echo", "Connection: TE\r\nTE: gzip;q=0.5, trailers\r\n");
  const Request seen = origin.last_request();
  EXPECT_EQ(seen.field("TE"), "trailers");
  EXPECT_EQ(seen.field("Connection"), "TE");
  EXPECT_EQ(client.get("/bytes/1").body, "A") << "and the connection is kept";
  EXPECT_EQ(origin.accepted(), 1u);
}

TEST_F(Forwarding, WhatFramesAMessageGoesOnInOneForm) {
  const auto head_of = [this](const std::string& fields, const std::string& body) {
    client.send("POST /count HTTP/1.1\r\nHost:a\t\r\n" + fields + "\r\n" + body);
    client.response();
    return origin.last_request().raw_head;
  };
  const std::string by_chunks = head_of("Transfer-Encoding: CHUNKED\t \r\n", "0\r\n\r\n");
  EXPECT_NE(by_chunks.find("\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX-"), std::string::npos) << by_chunks;
  const std::string by_length = head_of("Content-Length:05\t\r\nExpect: ,\r\n", "hello");
  EXPECT_NE(by_length.find("\r\nHost: a\r\nContent-Length: 5\r\nX-"), std::string::npos) << by_length;
  origin.on_raw("/blanks", "HTTP/1.1 200 OK\r\nServer : x\r\nContent-Length\t:\t05 \r\n\r\nhello");
  const Response response = client.get("/blanks");
  EXPECT_EQ(response.body, "hello");
  EXPECT_TRUE(response.raw_head.starts_with("HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\nDate: "))
      << response.raw_head;
}

TEST_F(Forwarding, AListMayHaveEmptyElements) {
  client.send(
      "POST /continue HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: , 100-continue\r\n"
      "Connection: ,\r\n\r\n");
  EXPECT_EQ(read_head(client).start_line.substr(0, 12), "HTTP/1.1 100");
  client.send("hello");
  EXPECT_EQ(client.response().body, "5");
  EXPECT_EQ(client.post("/count", "x", "Expect:\r\n").body, "1 changed");
}

TEST_F(Forwarding, AFinalResponseHasADate) {
  const std::regex date(R"(^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z][a-z] 20\d\d \d\d:\d\d:\d\d GMT$)");
  const Response without = client.get("/interim");
  EXPECT_TRUE(std::regex_match(without.field("Date").value_or(""), date)) << without.raw_head;
  EXPECT_FALSE(without.interim.at(0).field("Date"));
  origin.on("/dated", [](Exchange& exchange) { exchange.respond("x", "200 OK", "Date: its own\r\n"); });
  EXPECT_EQ(client.get("/dated").field("Date"), "its own");
}

TEST_F(Forwarding, HopByHopFieldsOfTheResponseEndHere) {
  origin.on("/hops", [](Exchange& exchange) {
    exchange.respond("x", "200 OK",
                     "Connection: X-Private\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\nX-Kept: Yes\r\n");
  });
  Response response = client.get("/hops");
  EXPECT_FALSE(response.field("X-Private"));
  EXPECT_FALSE(response.field("Keep-Alive"));
  EXPECT_EQ(response.field("X-Kept"), "Yes");
  EXPECT_EQ(client.get("/bytes/1").body, "A");
}

TEST_F(Forwarding, ForwardedFieldsAreOursWhateverTheClientClaims) {
  client.get("/echo", "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n");
  const Request seen = origin.last_request();
  EXPECT_EQ(seen.field("X-Forwarded-For"), "127.0.0.1");
  EXPECT_EQ(seen.field("X-Forwarded-Proto"), "http");
  EXPECT_EQ(seen.field("X-Forwarded-Host"), "test.example");
}

TEST_F(Forwarding, ConnectionCloseOfTheClientIsHonoured) {
  Response response = client.get("/bytes/5", "Connection: close\r\n");
  EXPECT_EQ(response.body, pattern(5));
  EXPECT_EQ(response.field("Connection"), "close");
  client.expect_fin();
}

TEST_F(Forwarding, AnHttp10ClientGetsNoChunksAndFinAtTheEnd) {
  client.send("GET /chunked/5000 HTTP/1.0\r\n\r\n");
  Response response = client.response();
  EXPECT_FALSE(response.chunked);
  EXPECT_EQ(response.body, pattern(5000));
}

TEST_F(Forwarding, AnHttp10ClientGetsNoInterimAnswer) {
  client.send("GET /interim HTTP/1.0\r\n\r\n");
  Response response = client.response();
  EXPECT_TRUE(response.interim.empty());
  EXPECT_EQ(response.body, "final");
  client.expect_fin();
}

TEST_F(Forwarding, AnHttp10ClientMayAskToBeKept) {
  for (int i = 0; i < 3; ++i) {
    client.send("GET /bytes/5 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    Response response = client.response();
    EXPECT_EQ(response.body, pattern(5));
    EXPECT_EQ(response.field("Connection"), "keep-alive");
  }
  EXPECT_EQ(baton.number("accepted_total"), 1);
}

TEST_F(Forwarding, AResetInTheMiddleOfABodyIsAResetForTheClient) {
  client.send(get_request("/reset/1000"));
  read_head(client);
  EXPECT_EQ(client.read_exactly(1000), pattern(1000));
  origin.gate().open();
  std::string rest;
  EXPECT_EQ(client.read_to_end(rest), End::reset);
}

TEST_F(Forwarding, AClientThatGoesAwayEndsItsUpstreamConnectionToo) {
  client.send(get_request("/half/1000"));
  read_head(client);
  client.reset();
  origin.gate().open();
  origin.await_open_connections(0);
  EXPECT_EQ(baton.connect().get("/bytes/3").body, pattern(3));
}

}  // namespace
}  // namespace baton::harness
