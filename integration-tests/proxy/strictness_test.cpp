// Ambiguous heads and bodies are refused, with an answer that the client can read.
#include <gtest/gtest.h>

#include "harness/baton.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

struct BadHead {
  const char* what;
  std::string bytes;
  int status;
};
void PrintTo(const BadHead& head, std::ostream* out) {
  *out << head.what;
}

std::string get_with(const std::string& fields) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}
std::string post_with(const std::string& fields) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

const std::vector<BadHead> bad_heads = {
    {"no Host", "GET / HTTP/1.1\r\n\r\n", 400},
    {"two Hosts", get_with("Host: b\r\n"), 400},
    {"bad Host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
    {"no version", "GET /\r\n\r\n", 400},
    {"version 2", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
    {"version in small letters", "GET / http/1.1\r\nHost: a\r\n\r\n", 400},
    {"two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"method with a colon", "G:T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"relative target", "GET index.html HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"asterisk without OPTIONS", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"control in the target", "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"UTF-8 in the target", "GET /caf\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"UTF-8 in the host", "GET / HTTP/1.1\r\nHost: caf\xc3\xa9\r\n\r\n", 400},
    {"length by an underscore", post_with("Content_Length: 3\r\n"), 400},
    {"coding by an underscore", post_with("Content-Length: 3\r\nTransfer_Encoding: chunked\r\n"), 400},
    {"CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 405},
    {"folded line", get_with("A: b\r\n c\r\n"), 400},
    {"space before the colon", get_with("A : b\r\n"), 400},
    {"no colon", get_with("A\r\n"), 400},
    {"empty name", get_with(": b\r\n"), 400},
    {"space in a name", get_with("A b: c\r\n"), 400},
    {"first line begins with a space", "GET / HTTP/1.1\r\n A: b\r\nHost: a\r\n\r\n", 400},
    {"bare LF", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
    {"bare CR in a value", get_with("A: b\rc\r\n"), 400},
    {"NUL in a value", get_with(std::string("A: b\0c\r\n", 8)), 400},
    {"length and coding", post_with("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), 400},
    {"two equal lengths", post_with("Content-Length: 3\r\nContent-Length: 3\r\n"), 400},
    {"two lengths", post_with("Content-Length: 3\r\nContent-Length: 4\r\n"), 400},
    {"list of lengths", post_with("Content-Length: 3, 3\r\n"), 400},
    {"signed length", post_with("Content-Length: +3\r\n"), 400},
    {"negative length", post_with("Content-Length: -1\r\n"), 400},
    {"hexadecimal length", post_with("Content-Length: 0x3\r\n"), 400},
    {"empty length", post_with("Content-Length: \r\n"), 400},
    {"length beyond 64 bits", post_with("Content-Length: 18446744073709551616\r\n"), 400},
    {"unknown coding", post_with("Transfer-Encoding: gzip\r\n"), 501},
    {"coding before chunked", post_with("Transfer-Encoding: gzip, chunked\r\n"), 501},
    {"coding in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"unknown expectation", get_with("Expect: wonders\r\n"), 417},
};

class Strictness : public testing::TestWithParam<BadHead> {
 protected:
  Origin origin;
  Baton baton{Settings(origin.address())};
};

TEST_P(Strictness, RefusesAndLetsTheAnswerBeRead) {
  Client client = baton.connect();
  // More than the size of the answer stays unread in the proxy, which must not become a reset.
  client.send_what_goes(GetParam().bytes + pattern(100'000));
  Response response = client.response();
  EXPECT_EQ(response.status(), GetParam().status);
  EXPECT_EQ(response.field("Connection"), "close");
  client.expect_fin();
  EXPECT_TRUE(origin.requests().empty()) << "nothing of it may reach the origin";
}

INSTANTIATE_TEST_SUITE_P(Heads, Strictness, testing::ValuesIn(bad_heads), [](const auto& head) {
  std::string name = head.param.what;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
});

TEST(Refusals, SayWhyAtDebugLevel) {
  Origin origin;
  Settings settings(origin.address());
  settings.log = "level: debug";
  settings.limits = "head_bytes: 2k, uri_bytes: 100, fields: 3, body_bytes: 10";
  Baton baton(settings);
  const std::pair<std::string, const char*> refusals[] = {
      {"GET / HTTP/1.1\r\n\r\n", "400: no Host field"},
      {get_with("A : b\r\n"), "400: a character that a field name cannot hold"},
      {"GET / HTTP/1.1\nHost: a\r\n\r\n", "400: a line of the head does not end in CR LF"},
      {post_with("Transfer-Encoding: gzip\r\n"), "501: a transfer coding other than chunked"},
      {get_with("Expect: x\r\n"), "417: an expectation other than 100-continue"},
      {"GET / HTTP/2.0\r\n\r\n", "505: an HTTP version other than 1\\.x"},
      {"GET /" + std::string(100, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n", "414: the target is too long"},
      {get_with("A: 1\r\nB: 2\r\nC: 3\r\n"), "431: too many fields"},
      {get_with("A: " + std::string(3000, 'x') + "\r\n"), "431: limits\\.head_bytes: the head is longer"},
      {post_with("Content-Length: 11\r\n"), "413: limits\\.body_bytes: the body is longer"},
      {post_with("Transfer-Encoding: chunked\r\n") + "x\r\n", "400: malformed chunks or trailers"},
  };
  for (const auto& [bytes, why] : refusals) {
    Client client = baton.connect();
    client.send(bytes);
    client.response();
    const std::string port = std::to_string(client.local_port());
    baton.await_log(std::regex(R"( debug .* 127\.0\.0\.1:)" + port + " on web gets " + why + "$"));
  }
  origin.on_raw("/nonsense", "HTTP/1.1 200 OK\r\n folded\r\n\r\n");
  EXPECT_EQ(baton.connect().get("/nonsense").status(), 502);
  baton.await_log(std::regex(" on web gets 502: a field without a name, or a folded line$"));
}

class StrictBodies : public testing::Test {
 protected:
  Origin origin;
  Baton baton{Settings(origin.address())};
};

TEST_F(StrictBodies, MalformedChunksAreRefused) {
  for (const char* body : {"x\r\n", "-1\r\n", "3\nabc\r\n", "3\r\nabcd\r\n", "fffffffffffffffff\r\n", "3 \r\nabc\r\n",
                           "0x3\r\nabc\r\n", "0\r\nno trailer\r\n\r\n", "0\r\nA: b\r\n folded\r\n\r\n"}) {
    Client client = baton.connect();
    client.send_what_goes("POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(body) +
                          pattern(100));
    EXPECT_EQ(client.response().status(), 400) << body;
    client.expect_fin();
  }
}

TEST_F(StrictBodies, WhatFollowsARefusedRequestIsNeverServed) {
  Client client = baton.connect();
  client.send(get_with("A : b\r\n") + get_request("/bytes/1"));
  EXPECT_EQ(client.response().status(), 400);
  client.expect_fin();
  EXPECT_TRUE(origin.requests().empty());
}

TEST_F(StrictBodies, RequestsBeforeARefusedOneAreAnswered) {
  Client client = baton.connect();
  client.send(get_request("/bytes/5") + get_with("A : b\r\n"));
  EXPECT_EQ(client.response().body, pattern(5));
  EXPECT_EQ(client.response().status(), 400);
  client.expect_fin();
}

TEST_F(StrictBodies, AnOriginThatAnswersNonsenseIs502) {
  for (const char* answer : {"nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n",
                             "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                             "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
                             "HTTP/1.1 101 Switching Protocols\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-"}) {
    origin.on_raw("/nonsense", answer);
    Client client = baton.connect();
    EXPECT_EQ(client.get("/nonsense").status(), 502) << answer;
  }
}

TEST_F(StrictBodies, AShortBodyOfTheOriginIsNeverAWholeOne) {
  for (const char* answer : {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
                             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n"}) {
    origin.on_raw("/short", answer);
    Client client = baton.connect();
    EXPECT_THROW(client.get("/short"), Failure);
  }
}

}  // namespace
}  // namespace baton::harness
