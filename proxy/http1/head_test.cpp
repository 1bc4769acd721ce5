#include "proxy/http1/head.hpp"

#include <gtest/gtest.h>

#include <cctype>
#include <string>
#include <string_view>
#include <utility>

namespace baton::http1 {
namespace {

using namespace std::string_literals;

std::uint16_t request_status(std::string_view raw, const HeadLimits& limits = {}) {
  RequestHead head;
  return parse_request_head(raw, limits, head).status;
}

std::uint16_t response_status(std::string_view raw, const HeadLimits& limits = {}) {
  ResponseHead head;
  return parse_response_head(raw, limits, head).status;
}

std::uint16_t status_with_field(const std::string& line) {
  return request_status("GET / HTTP/1.1\r\nHost: a\r\n" + line + "\r\n\r\n");
}

TEST(RequestHead, IsATableOfViewsIntoTheRawHead) {
  const std::string raw = "POST /a?b=c HTTP/1.1\r\nHost: example.com\r\nX-Note: \t one  two \t\r\nempty:\r\n\r\n";
  RequestHead head;
  ASSERT_FALSE(parse_request_head(raw, {}, head));
  EXPECT_EQ(head.method_text, "POST");
  EXPECT_EQ(head.method, Method::post);
  EXPECT_EQ(head.target, "/a?b=c");
  EXPECT_EQ(head.minor_version, 1);
  EXPECT_EQ(head.start_line, "POST /a?b=c HTTP/1.1\r\n");
  ASSERT_EQ(head.fields.size(), 3U);
  EXPECT_EQ(head.fields[0].id, FieldName::host);
  EXPECT_EQ(head.fields[0].value, "example.com");
  EXPECT_EQ(head.fields[1].name, "X-Note");
  EXPECT_EQ(head.fields[1].value, "one  two");
  EXPECT_EQ(head.fields[1].line, "X-Note: \t one  two \t\r\n");
  EXPECT_EQ(head.fields[1].id, FieldName::other);
  EXPECT_EQ(head.fields[2].name, "empty");
  EXPECT_EQ(head.fields[2].value, "");
  EXPECT_GE(head.target.data(), raw.data());
  EXPECT_LE(head.fields[2].line.data(), raw.data() + raw.size());
}

TEST(RequestHead, ATableThatIsUsedAgainForgetsItsFields) {
  RequestHead head;
  ASSERT_FALSE(parse_request_head("GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\n\r\n", {}, head));
  const auto capacity = head.fields.capacity();
  ASSERT_FALSE(parse_request_head("GET / HTTP/1.0\r\nC: 3\r\n\r\n", {}, head));
  EXPECT_EQ(head.fields.size(), 1U);
  EXPECT_EQ(head.fields.capacity(), capacity);
  EXPECT_EQ(head.minor_version, 0);
}

TEST(RequestHead, KnowsItsMethodsByCase) {
  const auto method = [](const std::string& text) {
    const std::string raw = text + " / HTTP/1.1\r\n\r\n";
    RequestHead head;
    EXPECT_FALSE(parse_request_head(raw, {}, head));
    EXPECT_EQ(head.method_text, text);
    return head.method;
  };
  EXPECT_EQ(method("GET"), Method::get);
  EXPECT_EQ(method("HEAD"), Method::head);
  EXPECT_EQ(method("POST"), Method::post);
  EXPECT_EQ(method("PUT"), Method::put);
  EXPECT_EQ(method("DELETE"), Method::delete_);
  EXPECT_EQ(method("OPTIONS"), Method::options);
  EXPECT_EQ(method("TRACE"), Method::trace);
  EXPECT_EQ(method("CONNECT"), Method::connect);
  EXPECT_EQ(method("PATCH"), Method::patch);
  EXPECT_EQ(method("get"), Method::other);
  EXPECT_EQ(method("PROPFIND"), Method::other);
  EXPECT_EQ(method("M-SEARCH"), Method::other);
}

TEST(RequestHead, RefusesAMethodThatIsNoToken) {
  EXPECT_EQ(request_status("GE(T / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(request_status(" / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(request_status("GET\t/ HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(request_status("GET\r\n\r\n"), 400);
  EXPECT_EQ(request_status("\r\n\r\n"), 400);
  EXPECT_EQ(request_status("\r\nGET / HTTP/1.1\r\n\r\n"), 400);
}

TEST(RequestHead, RefusesMoreThanOneSpaceInTheRequestLine) {
  EXPECT_EQ(request_status("GET  / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(request_status("GET /  HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(request_status("GET / HTTP/1.1 \r\n\r\n"), 400);
  EXPECT_EQ(request_status(" GET / HTTP/1.1\r\n\r\n"), 400);
}

TEST(RequestHead, RefusesControlsInTheTarget) {
  for (int c = 0; c < 0x21; ++c) {
    EXPECT_EQ(request_status("GET /a"s + static_cast<char>(c) + "b HTTP/1.1\r\n\r\n"), 400) << c;
  }
  EXPECT_EQ(request_status("GET /a\x7f HTTP/1.1\r\n\r\n"), 400);
}

TEST(RequestHead, RefusesBytesBeyondAsciiInTheTargetAndNothingElseThatIsSent) {
  for (int c = 0x21; c < 256; ++c) {
    const std::string target = "/long/enough/to/fill/a/block/"s + static_cast<char>(c) + "/and/more/of/it";
    EXPECT_EQ(request_status("GET " + target + " HTTP/1.1\r\n\r\n"), c < 0x7f ? 0 : 400) << c;
    EXPECT_EQ(request_status("GET /"s + static_cast<char>(c) + " HTTP/1.1\r\n\r\n"), c < 0x7f ? 0 : 400) << c;
  }
}

TEST(RequestHead, RefusesVersionsOtherThanOnePointX) {
  EXPECT_EQ(request_status("PRI * HTTP/2.0\r\n\r\n"), 505);
  EXPECT_EQ(request_status("GET / HTTP/3.0\r\n\r\n"), 505);
  EXPECT_EQ(request_status("GET / HTTP/3.1\r\nHost: a\r\n\r\n"), 505);
  EXPECT_EQ(request_status("GET / HTTP/0.9\r\n\r\n"), 505);
}

TEST(RequestHead, RefusesAMalformedVersion) {
  for (const char* version : {"http/1.1", "HTTP/1,1", "HTTP/11", "HTTP/1.", "HTTP/1.1.1", "HTTP/1.10", "HTTP/01.1",
                              "HTTP 1.1", "HTTPS/1.1", "", "HTTP/1.x", "HTTP/-1.1", "ICY"}) {
    EXPECT_EQ(request_status("GET / "s + version + "\r\nHost: a\r\n\r\n"), 400) << version;
  }
  EXPECT_EQ(request_status("GET /\r\n\r\n"), 400);
}

TEST(RequestHead, ReadsALaterMinorVersionAsOnePointOne) {
  RequestHead head;
  ASSERT_FALSE(parse_request_head("GET / HTTP/1.2\r\n\r\n", {}, head));
  EXPECT_EQ(head.minor_version, 1);
}

TEST(RequestHead, RefusesATargetOverTheLimit) {
  const HeadLimits limits{.uri_bytes = 4};
  EXPECT_EQ(request_status("GET /123 HTTP/1.1\r\n\r\n", limits), 0);
  EXPECT_EQ(request_status("GET /1234 HTTP/1.1\r\n\r\n", limits), 414);
}

TEST(RequestHead, RefusesMoreFieldsThanTheLimit) {
  const HeadLimits limits{.fields = 2};
  EXPECT_EQ(request_status("GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\n\r\n", limits), 0);
  EXPECT_EQ(request_status("GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n", limits), 431);
}

TEST(RequestHead, RefusesWhitespaceBeforeAColon) {
  EXPECT_EQ(status_with_field("Name : v"), 400);
  EXPECT_EQ(status_with_field("Name\t: v"), 400);
  EXPECT_EQ(status_with_field("Na me: v"), 400);
}

TEST(RequestHead, RefusesFoldedLines) {
  EXPECT_EQ(status_with_field("Name: v\r\n w"), 400);
  EXPECT_EQ(status_with_field("Name: v\r\n\tw"), 400);
  EXPECT_EQ(status_with_field("Name:\r\n w"), 400);
  EXPECT_EQ(status_with_field(" Name: v"), 400);
  EXPECT_EQ(request_status("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), 400);
}

TEST(RequestHead, RefusesBareCarriageReturns) {
  EXPECT_EQ(status_with_field("Name: a\rb"), 400);
  EXPECT_EQ(status_with_field("Name: a\rbNext: v"), 400);
  EXPECT_EQ(status_with_field("Name: a\r"), 400);
  EXPECT_EQ(status_with_field("Name\r: a"), 400);
  EXPECT_EQ(status_with_field("\rName: a"), 400);
  EXPECT_EQ(request_status("GET / HTTP/1.1\rHost: a\r\n\r\n"), 400);
  EXPECT_EQ(request_status("GET / HTTP/1.1\r\r\n\r\n"), 400);
}

TEST(RequestHead, RefusesBareLineFeeds) {
  EXPECT_EQ(status_with_field("Name: a\nb: c"), 400);
  EXPECT_EQ(status_with_field("\nName: a"), 400);
  EXPECT_EQ(request_status("GET / HTTP/1.1\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(request_status("GET / HTTP/1.1\nHost: a\n\n"), 400);
}

TEST(RequestHead, RefusesControlsInValuesButTakesTabsAndObsText) {
  for (int c = 0; c < 256; ++c) {
    const bool control = (c < 0x20 && c != '\t') || c == 0x7f;
    const std::string value = "long enough to fill a block "s + static_cast<char>(c) + " and more of it";
    EXPECT_EQ(status_with_field("Name: " + value), control ? 400 : 0) << c;
    EXPECT_EQ(status_with_field("Name: a"s + static_cast<char>(c) + "b"), control ? 400 : 0) << c;
  }
}

TEST(RequestHead, RefusesFieldNamesThatAreNoTokens) {
  EXPECT_EQ(status_with_field(": v"), 400);
  EXPECT_EQ(status_with_field("no colon"), 400);
  EXPECT_EQ(status_with_field("nocolon"), 400);
  constexpr std::string_view others = "!#$%&'*+-.^_`|~";
  for (int c = 0; c < 256; ++c) {
    if (c == ':') continue;
    const bool token =
        (c < 0x80 && std::isalnum(c) != 0) || others.find(static_cast<char>(c)) != std::string_view::npos;
    const std::string at_the_front = "N"s + static_cast<char>(c) + "ame: and a value of more than a block";
    const std::string at_the_end = "A-name-that-is-longer-than-a-block"s + static_cast<char>(c) + ": v";
    EXPECT_EQ(status_with_field(at_the_front), token ? 0 : 400) << c;
    EXPECT_EQ(status_with_field(at_the_end), token ? 0 : 400) << c;
  }
}

TEST(RequestHead, RefusesWhatFollowsTheEmptyLine) {
  EXPECT_EQ(request_status("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(request_status("GET / HTTP/1.1\r\n\r\n\r\n\r\n"), 400);
}

TEST(FirstHead, EndsWithItsEmptyLineWhateverFollows) {
  const std::string head = "GET /first HTTP/1.1\r\nHost: a\r\n\r\n";
  RequestHead request;
  for (const std::string after : {"", "\r\n\r\n", "GET /second HTTP/1.1\r\n\r\n", "\n\x01 body\r\n\r\n"}) {
    const std::string raw = head + after;
    EXPECT_FALSE(parse_first_request_head(raw, {}, request)) << raw;
    EXPECT_EQ(request.bytes, head.size()) << raw;
    EXPECT_EQ(request.target, "/first");
    EXPECT_EQ(request.fields.size(), 1U);
  }
  ResponseHead response;
  EXPECT_FALSE(parse_first_response_head("HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody\r\n\r\n", {}, response));
  EXPECT_EQ(response.bytes, 25U);
}

// With an empty line behind it, so that a parser finds an end.
TEST(FirstHead, IsNeverFoundInAPartOfAHead) {
  const std::string head = "HTTP/1.1 200 OK\r\nA: b\r\nC:\r\n\r\n";
  for (std::size_t bytes = 0; bytes < head.size(); ++bytes) {
    ResponseHead response;
    const HeadError error = parse_first_response_head(head.substr(0, bytes) + "\r\n\r\n", {}, response);
    EXPECT_TRUE(error || response.bytes > bytes) << bytes;
  }
}

TEST(RequestHead, RefusesEveryTruncation) {
  const std::string raw = "GET /some/path HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nConnection: close\r\n\r\n";
  for (std::size_t size = 0; size < raw.size(); ++size) {
    const std::string exact = raw.substr(0, size);
    EXPECT_EQ(request_status({exact.data(), exact.size()}), 400) << size;
  }
  EXPECT_EQ(request_status(raw), 0);
}

TEST(ResponseHead, IsATableOfViewsIntoTheRawHead) {
  ResponseHead head;
  ASSERT_FALSE(parse_response_head("HTTP/1.0 404 Not  Found\r\nServer: x\r\n\r\n", {}, head));
  EXPECT_EQ(head.status, 404);
  EXPECT_EQ(head.reason, "Not  Found");
  EXPECT_EQ(head.minor_version, 0);
  EXPECT_EQ(head.start_line, "HTTP/1.0 404 Not  Found\r\n");
  ASSERT_EQ(head.fields.size(), 1U);
  EXPECT_EQ(head.fields[0].id, FieldName::server);
}

TEST(ResponseHead, NeedsNoReason) {
  ResponseHead head;
  ASSERT_FALSE(parse_response_head("HTTP/1.1 200 OK\r\n\r\n", {}, head));
  ASSERT_FALSE(parse_response_head("HTTP/1.1 204 \r\n\r\n", {}, head));
  EXPECT_EQ(head.reason, "");
  ASSERT_FALSE(parse_response_head("HTTP/1.1 200\r\n\r\n", {}, head));
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.reason, "");
}

TEST(ResponseHead, RefusesAMalformedStatusLine) {
  for (const char* line :
       {"HTTP/1.1 20 OK",      "HTTP/1.1 2000 OK",  "HTTP/1.1 099 X",    "HTTP/1.1 +20 X",  "HTTP/1.1  200 OK",
        "HTTP/1.1\t200 OK",    "HTTP/1.1 200\tOK",  "HTTP/1.1 200OK",    "HTTP/1.1",        "HTTP/1.1 ",
        "HTTP/1.1 2x0 OK",     "HTTP/2.0 200 OK",   "HTTP/2 200",        "http/1.1 200 OK", "ICY 200 OK",
        "HTTP/1.1 200 O\x01K", "HTTP/1.1 200 O\rK", "HTTP/1.1 200 OK\r", "GET / HTTP/1.1",  ""}) {
    EXPECT_EQ(response_status(line + "\r\n\r\n"s), 502) << line;
  }
  EXPECT_EQ(response_status("HTTP/1.1 200 \x80\t ok\r\n\r\n"), 0);
}

TEST(ResponseHead, MayHaveBlanksBeforeAColon) {
  ResponseHead head;
  ASSERT_FALSE(parse_response_head("HTTP/1.1 200 OK\r\nContent-Length \t: 5\r\nA:b\r\n\r\n", {}, head));
  EXPECT_EQ(head.fields[0].id, FieldName::content_length);
  EXPECT_EQ(head.fields[0].name, "Content-Length");
  EXPECT_EQ(head.fields[0].value, "5");
  EXPECT_TRUE(head.fields[0].blank_before_colon);
  EXPECT_FALSE(head.fields[1].blank_before_colon);
  for (const char* line : {" : b", "\t: b", "A b : c", "A ", "A \r: b", "A\x01: b", "A\v: b", "A", " "}) {
    EXPECT_EQ(response_status("HTTP/1.1 200 OK\r\n"s + line + "\r\n\r\n"), 502) << line;
  }
}

TEST(ResponseHead, IsRefusedWith502WhateverIsWrongWithIt) {
  EXPECT_EQ(response_status("HTTP/1.1 200 OK\r\n A: b\r\n\r\n"), 502);
  EXPECT_EQ(response_status("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"), 502);
  EXPECT_EQ(response_status("HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\n\r\n", {.fields = 1}), 502);
  EXPECT_EQ(response_status("HTTP/1.1 200 OK\r\nA: 1"), 502);
}

TEST(Trailers, AreFieldsAndAnEmptyLine) {
  std::vector<Field> fields;
  for (const Sender from : {Sender::client, Sender::server}) {
    EXPECT_FALSE(parse_trailers("\r\n", {}, from, fields));
    EXPECT_TRUE(fields.empty());
    EXPECT_FALSE(parse_trailers("Checksum: 1\r\nB: 2\r\n\r\n", {}, from, fields));
    EXPECT_EQ(fields.size(), 2U);
    EXPECT_EQ(parse_trailers("Checksum: 1\r\nB: 2\r\n\r\n", {.fields = 1}, from, fields).status, 431);
    for (const char* raw : {"", "\r", "\n", "A: 1\r\n", "A: 1\n\n", "A: 1\r\n b\r\n\r\n", "\r\nA: 1\r\n\r\n",
                            "\r\n\r\n"}) {
      EXPECT_EQ(parse_trailers(raw, {}, from, fields).status, 400) << raw;
    }
  }
  EXPECT_EQ(parse_trailers("A : 1\r\n\r\n", {}, Sender::client, fields).status, 400);
  EXPECT_EQ(parse_trailers("A : 1\r\n\r\n", {}, Sender::server, fields).status, 0);
}

TEST(FindHeadEnd, IsTheSameHoweverTheBytesDripIn) {
  const std::string raw = "GET / HTTP/1.1\r\nHost: a\r\nX: a long enough value\r\n\r\nwhat follows\r\n\r\n";
  const std::size_t head_bytes = raw.find("\r\n\r\n") + 4;
  for (std::size_t cut = 0; cut <= raw.size(); ++cut) {
    std::uint32_t scanned = 0;
    HeadEnd end = find_head_end(std::string_view{raw}.substr(0, cut), scanned);
    EXPECT_EQ(end.found == HeadEnd::Found::yes, cut >= head_bytes) << cut;
    if (end.found == HeadEnd::Found::no) end = find_head_end(raw, scanned);
    ASSERT_EQ(end.found, HeadEnd::Found::yes) << cut;
    EXPECT_EQ(end.bytes, head_bytes);
  }
}

TEST(FindHeadEnd, RefusesABareLineFeedAtOnce) {
  for (const char* raw : {"\n", "GET / HTTP/1.1\n", "GET / HTTP/1.1\r\nHost: a\nX", "GET / HTTP/1.1\r\n\n",
                          "a line that is longer than a block of sixteen bytes\nmore"}) {
    std::uint32_t scanned = 0;
    EXPECT_EQ(find_head_end(raw, scanned).found, HeadEnd::Found::malformed) << raw;
  }
}

TEST(FindHeadEnd, FindsAnEmptyFirstLineAsAHeadOfItsOwn) {
  std::uint32_t scanned = 0;
  EXPECT_EQ(find_head_end("\r", scanned).found, HeadEnd::Found::no);
  EXPECT_EQ(find_head_end("\r\nGET / HTTP/1.1\r\n\r\n", scanned).bytes, 2U);
}

// Bytes already scanned are overwritten with line feeds: scanning them again would report a malformed head.
TEST(FindHeadEnd, NeverLooksAgainAtWhatItHasScanned) {
  std::string raw = "GET / HTTP/1.1\r\n";
  while (raw.size() < 32 * 1024) raw += "Some-Field: with a value, " + std::to_string(raw.size()) + "\r\n";
  raw += "\r\n";
  std::uint32_t scanned = 0;
  std::uint64_t work = 0;
  for (std::size_t size = 1; size < raw.size(); ++size) {
    work += size - scanned;
    ASSERT_EQ(find_head_end({raw.data(), size}, scanned).found, HeadEnd::Found::no) << size;
    if (scanned > 2) raw[scanned - 3] = '\n';
  }
  const HeadEnd end = find_head_end(raw, scanned);
  EXPECT_EQ(end.found, HeadEnd::Found::yes);
  EXPECT_EQ(end.bytes, raw.size());
  EXPECT_LE(work, raw.size());
}

}  // namespace
}  // namespace baton::http1
