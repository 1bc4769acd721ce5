// A line of the access log, as a value.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

#include <algorithm>

#include "proxy/access_log/line.hpp"
#include "proxy/state/captured.hpp"

namespace baton::access_log {
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
    exchange.phase.emplace<state::Relaying>().response = state::ResponseRelayed{.body = state::NoBody{}};
    exchange.status = 200;
    exchange.response_bytes = 123;
    set_zone("UTC");
  }
  ~AccessLine() override { set_zone("UTC"); }

  static void set_zone(const char* zone) {
    ::setenv("TZ", zone, 1);
    ::tzset();
  }

  std::string line(const Format& format, const state::Flow& client, const state::Exchange& of) const {
    std::string lines;
    append_line(format, Entry(connection, client, of, 5246, 3), lines);
    return lines;
  }
  std::string line(config::AccessFormat name) const { return line({.name = name}, connection.client, exchange); }
  std::string combined() const { return line(config::AccessFormat::combined); }
  std::string json() const { return line(config::AccessFormat::json); }
  std::string logfmt() const { return line(config::AccessFormat::logfmt); }
  std::string text(std::string_view format) const {
    config::AccessLog log{.format = config::AccessFormat::text};
    log.text = config::Template::parse(format, config::TextFor::access_log).value();
    return line(format_of(log), connection.client, exchange);
  }
  std::string ended() const { return text("{ended}"); }

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
  exchange.ending = state::Ending::memory;
  exchange.response_bytes = 0;
  exchange.access.reset();  // it began before there was an access log
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
  record.upstream_name = "app";
  record.queued_ms = 7;
  record.connected_ms = 5010;
  record.answered_ms = 5020;
  record.retries = 1;
  record.user = "ann";
  exchange.route = "all";
  exchange.request.body_bytes = 9;
  exchange.extras.emplace().request_id = "0190";
  EXPECT_EQ(json(),
            "{\"time\":\"2026-11-22T09:21:34.123+00:00\",\"client\":\"192.0.2.7\",\"listener\":\"web\","
            "\"request\":\"GET /a?b HTTP/1.1\",\"status\":200,\"bytes\":123,\"duration_ms\":246,"
            "\"referer\":\"http://from/\",\"user_agent\":\"tester/1.0\",\"upstream\":\"192.0.2.7:4711\","
            "\"upstream_name\":\"app\",\"request_id\":\"0190\",\"user\":\"ann\",\"ended\":\"done\",\"route\":\"all\","
            "\"protocol\":\"HTTP/1.1\",\"tls\":null,\"bytes_in\":9,\"queue_ms\":7,\"connect_ms\":10,"
            "\"first_byte_ms\":20,\"retries\":1,\"generation\":3,\"cut\":false}\n");
}

TEST_F(AccessLine, JsonHasNullForWhatIsMissingAndIsAlwaysUtf8) {
  record.referer.clear();
  record.user_agent = "\xFF\"";
  EXPECT_NE(
      json().find("\"referer\":null,\"user_agent\":\"\uFFFD\\\"\",\"upstream\":null,\"upstream_name\":null,\"ended\":"),
      std::string::npos)
      << json();
}

TEST_F(AccessLine, LogfmtLeavesOutWhatIsMissingAndQuotesWhatNeedsIt) {
  record.user_agent = "a=\"b\"\n";
  connection.client.tls.emplace().version = 0x0304;
  EXPECT_EQ(logfmt(),
            "time=2026-11-22T09:21:34.123+00:00 client=192.0.2.7 listener=web request=\"GET /a?b HTTP/1.1\" "
            "status=200 bytes=123 duration_ms=246 referer=http://from/ user_agent=\"a=\\\"b\\\"\\u000a\" ended=done "
            "protocol=HTTP/1.1 tls=1.3 bytes_in=0 queue_ms=0 retries=0 generation=3\n");
}

TEST_F(AccessLine, ATextHasWhateverItsPlaceholdersName) {
  std::string fields;
  state::append_captured(fields, "{host}", "even.test");
  state::append_captured(fields, "{header.x-a}", "");
  state::append_captured(fields, "{header.x-b}", "b = c");
  record.fields = fields;
  EXPECT_EQ(text("{client} {method} {host}{path} {query} \"{request}\" {{{header.X-B}} \"{header.X-B}\" {header.X-A} "
                 "[{time_local}]"),
            "192.0.2.7 GET even.test/a b \"GET /a?b HTTP/1.1\" {b\\x20=\\x20c} \"b = c\" - "
            "[22/Nov/2026:09:21:34 +0000]\n");
}

