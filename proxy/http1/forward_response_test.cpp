#include "proxy/http1/forward.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace baton::http1 {
namespace {

using namespace std::string_literals;

std::string response(const std::string& lines, const ResponseRules& rules = {}) {
  const std::string raw = lines + "\r\n";
  ResponseHead head;
  EXPECT_FALSE(parse_response_head(raw, {}, head)) << raw;
  state::Buffer out;
  write_response_head(head, rules, out);
  return std::string{out.view()};
}

std::string ok(const std::string& lines) {
  return "HTTP/1.1 200 OK\r\n" + lines;
}

std::string trailers(const std::string& raw, bool underscores = true) {
  std::vector<Field> fields;
  EXPECT_FALSE(parse_trailers(raw, {}, Sender::server, fields));
  state::Buffer out;
  write_trailers(fields, underscores, out);
  return std::string{out.view()};
}

TEST(WriteResponseHead, HasRoomForABlankMoreInEveryLine) {
  std::string lines;
  std::string written;
  for (int i = 0; i < 2000; ++i) {
    lines += "Upgrade:websocket\r\n";
    written += "Upgrade: websocket\r\n";
  }
  const std::string status = "HTTP/1.1 101 Switching Protocols\r\n";
  EXPECT_EQ(response(status + lines, {.switching_protocols = true}), status + written + "Connection: upgrade\r\n\r\n");
}

// A field that asks for something in a request asks for nothing in a response, where it may hold any value.
TEST(WriteResponseHead, LeavesFieldsOfRequestsAlone) {
  std::string lines;
  for (int i = 0; i < 97; ++i) lines += "Expect:x\r\n";
  lines += "Host: a,b\r\nP: " + std::string(31'540, 'a') + "\r\nDate: now\r\n";
  EXPECT_EQ(response(ok(lines)), ok(lines) + "\r\n");
  EXPECT_EQ(response("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding:x\r\nDate: now\r\n"),
            "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: x\r\nDate: now\r\n\r\n");
}

TEST(WriteResponseHead, KeepsStatusReasonOrderAndCase) {
  const std::string lines = "HTTP/1.1 299 Quite  Fine\r\nserver: x\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n";
  EXPECT_EQ(response(lines), lines + "\r\n");
}

TEST(WriteResponseHead, SpeaksHttp11WhateverTheUpstreamSpeaks) {
  EXPECT_EQ(response("HTTP/1.0 200 OK\r\nA: 1\r\n"), ok("A: 1\r\n\r\n"));
  EXPECT_EQ(response("HTTP/1.9 200 OK\r\nA: 1\r\n"), ok("A: 1\r\n\r\n"));
  EXPECT_EQ(response("HTTP/1.1 200\r\nA: 1\r\n"), "HTTP/1.1 200 \r\nA: 1\r\n\r\n");
  EXPECT_EQ(response("HTTP/1.1 200 \r\nA: 1\r\n"), "HTTP/1.1 200 \r\nA: 1\r\n\r\n");
}

TEST(WriteResponseHead, RemovesHopByHopFields) {
  EXPECT_EQ(
      response(ok("A: 1\r\nConnection: close, X-Hop\r\nKeep-Alive: timeout=5\r\nB: 2\r\nX-Hop: 1\r\nUpgrade: h2c\r\n"
                  "Proxy-Connection: close\r\nContent-Length: 5\r\n")),
      ok("A: 1\r\nB: 2\r\nContent-Length: 5\r\n\r\n"));
}

TEST(WriteResponseHead, LetsConnectionRemoveNothingThatFrames) {
  EXPECT_EQ(response(ok("Connection: content-length\r\nContent-Length: 5\r\n")), ok("Content-Length: 5\r\n\r\n"));
  EXPECT_EQ(response(ok("Transfer-Encoding: chunked\r\nConnection: transfer-encoding\r\n")),
            ok("Transfer-Encoding: chunked\r\n\r\n"));
}

TEST(WriteResponseHead, WritesWhatFramesInItsCanonicalForm) {
  for (const char* line : {"Content-Length:5", "Content-Length: 5\t ", "Content-Length:\t05", "Content-Length : 5",
                           "Content-Length :5 "}) {
    EXPECT_EQ(response(ok("A:  1 \r\n"s + line + "\r\n")), ok("A:  1 \r\nContent-Length: 5\r\n\r\n")) << line;
  }
  for (const char* line :
       {"Transfer-Encoding:chunked", "Transfer-Encoding: Chunked\t", "Transfer-Encoding\t: chunked"}) {
    EXPECT_EQ(response(ok(line + "\r\n"s)), ok("Transfer-Encoding: chunked\r\n\r\n")) << line;
  }
}

TEST(WriteResponseHead, RemovesBlanksBeforeAColon) {
  EXPECT_EQ(response(ok("A: 1\r\nName \t:  value \r\nSet-Cookie :x\r\nEmpty :\r\nB:2\r\n")),
            ok("A: 1\r\nName: value\r\nSet-Cookie: x\r\nEmpty: \r\nB:2\r\n\r\n"));
  EXPECT_EQ(response(ok("Connection : x-hop\r\nX-Hop : 1\r\nKeep-Alive : 2\r\n")), ok("\r\n"));
  EXPECT_EQ(trailers("Name \t: value\r\nB: 2\r\n\r\n"), "Name: value\r\nB: 2\r\n\r\n");
}

TEST(WriteResponseHead, AddsADateWhereThereIsNone) {
  const ResponseRules at{.unix_time_s = 784111777};
  EXPECT_EQ(response(ok("A: 1\r\n"), at), ok("A: 1\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n"));
  EXPECT_EQ(response(ok("A: 1\r\n"), {.unix_time_s = 951782400}),
            ok("A: 1\r\nDate: Tue, 29 Feb 2000 00:00:00 GMT\r\n\r\n"));
  EXPECT_EQ(response(ok("date: then\r\nA: 1\r\n"), at), ok("date: then\r\nA: 1\r\n\r\n"));
  EXPECT_EQ(response(ok("Connection: date\r\nDate: then\r\n"), at), ok("Date: then\r\n\r\n"));
  EXPECT_EQ(response(ok("A: 1\r\n")), ok("A: 1\r\n\r\n")) << "without a clock";
  EXPECT_EQ(response("HTTP/1.1 103 Early Hints\r\nLink: x\r\n", at), "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
  const ResponseRules switching{.switching_protocols = true, .unix_time_s = 784111777};
  EXPECT_EQ(response("HTTP/1.1 101 S\r\nUpgrade: websocket\t\r\n", switching),
            "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n");
}

TEST(WriteResponseHead, PassesNamesThatAreForServersToJudge) {
  const std::string lines = ok("X_Y: 1\r\nX-Forwarded-For: 2\r\nContent_Length: 3\r\n");
  EXPECT_EQ(response(lines), lines + "\r\n");
}

TEST(WriteResponseHead, TakesChunkingOffForHttp10) {
  EXPECT_EQ(
      response(ok("Transfer-Encoding: chunked\r\nTrailer: X\r\nA: 1\r\n"), {.client_http10 = true, .close = true}),
      ok("A: 1\r\nConnection: close\r\n\r\n"));
}

TEST(WriteResponseHead, SaysHowTheConnectionGoesOn) {
  EXPECT_EQ(response(ok("Connection: keep-alive\r\n"), {.close = true}), ok("Connection: close\r\n\r\n"));
  EXPECT_EQ(response(ok("Connection: close\r\n"), {.announce_keep_alive = true}), ok("Connection: keep-alive\r\n\r\n"));
}

TEST(WriteResponseHead, AnUpgradeThatIsRequiredIsNamed) {
  const std::string required = "HTTP/1.1 426 Upgrade Required\r\n";
  const std::string lines = "Upgrade: TLS/1.3, HTTP/2.0\r\n";
  EXPECT_EQ(response(required + "Connection: upgrade\r\n" + lines), required + lines + "Connection: upgrade\r\n\r\n");
  EXPECT_EQ(response(required + "Upgrade:websocket\r\n", {.close = true}),
            required + "Upgrade: websocket\r\nConnection: upgrade, close\r\n\r\n");
  EXPECT_EQ(response(required + lines, {.announce_keep_alive = true}),
            required + lines + "Connection: upgrade, keep-alive\r\n\r\n");
  EXPECT_EQ(response(required + "Upgrade: ,\r\nA: 1\r\n", {.close = true}),
            required + "A: 1\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(response(ok("Connection: upgrade\r\n" + lines)), ok("\r\n"));
}

TEST(WriteResponseHead, PassesTheAnswerToAnUpgradeOn) {
  EXPECT_EQ(response("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nA: 1\r\n",
                     {.switching_protocols = true}),
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nA: 1\r\nConnection: upgrade\r\n\r\n");
}

TEST(WriteResponseHead, AnnouncesNoBodyWhereNoneCanBe) {
  EXPECT_EQ(response("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nA: 1\r\n"),
            "HTTP/1.1 204 No Content\r\nA: 1\r\n\r\n");
  EXPECT_EQ(response("HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\nLink: x\r\n"),
            "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
  EXPECT_EQ(response("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n"),
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n");
}

TEST(WriteTrailers, PassesThoseThatChangeNothing) {
  EXPECT_EQ(trailers("\r\n"), "\r\n");
  EXPECT_EQ(trailers("Checksum: 1\r\ngrpc-status: 0\r\nDate: now\r\n\r\n"),
            "Checksum: 1\r\ngrpc-status: 0\r\nDate: now\r\n\r\n");
}

TEST(WriteTrailers, PassesUnderscoresWhereTheyMayPass) {
  EXPECT_EQ(trailers("a_b: 1\r\nC: 2\r\n\r\n", true), "a_b: 1\r\nC: 2\r\n\r\n");
  EXPECT_EQ(trailers("a_b: 1\r\nC: 2\r\n\r\n", false), "C: 2\r\n\r\n");
}

TEST(WriteTrailers, RemovesThoseThatFrameRouteAuthenticateOrChangeTheContent) {
  for (const char* name : {"Content-Length",
                           "Content_Length",
                           "Transfer.Encoding",
                           "Transfer-Encoding",
                           "Trailer",
                           "Host",
                           "Connection",
                           "Keep-Alive",
                           "TE",
                           "Upgrade",
                           "Expect",
                           "Authorization",
                           "Proxy-Authorization",
                           "WWW-Authenticate",
                           "Proxy-Authenticate",
                           "Cookie",
                           "Set-Cookie",
                           "Cache-Control",
                           "Content-Type",
                           "Content-Encoding",
                           "Content-Range",
                           "Max-Forwards",
                           "X-Forwarded-For",
                           "X-Forwarded-Host",
                           "X-Forwarded-Proto",
                           "Forwarded",
                           "Proxy-Connection",
                           "HTTP2-Settings"}) {
    EXPECT_EQ(trailers("A: 1\r\n"s + name + ": x\r\nB: 2\r\n\r\n"), "A: 1\r\nB: 2\r\n\r\n") << name;
  }
}

TEST(WriteOwnResponse, IsAWholeResponse) {
  state::Buffer out;
  write_own_response({.status = 404, .close = true, .unix_time_s = 784111777}, out);
  EXPECT_EQ(out.view(),
            "HTTP/1.1 404 Not Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain\r\n"
            "Content-Length: 14\r\nConnection: close\r\n\r\n404 Not Found\n");
}

TEST(WriteOwnResponse, HasNoBodyForHeadAndNoCloseWhenTheConnectionGoesOn) {
  state::Buffer out;
  write_own_response({.status = 200, .close = false, .head_only = true, .unix_time_s = 0}, out);
  EXPECT_EQ(out.view(),
            "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Type: text/plain\r\n"
            "Content-Length: 7\r\n\r\n");
}

TEST(WriteOwnResponse, ForEveryStatusIsOneThatWeRead) {
  for (std::uint16_t status = 400; status < 600; ++status) {
    state::Buffer out;
    write_own_response({.status = status, .unix_time_s = 951782400}, out);
    const std::string_view whole = out.view();
    const std::size_t head_bytes = whole.find("\r\n\r\n") + 4;
    ResponseHead head;
    ASSERT_FALSE(parse_response_head(whole.substr(0, head_bytes), {}, head));
    EXPECT_EQ(head.status, status);
    EXPECT_EQ(head.reason, reason_phrase(status));
    const state::BodyFraming body = response_meaning(head, Method::get).body;
    EXPECT_EQ(body, state::BodyFraming{state::ByLength{whole.size() - head_bytes}});
    EXPECT_NE(whole.find("Date: Tue, 29 Feb 2000 00:00:00 GMT\r\n"), std::string_view::npos);
    EXPECT_EQ(whole.find("Allow: ") != std::string_view::npos, status == 405);
  }
}

TEST(ReasonPhrase, NamesWhatHasAName) {
  EXPECT_EQ(reason_phrase(404), "Not Found");
  EXPECT_EQ(reason_phrase(502), "Bad Gateway");
  EXPECT_EQ(reason_phrase(599), "Unknown");
}

}  // namespace
}  // namespace baton::http1
