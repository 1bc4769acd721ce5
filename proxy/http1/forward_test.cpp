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

// Most tests use the same two ends.
std::string get(const std::string& lines) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + lines;
}
std::string get_forwarded(const std::string& lines) {
  return get(lines) + forwarded + "X-Forwarded-Host: a\r\n\r\n";
}

std::string trailers_of(const std::string& raw) {
  std::vector<Field> fields;
  EXPECT_FALSE(parse_trailers(raw, {}, Sender::server, fields));
  state::Buffer out;
  write_trailers(fields, true, out);
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
      EXPECT_EQ(trailers_of(spelled + ": 6.6.6.6\r\nA: 1\r\n\r\n"), "A: 1\r\n\r\n") << spelled;
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
  for (const char* line :
       {"Content-Length: 5", "Content-Length:5", "Content-Length:  5", "Content-Length:\t5", "Content-Length: 5 ",
        "Content-Length:5 ", "Content-Length: 5\t \t", "Content-Length: 005"}) {
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

TEST(WriteRequestHead, AsksToContinueOnce) {
  EXPECT_EQ(request(get("Expect:100-continue\r\nA: 1\r\nExpect: ,100-CONTINUE\r\n")),
            get_forwarded("Expect: 100-continue\r\nA: 1\r\n"));
}

TEST(WriteRequestHead, PassesOnThatTheClientTakesTrailers) {
  const std::string end = "TE: trailers\r\nConnection: TE\r\n" + forwarded + "X-Forwarded-Host: a\r\n\r\n";
  for (const char* line :
       {"TE: trailers", "te:Trailers", "TE: gzip;q=\"1,trailers\", trailers", "TE: , deflate;q=0.5 ,trailers ,"}) {
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

}  // namespace
}  // namespace baton::http1
