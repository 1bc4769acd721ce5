// A line of the access log, as a value.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

#include <algorithm>

#include "proxy/runtime/access_log.hpp"

namespace baton::runtime {
namespace {

class AccessLine : public testing::Test {
 protected:
  AccessLine() {
    connection.listener = "web";
    connection.client_address.family = state::Family::ipv4;
    connection.client_address.ip = {192, 0, 2, 7};
    connection.client_address.port = 4711;
    exchange.started_ms = 5000;
    exchange.started_unix_us = 1'795'339'293'877'000;  // 2026-11-22T09:21:33.877Z
    record.request_line = "GET /a?b HTTP/1.1";
    record.referer = "http://from/";
    record.user_agent = "tester/1.0";
    exchange.status = 200;
    exchange.response_bytes = 123;
    set_zone("UTC");
  }
  ~AccessLine() override { set_zone("UTC"); }

  static void set_zone(const char* zone) {
    ::setenv("TZ", zone, 1);
    ::tzset();
  }

  std::string line(AccessFormat format) const {
    std::string lines;
    append_access_line(format, connection, exchange, "web", 5246, lines);
    return lines;
  }
  std::string combined() const { return line(AccessFormat::combined); }
  std::string json() const { return line(AccessFormat::json); }

  state::ConnectionState connection;
  state::Exchange exchange;
  state::AccessRecord& record = exchange.access.emplace();
};

TEST_F(AccessLine, CombinedIsAsNginxWritesItWithTheTimeOfTheEnd) {
  EXPECT_EQ(combined(),
            "192.0.2.7 - - [22/Nov/2026:09:21:34 +0000] \"GET /a?b HTTP/1.1\" 200 123 \"http://from/\" "
            "\"tester/1.0\"\n");
}

TEST_F(AccessLine, TimeIsLocal) {
  set_zone("XXX-5:30");
  exchange.started_unix_us += 60'000'000;  // not the second that is cached
  EXPECT_NE(combined().find("[22/Nov/2026:14:52:34 +0530]"), std::string::npos) << combined();
  EXPECT_NE(json().find("\"2026-11-22T14:52:34.123+05:30\""), std::string::npos) << json();
  set_zone("XXX3:30");
  exchange.started_unix_us += 60'000'000;
  EXPECT_NE(combined().find("[22/Nov/2026:05:53:34 -0330]"), std::string::npos) << combined();
}

TEST_F(AccessLine, WhatIsMissingIsADash) {
  exchange.status = 0;
  exchange.response_bytes = 0;
  exchange.access.reset();                         // it began before there was an access log
  EXPECT_EQ(combined(), "192.0.2.7 - - [22/Nov/2026:09:21:34 +0000] \"-\" 000 0 \"-\" \"-\"\n");
}

TEST_F(AccessLine, EscapesAsNginxDoes) {
  record.user_agent = "a\" \"b\\c\n\x01\x7F\xC3\xA4";
  EXPECT_NE(combined().find("\"a\\x22 \\x22b\\x5Cc\\x0A\\x01\\x7F\\xC3\\xA4\"\n"), std::string::npos) << combined();
}

TEST_F(AccessLine, IsOneLineOfPrintableCharactersWhateverAClientSends) {
  for (int byte = 0; byte < 256; ++byte) {
    for (state::String* text : {&record.request_line, &record.referer, &record.user_agent}) {
      *text = std::string(3, static_cast<char>(byte));
    }
    const std::string line = combined();
    for (const char character : line.substr(0, line.size() - 1)) {
      EXPECT_TRUE(character >= ' ' && character <= '~') << line;
    }
    EXPECT_EQ(std::count(line.begin(), line.end(), '"'), 6) << line;
    EXPECT_EQ(json().find_first_of('\n'), json().size() - 1) << json();
  }
}

TEST_F(AccessLine, AClientOnAUnixSocketHasNoPathInIt) {
  connection.client_address = {.family = state::Family::unix_path, .path = "/tmp/a - - [x"};
  EXPECT_TRUE(combined().starts_with("unix: - - [")) << combined();
}

TEST_F(AccessLine, JsonHoldsEveryKey) {
  record.upstream = connection.client_address.text();
  EXPECT_EQ(json(),
            "{\"time\":\"2026-11-22T09:21:34.123+00:00\",\"client\":\"192.0.2.7\",\"listener\":\"web\","
            "\"request\":\"GET /a?b HTTP/1.1\",\"status\":200,\"bytes\":123,\"duration_ms\":246,"
            "\"referer\":\"http://from/\",\"user_agent\":\"tester/"
            "1.0\",\"upstream\":\"192.0.2.7:4711\",\"upstream_name\":\"web\",\"cut\":false}\n");
}

TEST_F(AccessLine, JsonHasNullForWhatIsMissingAndIsAlwaysUtf8) {
  record.referer.clear();
  record.user_agent = "\xFF\"";
  EXPECT_NE(
      json().find(
          "\"referer\":null,\"user_agent\":\"\uFFFD\\\"\",\"upstream\":null,\"upstream_name\":null,\"cut\":false}\n"),
      std::string::npos)
      << json();
}

TEST_F(AccessLine, JsonSaysWhetherTheResponseWasCut) {
  const auto is_cut = [this] { return json().ends_with(",\"cut\":true}\n"); };
  exchange.phase = state::Answering{};
  EXPECT_FALSE(is_cut());
  auto& relaying = exchange.phase.emplace<state::Relaying>();
  EXPECT_FALSE(is_cut()) << "no response has begun";
  relaying.response = state::ResponseRelayed{.body = state::ByLength{7}};
  EXPECT_TRUE(is_cut());
  relaying.response = state::ResponseRelayed{.body = state::NoBody{}};
  EXPECT_FALSE(is_cut());
  connection.client.unsent.append("what the client has not taken");
  EXPECT_TRUE(is_cut());
  exchange.phase = state::Answering{};
  EXPECT_TRUE(is_cut());
  exchange.phase = state::Tunnelling{};
  EXPECT_FALSE(is_cut()) << "a tunnel has no end that it should reach";
}

// The connection may have frames of other streams to send.
TEST_F(AccessLine, JsonSaysWhetherTheResponseOnAStreamWasCut) {
  state::Http2& http2 = connection.protocol.emplace<state::Boxed<state::Http2>>().emplace();
  connection.client.unsent.append("frames");
  state::ClientSide& side = http2.streams.emplace_back().emplace();
  side.client.stream.emplace();
  side.client.write_ended = true;
  state::Exchange& on_stream = side.exchange.emplace();
  on_stream = exchange;
  on_stream.phase.emplace<state::Relaying>().response = state::ResponseRelayed{.body = state::NoBody{}};
  const auto is_cut = [&] {
    std::string lines;
    append_access_line(AccessFormat::json, connection, on_stream, "web", 5246, lines);
    return lines.ends_with(",\"cut\":true}\n");
  };
  EXPECT_TRUE(is_cut()) << "END_STREAM is still to be sent";
  side.client.stream->end_sent = true;
  EXPECT_FALSE(is_cut());
}

TEST_F(AccessLine, LinesAreAppended) {
  std::string lines = "before\n";
  append_access_line(AccessFormat::combined, connection, exchange, "web", 5246, lines);
  EXPECT_EQ(lines, "before\n" + combined());
}

}  // namespace
}  // namespace baton::runtime
