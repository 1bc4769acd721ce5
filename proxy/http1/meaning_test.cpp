#include "proxy/http1/meaning.hpp"

#include <gtest/gtest.h>

#include <string>
#include <variant>

namespace baton::http1 {
namespace {

using namespace std::string_literals;
using state::BodyFraming;
using state::ByChunks;
using state::ByLength;
using state::NoBody;
using state::UntilClose;

// Views point into `raw`, so both are kept together.
struct Request {
  std::string raw;
  RequestHead head;
  RequestMeaning meaning;

  explicit Request(const std::string& lines) : raw(lines + "\r\n\r\n") {
    meaning.error = parse_request_head(raw, {}, head);
    EXPECT_FALSE(meaning.error) << raw;
    if (!meaning.error) meaning = request_meaning(head);
  }
  Request(const Request&) = delete;
};

std::uint16_t refused_with(const std::string& lines) {
  return Request{lines}.meaning.error.status;
}
std::uint16_t refused_with_field(const std::string& line) {
  return refused_with("POST / HTTP/1.1\r\nHost: a\r\n" + line);
}
std::uint16_t refused_target(const std::string& method, const std::string& target) {
  return refused_with(method + " " + target + " HTTP/1.1\r\nHost: a");
}
std::uint16_t refused_host(const std::string& host) {
  return refused_with("GET / HTTP/1.1\r\nHost: " + host);
}

ResponseMeaning meaning_of_response(const std::string& lines, Method method = Method::get) {
  ResponseHead head;
  const std::string raw = lines + "\r\n\r\n";
  EXPECT_FALSE(parse_response_head(raw, {}, head)) << raw;
  return response_meaning(head, method);
}

TEST(RequestMeaning, IsGoodForAPlainRequest) {
  const Request request{"GET /path HTTP/1.1\r\nHost: example.com:8080"};
  EXPECT_FALSE(request.meaning.error);
  EXPECT_EQ(request.meaning.body, BodyFraming{NoBody{}});
  EXPECT_TRUE(request.meaning.keep_alive);
  EXPECT_FALSE(request.meaning.expects_continue);
  EXPECT_EQ(request.meaning.upgrade, "");
  EXPECT_TRUE(request.meaning.idempotent);
  EXPECT_EQ(request.meaning.host, "example.com:8080");
}

TEST(RequestMeaning, KeepsTheLastGoodHostAndChecksEachOther) {
  std::string last_good;
  const auto refused = [&](const std::string& host) {
    const std::string raw = "GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
    RequestHead head;
    RequestMeaning meaning;
    EXPECT_FALSE(parse_request_head(raw, {}, head));
    read_meaning(head, last_good, meaning);
    return meaning.error.status;
  };
  for (const std::string host : {"a.example:80", "a.example:80", "b.example"}) {
    EXPECT_EQ(refused(host), 0);
    EXPECT_EQ(last_good, host);
  }
  EXPECT_EQ(refused("b.example,"), 400);
  EXPECT_EQ(refused("b.examp/e"), 400) << "as long as the good one";
  EXPECT_EQ(last_good, "b.example");
  EXPECT_EQ(refused(std::string(300, 'c')), 0);
  EXPECT_EQ(last_good, "b.example") << "a long one is not kept";
}

TEST(RequestMeaning, RefusesLengthTogetherWithTransferEncoding) {
  EXPECT_EQ(refused_with_field("Content-Length: 5\r\nTransfer-Encoding: chunked"), 400);
  EXPECT_EQ(refused_with_field("Transfer-Encoding: chunked\r\nContent-Length: 5"), 400);
  EXPECT_EQ(refused_with_field("content-length: 0\r\nTRANSFER-ENCODING: gzip"), 400);
}

TEST(RequestMeaning, RefusesSeveralLengthsAlsoEqualOnes) {
  EXPECT_EQ(refused_with_field("Content-Length: 5\r\nContent-Length: 5"), 400);
  EXPECT_EQ(refused_with_field("Content-Length: 5\r\nContent-Length: 6"), 400);
  EXPECT_EQ(refused_with_field("Content-Length: 5, 5"), 400);
  EXPECT_EQ(refused_with_field("Content-Length: 5,"), 400);
}

TEST(RequestMeaning, RefusesLengthsThatAreNotDigitsOnly) {
  for (const char* value : {"", "+5", "-5", "5 5", "0x5", "5.0", "1e3", "five", "5;", "\"5\"", "\xb2"}) {
    EXPECT_EQ(refused_with_field("Content-Length: "s + value), 400) << value;
  }
}

TEST(RequestMeaning, RefusesLengthsThatOverflowASignedNumber) {
  EXPECT_EQ(Request{"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775807"}.meaning.body,
            BodyFraming{ByLength{9223372036854775807U}});
  EXPECT_EQ(refused_with_field("Content-Length: 9223372036854775808"), 400);
  EXPECT_EQ(refused_with_field("Content-Length: 9999999999999999999"), 400);
  EXPECT_EQ(refused_with_field("Content-Length: 18446744073709551616"), 400);
  EXPECT_EQ(refused_with_field("Content-Length: 18446744073709551621"), 400);
  EXPECT_EQ(refused_with_field("Content-Length: 99999999999999999999999999"), 400);
}

TEST(RequestMeaning, FramesTheBodyByItsLength) {
  EXPECT_EQ(Request{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12"}.meaning.body, BodyFraming{ByLength{12}});
  EXPECT_EQ(Request{"POST / HTTP/1.0\r\nContent-Length: 0012"}.meaning.body, BodyFraming{ByLength{12}});
  EXPECT_EQ(Request{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0"}.meaning.body, BodyFraming{NoBody{}});
}

TEST(RequestMeaning, FramesTheBodyByChunks) {
  EXPECT_EQ(Request{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked"}.meaning.body, BodyFraming{ByChunks{}});
  EXPECT_EQ(Request{"POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: Chunked"}.meaning.body, BodyFraming{ByChunks{}});
}

TEST(RequestMeaning, RefusesEveryOtherSpellingOfAFramingField) {
  for (const char* name : {"Content_Length", "content_length", "CONTENT.LENGTH", "Content~Length", "Transfer_Encoding",
                           "transfer!encoding", "Transfer|Encoding"}) {
    EXPECT_EQ(refused_with_field(name + ": 5"s), 400) << name;
    EXPECT_EQ(refused_with_field("Content-Length: 5\r\n"s + name + ": 5"), 400) << name;
  }
  for (const char* name : {"ContentLength", "Content--Length", "Content_Lengths", "Content_Type"}) {
    EXPECT_EQ(refused_with_field(name + ": 5"s), 0) << name;
  }
}

TEST(RequestMeaning, CountsFieldsWithUnderscores) {
  const Request request{"GET / HTTP/1.1\r\nHost: a\r\nA_b: 1\r\nX_Forwarded_For: 2\r\n_: 3"};
  EXPECT_EQ(request.meaning.underscored_fields, 2u);
}

TEST(RequestMeaning, RefusesTransferEncodingInHttp10) {
  EXPECT_EQ(refused_with("POST / HTTP/1.0\r\nTransfer-Encoding: chunked"), 400);
}

TEST(RequestMeaning, RefusesUnknownTransferCodingsAsNotImplemented) {
  for (const char* value : {"gzip", "gzip, chunked", "identity", "xchunked", "chunkedx", "x-chunked", "deflate,gzip"}) {
    EXPECT_EQ(refused_with_field("Transfer-Encoding: "s + value), 501) << value;
  }
}

TEST(RequestMeaning, RefusesMalformedTransferEncodings) {
  for (const char* value :
       {"", "chunked, chunked", "chunked,", ", chunked", "chunked, gzip", "chunked;q=1", "chunked chunked",
        "\"chunked\"", "chunked\x80", ",", "gzip chunked", "gzip, chunked, chunked"}) {
    EXPECT_EQ(refused_with_field("Transfer-Encoding: "s + value), 400) << value;
  }
  EXPECT_EQ(refused_with_field("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), 400);
  EXPECT_EQ(refused_with_field("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked"), 400);
}

TEST(RequestMeaning, RefusesTwoHosts) {
  EXPECT_EQ(refused_with("GET / HTTP/1.1\r\nHost: a\r\nHost: a"), 400);
  EXPECT_EQ(refused_with("GET / HTTP/1.0\r\nHost: a\r\nhost: b"), 400);
}

TEST(RequestMeaning, RefusesHttp11WithoutHost) {
  EXPECT_EQ(refused_with("GET / HTTP/1.1"), 400);
  EXPECT_EQ(refused_with("GET http://a/ HTTP/1.1"), 400);
  EXPECT_EQ(refused_with("GET / HTTP/1.0"), 0);
}

TEST(RequestMeaning, RefusesAMalformedHost) {
  for (const char* host :
       {"a b",  "a/b",  "a@b", "a,b",    "a:b",   "a:",       "a:80:80",     "a:65536",      "a:-1", "a:000080",
        ":80",  "[::1", "::1", "[::1]x", "[::g]", "[]",       "[127.0.0.1]", "[::1%25eth0]", "a%2",  "a%zz",
        "a\\b", "a<b",  "a?b", "a#b",    "\x80",  "http://a", "[::1]:x",     "a:80 "}) {
    const bool valid = host == "a:"s || host == "a:80 "s;  // an empty port, and a value's trailing blank
    EXPECT_EQ(refused_host(host), valid ? 0 : 400) << host;
  }
}

TEST(RequestMeaning, TakesHostsOfEveryForm) {
  for (const char* host : {"a", "example.com", "EXAMPLE.com:80", "127.0.0.1:8080", "[::1]", "[2001:db8::1]:443",
                           "[::ffff:1.2.3.4]", "a_b-c~d.e", "%41", "a:65535", "xn--bcher-kva.example", ""}) {
    EXPECT_EQ(refused_host(host), 0) << host;
  }
}

TEST(RequestMeaning, TakesTheHostOfAnAbsoluteTarget) {
  const Request request{"GET http://target.example:81/p HTTP/1.1\r\nHost: other.example"};
  EXPECT_FALSE(request.meaning.error);
  EXPECT_EQ(request.meaning.host, "target.example:81");
  EXPECT_EQ((Request{"GET HTTPS://t?x HTTP/1.1\r\nHost: o"}.meaning.host), "t");
  EXPECT_EQ((Request{"GET http://t HTTP/1.0"}.meaning.host), "t");
}

TEST(RequestMeaning, RefusesUserinfoInAnAbsoluteTarget) {
  EXPECT_EQ(refused_target("GET", "http://user@a/"), 400);
  EXPECT_EQ(refused_target("GET", "http://user:password@a/"), 400);
  EXPECT_EQ(refused_target("GET", "http://@a/"), 400);
}

TEST(RequestMeaning, RefusesTargetsOfNoKnownForm) {
  for (const char* target : {"a", "example.com:80", "http:/a", "http:a", "http://", "http:///a", "http://?", "ftp://a/",
                             "//a@", "*a", "?", "http://a:x/", "http://[::1/", "http://a\\b/"}) {
    EXPECT_EQ(refused_target("GET", target), target == "//a@"s ? 0 : 400) << target;
  }
}

TEST(RequestMeaning, RefusesFragments) {
  EXPECT_EQ(refused_target("GET", "/a#b"), 400);
  EXPECT_EQ(refused_target("GET", "#"), 400);
  EXPECT_EQ(refused_target("GET", "http://a/#"), 400);
  EXPECT_EQ(refused_target("OPTIONS", "*#"), 400);
}

TEST(RequestMeaning, TakesAnAsteriskForOptionsOnly) {
  EXPECT_EQ(refused_target("OPTIONS", "*"), 0);
  EXPECT_EQ(refused_target("GET", "*"), 400);
  EXPECT_EQ(refused_target("options", "*"), 400);
}

TEST(RequestMeaning, RefusesConnect) {
  EXPECT_EQ(refused_target("CONNECT", "a:443"), 405);
  EXPECT_EQ(refused_target("CONNECT", "/"), 405);
}

TEST(RequestMeaning, KeepsTheConnectionAsItsVersionSays) {
  EXPECT_TRUE(Request{"GET / HTTP/1.1\r\nHost: a"}.meaning.keep_alive);
  EXPECT_FALSE(Request{"GET / HTTP/1.1\r\nHost: a\r\nConnection: close"}.meaning.keep_alive);
  EXPECT_FALSE(Request{"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE"}.meaning.keep_alive);
  EXPECT_FALSE(Request{"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close"}.meaning.keep_alive);
  EXPECT_FALSE(Request{"GET / HTTP/1.0"}.meaning.keep_alive);
  EXPECT_TRUE(Request{"GET / HTTP/1.0\r\nConnection: Keep-Alive"}.meaning.keep_alive);
  EXPECT_FALSE(Request{"GET / HTTP/1.0\r\nProxy-Connection: keep-alive"}.meaning.keep_alive);
  EXPECT_FALSE(Request{"GET / HTTP/1.0\r\nConnection: keep-alive, close"}.meaning.keep_alive);
}

TEST(RequestMeaning, RefusesAConnectionFieldThatIsNoListOfTokens) {
  for (const char* name : {"Connection: ", "Proxy-Connection: "}) {
    for (const char* value : {"close x", "@", "close;", "\"close\"", "a, b c", "keep-alive\x80"}) {
      EXPECT_EQ(refused_with_field(std::string{name} + value), 400) << name << value;
    }
    for (const char* value : {"", ",", ", close ,, x", "keep-alive,close"}) {
      EXPECT_EQ(refused_with_field(std::string{name} + value), 0) << name << value;
    }
  }
}

TEST(RequestMeaning, BoundsTheConnectionOptions) {
  std::string options = "keep-alive";
  for (unsigned i = 1; i < connection_options_max; ++i) options += ",a";
  EXPECT_EQ(refused_with_field("Connection: " + options), 0);
  EXPECT_EQ(refused_with_field("Connection: " + options + ",a"), 400);
  EXPECT_EQ(refused_with_field("Connection: " + options + "\r\nConnection: keep-alive"), 400);
}

TEST(RequestMeaning, RefusesOtherExpectations) {
  for (const char* value : {"200-ok", "100-continue, x", "x, 100-continue", "100-continue=1", "100-continue=\", \"",
                            "100", "\"100-continue\"", "100-continue;q=1"}) {
    EXPECT_EQ(refused_with_field("Content-Length: 1\r\nExpect: "s + value), 417) << value;
  }
  EXPECT_EQ(refused_with_field("Expect: 100-continue\r\nContent-Length: 1\r\nExpect: x"), 417);
  EXPECT_EQ(refused_with_field("Content-Length: x\r\nExpect: other"), 400);
}

TEST(RequestMeaning, PassesOverEmptyElementsOfLists) {
  const std::string put = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n";
  for (const char* value : {"", ",", " , ,"}) {
    const Request nothing{put + "Expect: " + value + "\r\nTE: " + value};
    EXPECT_FALSE(nothing.meaning.error) << value;
    EXPECT_FALSE(nothing.meaning.expects_continue) << value;
    EXPECT_FALSE(nothing.meaning.takes_trailers) << value;
  }
  for (const char* value : {", 100-continue", "100-continue,", "100-continue, 100-continue", ",\t, 100-continue ,, "}) {
    EXPECT_TRUE((Request{put + "Expect: " + value}.meaning.expects_continue)) << value;
  }
  EXPECT_TRUE((Request{put + "Expect:\r\nExpect: 100-continue\r\nExpect:"}.meaning.expects_continue));
}

TEST(RequestMeaning, KnowsWhoTakesTrailers) {
  const std::string get = "GET / HTTP/1.1\r\nHost: a\r\nTE: ";
  EXPECT_TRUE(Request{get + "trailers"}.meaning.takes_trailers);
  EXPECT_TRUE(Request{get + "gzip;q=0.5, Trailers"}.meaning.takes_trailers);
  EXPECT_FALSE(Request{get + "gzip"}.meaning.takes_trailers);
  EXPECT_FALSE(Request{get + "x;y=\"a, trailers, b\""}.meaning.takes_trailers) << "in quotes it is none of the list";
  EXPECT_FALSE(Request{get + "x;y=\"a\\\", trailers"}.meaning.takes_trailers);
  EXPECT_FALSE(Request{"GET / HTTP/1.0\r\nTE: trailers"}.meaning.takes_trailers);
}

TEST(RequestMeaning, ExpectsContinueOfABodyFromHttp11Only) {
  EXPECT_TRUE(
      Request{"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-Continue"}.meaning.expects_continue);
  EXPECT_FALSE(Request{"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue"}.meaning.expects_continue);
  EXPECT_FALSE(Request{"PUT / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue"}.meaning.expects_continue);
  EXPECT_EQ(refused_with("PUT / HTTP/1.0\r\nContent-Length: 1\r\nExpect: whatever"), 0);
}

TEST(RequestMeaning, UpgradesToWebSocketInAPlainGetOnly) {
  const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n";
  const auto upgrades = [](const std::string& lines) {
    const Request request{lines};
    EXPECT_FALSE(request.meaning.error) << lines;
    return !request.meaning.upgrade.empty();
  };
  EXPECT_TRUE(upgrades(get + "Connection: Upgrade\r\nUpgrade: websocket"));
  EXPECT_TRUE(upgrades(get + "Upgrade: WebSocket\r\nConnection: keep-alive, upgrade"));
  EXPECT_TRUE(upgrades(get + "Upgrade: , websocket,\r\nConnection: , upgrade"));
  EXPECT_TRUE(upgrades(get + "Upgrade: websocket\r\nConnection: upgrade\r\nUpgrade:"));
  EXPECT_FALSE(upgrades(get + "Upgrade: websocket"));
  EXPECT_FALSE(upgrades(get + "Connection: upgrade"));
  EXPECT_FALSE(upgrades(get + "Connection: upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA"));
  EXPECT_FALSE(upgrades(get + "Connection: upgrade\r\nUpgrade: h2c, websocket"));
  EXPECT_FALSE(upgrades(get + "Connection: upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket"));
  EXPECT_FALSE(upgrades(get + "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1"));
  EXPECT_FALSE(upgrades("POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket"));
  EXPECT_FALSE(upgrades("GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket"));
}

TEST(RequestMeaning, KnowsWhichOtherProtocolIsAskedFor) {
  const auto upgrade = [](const std::string& start, const std::string& protocols) {
    const Request request{start + " HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n" + protocols};
    EXPECT_FALSE(request.meaning.error) << protocols;
    return std::string(request.meaning.upgrade);
  };
  EXPECT_EQ(upgrade("GET /", "Upgrade: , SPDY/3.1 ,"), "SPDY/3.1");
  EXPECT_EQ(upgrade("POST /", "Upgrade: tcp\r\nContent-Length: 1"), "tcp");
  for (const char* none : {"Upgrade: a, b", "Upgrade: a\r\nUpgrade: a", "Upgrade: h2c", "Upgrade: HTTP/2.0",
                           "Upgrade: H2", "Upgrade: \"a\"", "Upgrade: a b", "Upgrade: ,"}) {
    EXPECT_EQ(upgrade("GET /", none), "") << none;
  }
}

TEST(RequestMeaning, KnowsWhatIsIdempotent) {
  for (const char* method : {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"}) {
    EXPECT_TRUE(Request{method + " / HTTP/1.1\r\nHost: a"s}.meaning.idempotent) << method;
  }
  for (const char* method : {"POST", "PATCH", "PROPFIND", "get"}) {
    EXPECT_FALSE(Request{method + " / HTTP/1.1\r\nHost: a"s}.meaning.idempotent) << method;
  }
}

TEST(ResponseMeaning, FramesTheBody) {
  EXPECT_EQ(meaning_of_response("HTTP/1.1 200 OK\r\nContent-Length: 5").body, BodyFraming{ByLength{5}});
  EXPECT_EQ(meaning_of_response("HTTP/1.1 200 OK\r\nContent-Length: 0").body, BodyFraming{NoBody{}});
  EXPECT_EQ(meaning_of_response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked").body, BodyFraming{ByChunks{}});
  EXPECT_EQ(meaning_of_response("HTTP/1.1 200 OK").body, BodyFraming{UntilClose{}});
}

TEST(ResponseMeaning, HasNoBodyWhereNoneCanBe) {
  for (const char* line : {"HTTP/1.1 100 C", "HTTP/1.1 103 E", "HTTP/1.1 204 N", "HTTP/1.1 304 N"}) {
    EXPECT_EQ(meaning_of_response(line).body, BodyFraming{NoBody{}}) << line;
    EXPECT_EQ(meaning_of_response(line + "\r\nContent-Length: 5"s).body, BodyFraming{NoBody{}}) << line;
    EXPECT_EQ(meaning_of_response(line + "\r\nTransfer-Encoding: chunked"s).body, BodyFraming{NoBody{}}) << line;
  }
  const ResponseMeaning to_head = meaning_of_response("HTTP/1.1 200 OK\r\nContent-Length: 5", Method::head);
  EXPECT_EQ(to_head.body, BodyFraming{NoBody{}});
  EXPECT_TRUE(to_head.keep_alive);
  EXPECT_TRUE(meaning_of_response("HTTP/1.1 200 OK", Method::head).keep_alive);
}

TEST(ResponseMeaning, RefusesAnAmbiguousBody) {
  for (const char* fields :
       {"Content-Length: 5\r\nTransfer-Encoding: chunked", "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5, 5", "Content-Length: ", "Content-Length: -1", "Content-Length: 9223372036854775808",
        "Transfer-Encoding: gzip", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: identity", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: ", "Connection: a b"}) {
    EXPECT_EQ(meaning_of_response("HTTP/1.1 200 OK\r\n"s + fields).error.status, 502) << fields;
    EXPECT_EQ(meaning_of_response("HTTP/1.1 304 N\r\n"s + fields, Method::head).error.status, 502) << fields;
  }
  EXPECT_EQ(meaning_of_response("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked").error.status, 502);
}

TEST(ResponseMeaning, KeepsTheConnectionAsItsVersionSays) {
  EXPECT_TRUE(meaning_of_response("HTTP/1.1 200 OK\r\nContent-Length: 1").keep_alive);
  EXPECT_FALSE(meaning_of_response("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: Close").keep_alive);
  EXPECT_FALSE(meaning_of_response("HTTP/1.0 200 OK\r\nContent-Length: 1").keep_alive);
  EXPECT_TRUE(meaning_of_response("HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive").keep_alive);
}

TEST(ResponseMeaning, DoesNotKeepAConnectionThatEndsTheBody) {
  EXPECT_FALSE(meaning_of_response("HTTP/1.1 200 OK").keep_alive);
  EXPECT_FALSE(meaning_of_response("HTTP/1.0 200 OK\r\nConnection: keep-alive").keep_alive);
}

TEST(ResponseMeaning, DoesNotKeepAConnectionOnWhichAnImpossibleBodyIsAnnounced) {
  EXPECT_FALSE(meaning_of_response("HTTP/1.1 204 N\r\nContent-Length: 5").keep_alive);
  EXPECT_FALSE(meaning_of_response("HTTP/1.1 204 N\r\nTransfer-Encoding: chunked").keep_alive);
  EXPECT_TRUE(meaning_of_response("HTTP/1.1 204 N\r\nContent-Length: 0").keep_alive);
  EXPECT_TRUE(meaning_of_response("HTTP/1.1 304 N\r\nContent-Length: 5").keep_alive);
}

}  // namespace
}  // namespace baton::http1
