#include "proxy/http1/forward.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>

namespace baton::http1 {
namespace {

using namespace std::string_literals;

const std::string forwarded = "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\n";

std::string request(const std::string& lines, const ForwardedBy& by = {.client_address = "192.0.2.1"}) {
  const std::string raw = lines + "\r\n";
  RequestHead head;
  EXPECT_FALSE(parse_request_head(raw, {}, head)) << raw;
  const RequestMeaning meaning = request_meaning(head);
  EXPECT_FALSE(meaning.error) << raw;
  state::Buffer out;
  write_request_head(head, meaning, by, out);
  return std::string{out.view()};
}

std::string response(const std::string& lines, const ResponseRules& rules = {}) {
  const std::string raw = lines + "\r\n";
  ResponseHead head;
  EXPECT_FALSE(parse_response_head(raw, {}, head)) << raw;
  state::Buffer out;
  write_response_head(head, rules, out);
  return std::string{out.view()};
}

// Most tests use the same two ends.
std::string get(const std::string& lines) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + lines;
}
std::string get_forwarded(const std::string& lines) {
  return get(lines) + forwarded + "X-Forwarded-Host: a\r\n\r\n";
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

TEST(WriteRequestHead, TellsOfTheClientAtTheEnd) {
  EXPECT_EQ(request("POST /a?b HTTP/1.1\r\nHost: example.com:80\r\nContent-Length: 5\r\n"),
            "POST /a?b HTTP/1.1\r\nHost: example.com:80\r\nContent-Length: 5\r\n" + forwarded +
                "X-Forwarded-Host: example.com:80\r\n\r\n");
}

TEST(WriteRequestHead, AppendsToWhatIsThere) {
  RequestHead head;
  ASSERT_FALSE(parse_request_head("GET / HTTP/1.1\r\nHost: a\r\n\r\n", {}, head));
  state::Buffer out;
  out.append("before ");
  write_request_head(head, request_meaning(head), {.client_address = "192.0.2.1"}, out);
  EXPECT_EQ(out.view(), "before " + get_forwarded(""));
}

TEST(WriteRequestHead, KeepsOrderCaseAndSpacing) {
  const std::string lines = "ACCEPT:*/*\r\nx-B:  two  \r\nx-a: 1\r\nX-b:\tthree\r\nEmpty:\r\n";
  EXPECT_EQ(request(get(lines)), get_forwarded(lines));
}

TEST(WriteRequestHead, RemovesHopByHopFields) {
  for (const char* line :
       {"Connection: close\r\n", "Keep-Alive: timeout=5\r\n", "Proxy-Connection: keep-alive\r\n", "TE: gzip\r\n",
        "Upgrade: h2c\r\n", "HTTP2-Settings: AAMAAABkAAQAAP__\r\n", "connection:keep-alive\r\n"}) {
    EXPECT_EQ(request(get("A: 1\r\n"s + line + "B: 2\r\n")), get_forwarded("A: 1\r\nB: 2\r\n")) << line;
  }
}

TEST(WriteRequestHead, RemovesWhatConnectionNames) {
  EXPECT_EQ(request(get("X-Hop: 1\r\nConnection: x-hop, close\r\nKept: 2\r\nx-HOP: 3\r\n")),
            get_forwarded("Kept: 2\r\n"));
  EXPECT_EQ(request(get("Connection: A\r\nA: 1\r\nB: 2\r\nConnection: , b\r\nAB: 3\r\n")), get_forwarded("AB: 3\r\n"));
}

TEST(WriteRequestHead, LetsConnectionRemoveNothingThatFramesOrRoutes) {
  const std::string named =
      "Connection: Host, Content-Length, X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto\r\n";
  EXPECT_EQ(request(get(named + "Content-Length: 3\r\n")), get_forwarded("Content-Length: 3\r\n"));
  EXPECT_EQ(request(get("Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n")),
            get_forwarded("Transfer-Encoding: chunked\r\n"));
}

TEST(WriteRequestHead, KeepsTrailer) {
  EXPECT_EQ(request(get("Trailer: X\r\nTransfer-Encoding: chunked\r\n")),
            get_forwarded("Trailer: X\r\nTransfer-Encoding: chunked\r\n"));
}

TEST(WriteRequestHead, OverwritesForwardedFieldsOfTheClient) {
  EXPECT_EQ(request(get("X-Forwarded-For: 1.2.3.4\r\nx-forwarded-host: evil\r\nX-Forwarded-Proto: https\r\n"
                        "X-FORWARDED-FOR: 5.6.7.8\r\nX-Forwarded-Port: 1\r\nX-Forwarded-Client-Subject: CN=r\r\n")),
            get_forwarded(""));
}

TEST(WriteRequestHead, DropsEverySpellingOfWhoTheClientIs) {
  for (const std::string name :
       {"X-Forwarded-For", "X-Forwarded-Ssl", "X-Forwarded-Whatever", "X-Forwarded", "Forwarded", "Forwarded-For",
        "X-Real-IP", "X-Client-IP", "Client-IP", "True-Client-IP", "X-Cluster-Client-IP", "X-Url-Scheme", "X-Scheme",
        "Front-End-Https", "X-Original-Forwarded-For", "X-Remote-Addr", "X-Remote-IP", "X-Originating-IP",
        "X-ProxyUser-Ip"}) {
    for (const char separator : {'-', '_', '.', '~', '!', '|'}) {
      std::string spelled = name;
      std::replace(spelled.begin(), spelled.end(), '-', separator);
      for (const bool underscores : {false, true}) {
        const ForwardedBy by{.client_address = "192.0.2.1", .underscores = underscores};
        EXPECT_EQ(request(get(spelled + ": 6.6.6.6\r\nA: 1\r\n"), by), get_forwarded("A: 1\r\n")) << spelled;
        for (char& c : spelled) c = static_cast<char>(std::toupper(c));
        EXPECT_EQ(request(get("A: 1\r\n" + spelled + ": 6.6.6.6\r\n"), by), get_forwarded("A: 1\r\n")) << spelled;
      }
      EXPECT_EQ(trailers(spelled + ": 6.6.6.6\r\nA: 1\r\n\r\n"), "A: 1\r\n\r\n") << spelled;
    }
  }
  const std::string others =
      "X-Forward: 1\r\nReal-IP: 2\r\nX-Forwarding: 3\r\nCF-Connecting-IP: 4\r\nX-Request.Id: 5\r\n";
  EXPECT_EQ(request(get(others)), get_forwarded(others));
}

TEST(WriteRequestHead, DropsNamesWithUnderscoresUnlessTheyMayPass) {
  const std::string lines = "X_Api_Key: 1\r\nA: 2\r\n_: 3\r\n";
  EXPECT_EQ(request(get(lines)), get_forwarded("A: 2\r\n"));
  EXPECT_EQ(request(get(lines), {.client_address = "192.0.2.1", .underscores = true}), get_forwarded(lines));
}

TEST(WriteRequestHead, LetsNothingFromOutsideEndAField) {
  for (int c = 0; c < 256; ++c) {
    const char byte = static_cast<char>(c);
    const bool ends = c < 0x20 || c == 0x7f;
    for (const std::size_t at : {0u, 3u, 15u, 16u, 40u}) {
      std::string text(41, 'x');
      text[at] = byte;
      std::string written = text;
      if (ends) written[at] = '?';
      EXPECT_EQ(request("GET / HTTP/1.0\r\n", {.client_address = text, .https = true, .client_subject = text}),
                "GET / HTTP/1.1\r\nHost: \r\nX-Forwarded-For: " + written +
                    "\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Client-Subject: " + written + "\r\n\r\n")
          << c << " at " << at;
    }
  }
  EXPECT_EQ(request(get(""), {.client_address = "a\r\nX-Admin: 1\r\n\r\nGET /"}).find("\nX-Admin"), std::string::npos);
}

// A neighbour may read blanks, zeros and case differently from us.
TEST(WriteRequestHead, WritesWhatFramesAndRoutesInItsCanonicalForm) {
  for (const char* line : {"Content-Length: 5", "Content-Length:5", "Content-Length:  5", "Content-Length:\t5",
                           "Content-Length: 5 ", "Content-Length:5 ", "Content-Length: 5\t \t",
                           "Content-Length: 005"}) {
    EXPECT_EQ(request(get("A: 1\r\n"s + line + "\r\nB:  2 \r\n")),
              get_forwarded("A: 1\r\nContent-Length: 5\r\nB:  2 \r\n"))
        << line;
  }
  EXPECT_EQ(request(get("Content-Length: 000\r\n")), get_forwarded("Content-Length: 0\r\n"));
  for (const char* line : {"Transfer-Encoding: chunked", "Transfer-Encoding:chunked", "Transfer-Encoding: chunked\t",
                           "Transfer-Encoding: ChunKED", "Transfer-Encoding:\tchunked "}) {
    EXPECT_EQ(request(get(line + "\r\n"s)), get_forwarded("Transfer-Encoding: chunked\r\n")) << line;
  }
  for (const char* line : {"Host: a", "Host:a", "Host: a ", "Host:a ", "Host:\t a\t"}) {
    EXPECT_EQ(request("GET / HTTP/1.1\r\n"s + line + "\r\n"), get_forwarded("")) << line;
  }
  EXPECT_EQ(request("GET / HTTP/1.1\r\nHost:\r\n"), "GET / HTTP/1.1\r\nHost: \r\n" + forwarded + "\r\n");
  for (const char* line : {"Expect: 100-Continue\t", "Expect:, 100-continue", "Expect: 100-continue , ,"}) {
    EXPECT_EQ(request(get(line + "\r\nContent-Length: 1\r\n"s)),
              get_forwarded("Expect: 100-continue\r\nContent-Length: 1\r\n"))
        << line;
  }
  EXPECT_EQ(request(get("Expect:\r\nExpect: ,\r\n")), get_forwarded("")) << "it asks for nothing";
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

TEST(WriteRequestHead, AsksToContinueOnce) {
  EXPECT_EQ(request(get("Expect:100-continue\r\nA: 1\r\nExpect: ,100-CONTINUE\r\n")),
            get_forwarded("Expect: 100-continue\r\nA: 1\r\n"));
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

TEST(WriteRequestHead, PassesOnThatTheClientTakesTrailers) {
  const std::string end = "TE: trailers\r\nConnection: TE\r\n" + forwarded + "X-Forwarded-Host: a\r\n\r\n";
  for (const char* line : {"TE: trailers", "te:Trailers", "TE: gzip;q=\"1,trailers\", trailers",
                           "TE: , deflate;q=0.5 ,trailers ,"}) {
    EXPECT_EQ(request(get(line + "\r\nConnection: TE\r\nA: 1\r\n"s)), get("A: 1\r\n") + end) << line;
    EXPECT_EQ(request(get(line + "\r\nA: 1\r\n"s)), get("A: 1\r\n") + end) << line;
  }
  EXPECT_EQ(request(get("TE: gzip\r\nTE: trailers\r\n")), get("") + end);
  for (const char* line : {"TE:", "TE: ,", "TE: gzip", "TE: x;y=\"trailers\"", "TE: gzip;q=\", trailers"}) {
    EXPECT_EQ(request(get(line + "\r\n"s)), get_forwarded("")) << line;
  }
  EXPECT_EQ(request("GET / HTTP/1.0\r\nHost: a\r\nTE: trailers\r\n"), get_forwarded("")) << "no chunks, no trailers";
  EXPECT_EQ(request(get("Connection: Upgrade, TE\r\nUpgrade: websocket\r\nTE: trailers\r\n")),
            get("Upgrade: websocket\r\nTE: trailers\r\nConnection: TE, upgrade\r\n") + forwarded +
                "X-Forwarded-Host: a\r\n\r\n");
}

TEST(WriteRequestHead, CutsAnAbsoluteTargetToItsPathAndNamesItsHost) {
  const std::string end = "Host: t:81\r\nA: 1\r\n" + forwarded + "X-Forwarded-Host: t:81\r\n\r\n";
  EXPECT_EQ(request("GET http://t:81/p?q HTTP/1.1\r\nA: 1\r\nHost: other\r\n"), "GET /p?q HTTP/1.1\r\n" + end);
  EXPECT_EQ(request("GET HTTPS://t:81 HTTP/1.1\r\nHost: other\r\nA: 1\r\n"), "GET / HTTP/1.1\r\n" + end);
  EXPECT_EQ(request("GET http://t:81?q HTTP/1.0\r\nA: 1\r\n"), "GET /?q HTTP/1.1\r\n" + end);
}

TEST(WriteRequestHead, AsksTheWholeServerWithAnAsterisk) {
  const std::string end = " HTTP/1.1\r\nHost: t\r\n" + forwarded + "X-Forwarded-Host: t\r\n\r\n";
  EXPECT_EQ(request("OPTIONS http://t HTTP/1.1\r\nHost: t\r\n"), "OPTIONS *" + end);
  EXPECT_EQ(request("OPTIONS * HTTP/1.1\r\nHost: t\r\n"), "OPTIONS *" + end);
  EXPECT_EQ(request("OPTIONS http://t/ HTTP/1.1\r\nHost: t\r\n"), "OPTIONS /" + end);
  EXPECT_EQ(request("OPTIONS http://t?x HTTP/1.1\r\nHost: t\r\n"), "OPTIONS /?x" + end);
}

TEST(WriteRequestHead, SpeaksHttp11WhateverTheClientSpeaks) {
  EXPECT_EQ(request("GET / HTTP/1.0\r\nHost: a\r\nB: 1\r\n"), get_forwarded("B: 1\r\n"));
  EXPECT_EQ(request("GET / HTTP/1.9\r\nHost: a\r\nB: 1\r\n"), get_forwarded("B: 1\r\n"));
}

TEST(WriteRequestHead, GivesARequestWithoutHostAnEmptyOne) {
  EXPECT_EQ(request("GET / HTTP/1.0\r\nA: 1\r\nX-Forwarded-Host: evil\r\n"),
            "GET / HTTP/1.1\r\nHost: \r\nA: 1\r\n" + forwarded + "\r\n");
  EXPECT_EQ(request("GET / HTTP/1.0\r\n"), "GET / HTTP/1.1\r\nHost: \r\n" + forwarded + "\r\n");
}

TEST(WriteRequestHead, RemovesAnExpectationOfHttp10) {
  EXPECT_EQ(request("GET / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\n"), get_forwarded(""));
  EXPECT_EQ(request(get("Content-Length: 1\r\nExpect: 100-continue\r\n")),
            get_forwarded("Content-Length: 1\r\nExpect: 100-continue\r\n"));
}

TEST(WriteRequestHead, PassesAnUpgradeToWebSocketOn) {
  const std::string end = "Connection: upgrade\r\n" + forwarded + "X-Forwarded-Host: a\r\n\r\n";
  for (const char* line : {"Upgrade: websocket", "Upgrade: WebSocket", "Upgrade:websocket\t", "Upgrade: , websocket ,",
                           "Upgrade:\r\nUpgrade: websocket"}) {
    EXPECT_EQ(request(get("Connection: keep-alive, Upgrade, X-Hop\r\n"s + line + "\r\nX-Hop: 1\r\n")),
              get("Upgrade: websocket\r\n") + end)
        << line;
  }
}

TEST(WriteRequestHead, PassesAnUpgradeToAnotherProtocolOn) {
  const std::string end = "Connection: upgrade\r\n" + forwarded + "X-Forwarded-Host: a\r\n\r\n";
  for (const char* line : {"Upgrade: SPDY/3.1", "Upgrade:SPDY/3.1", "Upgrade: ,SPDY/3.1 ,"}) {
    EXPECT_EQ(request(get("Connection: Upgrade\r\n"s + line + "\r\n")), get("Upgrade: SPDY/3.1\r\n") + end) << line;
  }
}

TEST(WriteRequestHead, DropsOtherUpgrades) {
  EXPECT_EQ(request(get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n")),
            get_forwarded(""));
  EXPECT_EQ(request(get("Upgrade: websocket\r\n")), get_forwarded(""));
}

TEST(WriteRequestHead, WritesAHeadThatNeedsMoreThanABlock) {
  std::string lines;
  while (lines.size() < 3 * state::Buffer::block_bytes) lines += "Field: " + std::string(1000, 'x') + "\r\nTE: x\r\n";
  std::string kept;
  while (kept.size() < lines.size() / 1016 * 1009) kept += "Field: " + std::string(1000, 'x') + "\r\n";
  EXPECT_EQ(request(get(lines)), get_forwarded(kept));
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
  EXPECT_EQ(response(required + "Connection: upgrade\r\n" + lines),
            required + lines + "Connection: upgrade\r\n\r\n");
  EXPECT_EQ(response(required + "Upgrade:websocket\r\n", {.close = true}),
            required + "Upgrade: websocket\r\nConnection: upgrade, close\r\n\r\n");
  EXPECT_EQ(response(required + lines, {.announce_keep_alive = true}),
            required + lines + "Connection: upgrade, keep-alive\r\n\r\n");
  EXPECT_EQ(response(required + "Upgrade: ,\r\nA: 1\r\n", {.close = true}), required + "A: 1\r\nConnection: close\r\n\r\n");
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