TEST_F(AccessLine, OfATextNoClientEndsAFieldOrALine) {
  for (int byte = 0; byte < 256; ++byte) {
    record.user = std::string(3, static_cast<char>(byte));
    const std::string line = text("<{user}> \"{user}\" <{user}>");
    EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
    EXPECT_EQ(std::count(line.begin(), line.end(), '"'), 2) << line;
    EXPECT_EQ(std::count(line.begin(), line.end(), ' '), byte == ' ' ? 5 : 2) << line;
  }
}

TEST_F(AccessLine, CapturedTextThatIsCutIsReadNoFurther) {
  const std::string fields = "{host}=even.test";  // as no process of ours sends it: without a line feed
  EXPECT_EQ(state::captured(fields, "{port}"), "");
  EXPECT_EQ(state::captured(fields, "{host}"), "even.test");
}

TEST_F(AccessLine, AMalformedRequestLineHasNoProtocol) {
  record.request_line = "GET / HTT";
  EXPECT_EQ(text("{protocol}"), "-\n");
}

TEST_F(AccessLine, WaitingThatGoesOnCountsToo) {
  record.queued_ms = 10;
  exchange.queued_since_ms = 5046;
  EXPECT_EQ(text("{queue_ms}"), "210\n");
}

TEST_F(AccessLine, AnAbsoluteTargetIsShownInOriginForm) {
  record.request_line = "GET http://even.test/a?b HTTP/1.1";
  EXPECT_EQ(text("{uri} {path} {query}"), "/a?b /a b\n");
  record.request_line = "OPTIONS * HTTP/1.1";
  EXPECT_EQ(text("{method} {uri} {protocol}"), "OPTIONS * HTTP/1.1\n");
}

TEST_F(AccessLine, SyslogHasTheHeaderOfRfc5424) {
  Format format{.name = config::AccessFormat::combined};
  format.syslog_name = " host baton 4711 access - ";
  EXPECT_EQ(line(format, connection.client, exchange),
            "<190>1 2026-11-22T09:21:34.123+00:00 host baton 4711 access - " + combined());
}

TEST_F(AccessLine, SaysWhyItEnded) {
  EXPECT_EQ(ended(), "done\n");
  exchange.ending = state::Ending::server_slow;
  EXPECT_EQ(ended(), "server_slow\n");
  exchange.ending = state::Ending::answered;
  exchange.phase = state::Answering{};
  EXPECT_EQ(ended(), "answered\n");
  connection.client.unsent.append("what the client has not taken");
  EXPECT_EQ(ended(), "client_gone\n");
}

TEST_F(AccessLine, AClientThatLeavesBeforeAnyResponseIs499) {
  exchange.phase = state::Connecting{.head_bytes = 1};
  exchange.status = 0;
  EXPECT_EQ(text("{status} {ended}"), "499 client_gone\n");
  exchange.ending = state::Ending::stopped;
  EXPECT_EQ(text("{status} {ended}"), "0 stopped\n");
}

TEST_F(AccessLine, OfATunnelSaysWhetherBothDirectionsHaveEnded) {
  record.request_line = "TCP";
  exchange.phase = state::Tunnelling{};
  exchange.status = 0;
  EXPECT_EQ(text("{protocol} {status} {ended}"), "TCP 499 client_gone\n") << "before it had a server";
  exchange.upstream.emplace();
  EXPECT_EQ(text("{protocol} {status} {ended}"), "TCP 200 client_gone\n");
  connection.client.read_ended = connection.client.write_ended = true;
  EXPECT_EQ(text("{protocol} {status} {ended}"), "TCP 200 done\n");
  exchange.upstream.reset();
  exchange.ending = state::Ending::connect;
  EXPECT_EQ(text("{status}"), "502\n");
  exchange.ending = state::Ending::connect_slow;
  EXPECT_EQ(text("{status}"), "504\n");
  exchange.ending = state::Ending::queue;
  EXPECT_EQ(text("{status}"), "503\n");
}

TEST_F(AccessLine, JsonSaysWhetherTheResponseWasCut) {
  const auto is_cut = [this] { return json().ends_with(",\"cut\":true}\n"); };
  exchange.phase = state::Answering{};
  EXPECT_FALSE(is_cut());
  auto& relaying = exchange.phase.emplace<state::Relaying>();
  exchange.status = 0;
  EXPECT_FALSE(is_cut()) << "no response has begun";
  exchange.status = 200;
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
    return line({.name = config::AccessFormat::json}, side.client, on_stream).ends_with(",\"cut\":true}\n");
  };
  EXPECT_TRUE(is_cut()) << "END_STREAM is still to be sent";
  side.client.stream->end_sent = true;
  EXPECT_FALSE(is_cut());
}

TEST_F(AccessLine, LinesAreAppended) {
  std::string lines = "before\n";
  append_line({}, Entry(connection, connection.client, exchange, 5246, 3), lines);
  EXPECT_EQ(lines, "before\n" + combined());
}

}  // namespace
}  // namespace baton::access_log
