// The access log of a running Baton.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <thread>

#include <boost/json.hpp>

#include "harness/baton.hpp"
#include "harness/certificates.hpp"
#include "harness/deadline.hpp"
#include "harness/fd.hpp"
#include "harness/origin.hpp"
#include "harness/tls_client.hpp"

namespace baton::harness {
namespace {

class AccessLog : public testing::Test {
 protected:
  Settings with(const std::string& log) const {
    Settings settings(origin.address());
    settings.log = log;
    return settings;
  }
  Origin origin;
  const Address address = loopback(free_port());
};

TEST_F(AccessLog, CombinedIsWhatEveryToolReads) {
  Baton baton(with("access: { path: \"-\", format: combined }"));
  Client client = baton.connect();
  client.get("/bytes/123?q=1", "Referer: http://from/\r\nUser-Agent: tester/1.0\r\n");
  const std::string line = baton.await_access_log(std::regex("bytes"));
  EXPECT_TRUE(
      std::regex_match(line, std::regex(R"re(127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] )re"
                                        R"re("GET /bytes/123\?q=1 HTTP/1\.1" 200 123 "http://from/" "tester/1\.0")re")))
      << line;
}

TEST_F(AccessLog, WhatIsMissingIsADashAndRefusalsAreLoggedToo) {
  Baton baton(with("access: { path: \"-\" }"));
  Client client = baton.connect();
  client.get("/status/204");
  EXPECT_NE(baton.await_access_log(std::regex(" 204 ")).find(" \"-\" \"-\""), std::string::npos);
  client.send("GET / HTTP/1.1\r\nBad : x\r\n\r\n");
  baton.await_access_log(std::regex(" 400 "));
}

TEST_F(AccessLog, AQuoteInAFieldCannotForgeALine) {
  Baton baton(with("access: { path: \"-\" }"));
  baton.connect().get("/bytes/1", "User-Agent: a\" \"b\\\r\n");
  const std::string line = baton.await_access_log(std::regex("bytes"));
  EXPECT_EQ(line.find("a\" \"b"), std::string::npos) << line;
}

TEST_F(AccessLog, JsonIsOneObjectALine) {
  Baton baton(with("access: { path: \"-\", format: json }"));
  baton.connect().get("/bytes/5");
  EXPECT_TRUE(boost::json::parse(baton.await_access_log(std::regex("bytes"))).is_object());
}

TEST_F(AccessLog, OurOwnAnswersHaveTheirBytesAndTheServerThatRefused) {
  Settings settings = with("access: { path: \"-\", format: json }");
  Baton baton(settings);
  origin.refuse();
  EXPECT_EQ(baton.connect().get("/refused").status(), 502);
  const auto line = boost::json::parse(baton.await_access_log(std::regex("refused"))).as_object();
  EXPECT_EQ(line.at("bytes").as_int64(), 30) << "502 Bad Gateway: upstream web";
  EXPECT_EQ(line.at("upstream").as_string(), origin.address().text());
  baton.await_log(std::regex("server " + origin.address().text() + " cannot be connected"));
}

TEST_F(AccessLog, ASlowHeadLastsFromItsFirstByte) {
  Settings settings = with("access: { path: \"-\", format: json }");
  settings.timeouts = "head: 300ms";
  Baton baton(settings);
  Client client = baton.connect();
  client.send("GET /slow HTTP/1.1\r\nHos");
  EXPECT_EQ(client.response().status(), 408);
  const auto line = boost::json::parse(baton.await_access_log(std::regex("408"))).as_object();
  EXPECT_GE(line.at("duration_ms").as_int64(), 270);
}

// A line of the format json, whose text has this, wherever it stands.
boost::json::object line_of(const Baton& baton, const std::string& text) {
  const Deadline deadline(wait_max);
  for (;;) {
    const std::string log = baton.access_log();
    const std::size_t found = log.find(text);
    const std::size_t end = found == std::string::npos ? found : log.find('\n', found);
    if (end != std::string::npos) {
      const std::size_t begin = log.rfind('\n', found) + 1;
      return boost::json::parse(log.substr(begin, end - begin)).as_object();
    }
    if (deadline.passed()) throw Failure("no line with " + text + " in\n" + log);
    std::this_thread::sleep_for(Milliseconds(5));
  }
}

TEST_F(AccessLog, SaysWhyEachRequestEnded) {
  Settings settings = with("access: { path: \"-\", format: json }");
  settings.timeouts = "response: 300ms, handshake: 60s, head: 60s";
  settings.topology =
      "listeners:\n  - { name: web, bind: \"" + address.text() + "\" }\n" +
      "routes:\n"
      "  - { match: { path: /denied }, access: { deny: [ 127.0.0.1 ] }, upstream: app }\n"
      "  - { match: { path: /redirect }, redirect: { to: /there } }\n"
      "  - { match: { path: /small }, limits: { body_bytes: 1k }, upstream: app }\n"
      "  - { match: { path: /rate }, rate_limit: { requests: 1, per: 1h, by: client }, upstream: app }\n"
      "  - { match: { path_prefix: /app/ }, path: { strip_prefix: /app }, upstream: app }\n"
      "  - { match: { path_prefix: /none/ }, upstream: none }\n"
      "upstreams:\n"
      "  - { name: app, servers: [ { address: \"" +
      origin.address().text() +
      "\" } ] }\n"
      "  - { name: none, servers: [ { address: \"" +
      loopback(free_port()).text() + "\" } ] }\n";
  settings.binds = {address};
  Baton baton(settings);
  const auto ended = [&](const std::string& path) {
    return line_of(baton, "GET " + path + " ").at("ended").as_string();
  };
  const auto get = [&](const std::string& path) {
    (void)baton.connect().get(path);
    return ended(path);
  };
  EXPECT_EQ(get("/app/bytes/5"), "done");
  EXPECT_EQ(get("/denied"), "denied");
  EXPECT_EQ(get("/redirect"), "answered");
  EXPECT_EQ(get("/nowhere"), "no_route");
  EXPECT_EQ(get("/none/x"), "connect");
  EXPECT_EQ(get("/app/held"), "server_slow");
  origin.gate().open();
  {
    Client client = baton.connect();
    client.get("/rate");
    EXPECT_EQ(client.get("/rate?again").status(), 429);
  }
  EXPECT_EQ(ended("/rate?again"), "rate");
  {
    Client client = baton.connect();
    client.post("/small", std::string(2000, 'x'));
  }
  EXPECT_EQ(line_of(baton, "POST /small").at("ended").as_string(), "too_large");
  baton.connect().send("GET /app/half HTTP/1.1\r\n\r\n");
  EXPECT_EQ(ended("/app/half"), "bad_request");
}

TEST_F(AccessLog, AClientThatLeavesIs499) {
  Baton baton(with("access: { path: \"-\", format: json }"));
  Client client = baton.connect();
  client.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  client.reset();
  const auto line = line_of(baton, "held");
  EXPECT_EQ(line.at("status").as_int64(), 499);
  EXPECT_EQ(line.at("ended").as_string(), "client_gone");
  EXPECT_FALSE(line.at("connect_ms").is_null());
  EXPECT_TRUE(line.at("first_byte_ms").is_null());
  origin.gate().open();
}

// Tunnels of both kinds, with all that passed in both generations.
TEST_F(AccessLog, HasOneLineForATunnelAtItsEndWithTotalsAcrossUpgrades) {
  Settings settings = with("access: { path: \"-\", format: json }");
  settings.tcp_binds = {loopback(free_port())};
  settings.own_binary = true;
  Baton baton(settings);
  Client websocket = baton.connect();
  websocket.send(get_request("/websocket", "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
  EXPECT_EQ(read_head(websocket).start_line, "HTTP/1.1 101 Switching Protocols");
  Client raw(settings.tcp_binds.front());
  raw.send(get_request("/websocket", "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
  const std::size_t head_bytes = get_request("/websocket", "Connection: Upgrade\r\nUpgrade: websocket\r\n").size();
  EXPECT_EQ(read_head(raw).start_line, "HTTP/1.1 101 Switching Protocols");
  for (Client* client : {&websocket, &raw}) {
    client->send("before");
    EXPECT_EQ(client->read_exactly(6), "before");
  }
  baton.upgrade();
  for (Client* client : {&websocket, &raw}) {
    client->send("afterwards");
    EXPECT_EQ(client->read_exactly(10), "afterwards");
    client->half_close();
    client->read_to_fin();
  }
  const auto of_websocket = line_of(baton, "GET /websocket");
  EXPECT_EQ(of_websocket.at("status").as_int64(), 101);
  EXPECT_EQ(of_websocket.at("bytes").as_int64(), 16);
  EXPECT_EQ(of_websocket.at("bytes_in").as_int64(), 16);
  EXPECT_EQ(of_websocket.at("generation").as_int64(), 2);
  EXPECT_EQ(of_websocket.at("ended").as_string(), "done");
  const auto of_raw = line_of(baton, "\"TCP\"");
  EXPECT_EQ(of_raw.at("listener").as_string(), "tcp");
  EXPECT_EQ(of_raw.at("status").as_int64(), 200);
  EXPECT_EQ(of_raw.at("bytes_in").as_int64(), static_cast<std::int64_t>(head_bytes + 16));
  EXPECT_EQ(of_raw.at("upstream").as_string(), origin.address().text());
  EXPECT_EQ(of_raw.at("upstream_name").as_string(), "web");
  EXPECT_EQ(of_raw.at("ended").as_string(), "done");
  EXPECT_EQ(baton.number("requests_total"), 1) << "a tunnel of a tcp listener is no request";
}

// What the format asks of the request is kept until its end, also by another process.
TEST_F(AccessLog, ATextMayAskForFieldsOfTheRequest) {
  Settings settings =
      with("access: { path: \"-\", format: '{method} {host} \"{header.X-Name}\" {status} {generation}' }");
  settings.own_binary = true;
  settings.handoff += ", finish_timeout: 100ms";
  Baton baton(settings);
  Client client = baton.connect();
  client.send("GET /held HTTP/1.1\r\nHost: even.test:81\r\nX-Name: a \"b\"\r\n\r\n");
  origin.gate().await_arrivals(1);
  baton.upgrade();
  origin.gate().open();
  EXPECT_EQ(client.response().body, "held");
  EXPECT_EQ(baton.await_access_log(std::regex("even")), "GET even.test \"a \\x22b\\x22\" 200 2");
}

// A port scan of a tcp listener with TLS is no tunnel.
TEST_F(AccessLog, HasNoLineForAHandshakeThatNeverEnds) {
  const TempDir directory;
  Authority authority(directory);
  Settings settings = with("access: { path: \"-\", format: json }");
  settings.protocol = "tcp";
  settings.tls = "certificates: [ " + authority.issue({"localhost"}).yaml() + " ]";
  Baton baton(settings);
  {
    const Client scan = baton.connect();
  }
  {
    Client confused = baton.connect();
    confused.send("hello there");
    confused.read_to_fin();
  }
  {
    TlsClient client(baton.address());
    EXPECT_EQ(client.get("/bytes/4").body, pattern(4));
  }
  EXPECT_EQ(line_of(baton, "TCP").at("tls").as_string(), "1.3");
  baton.signal(SIGTERM);
  baton.await_exit();
  EXPECT_EQ(baton.access_log().find('\n'), baton.access_log().size() - 1) << baton.access_log();
}

// One server answers 503, the next one refuses: what the first did is not said of the second.
TEST_F(AccessLog, TheTimesAreThoseOfTheLastServer) {
  Settings settings = with("access: { path: \"-\", format: json }");
  settings.binds = {address};
  settings.topology = "listeners:\n  - { name: web, bind: \"" + address.text() + "\" }\n" +
                      "routes:\n  - { retries: { attempts: 2, on: [ connect, 503 ] }, upstream: app }\n"
                      "upstreams:\n  - { name: app, servers: [ { address: \"" +
                      origin.address().text() + "\" }, { address: \"" + loopback(free_port()).text() +
                      "\", backup: true } ] }\n";
  Baton baton(settings);
  EXPECT_EQ(baton.connect().get("/status/503").status(), 502);
  const auto line = line_of(baton, "status/503");
  EXPECT_NE(line.at("upstream").as_string(), origin.address().text());
  EXPECT_EQ(line.at("retries").as_int64(), 1);
  EXPECT_TRUE(line.at("connect_ms").is_null());
  EXPECT_TRUE(line.at("first_byte_ms").is_null());
}

TEST_F(AccessLog, GoesToSyslog) {
  const TempDir directory;
  const std::string path = directory / "log";
  const Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un name{.sun_family = AF_UNIX, .sun_path = {}};
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
  Baton baton(with("access: { syslog: \"unix:" + path + "\" }"));
  baton.connect().get("/bytes/5");
  std::string datagram(1000, '\0');
  datagram.resize(static_cast<std::size_t>(::recv(socket.get(), datagram.data(), datagram.size(), 0)));
  EXPECT_TRUE(std::regex_match(
      datagram,
      std::regex(
          R"(<190>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d \S+ baton \d+ access - 127\.0\.0\.1 - - .*"GET /bytes/5 HTTP/1\.1" 200 5 "-" "-")")))
      << datagram;
}

TEST_F(AccessLog, OfAShareEverythingThatFailsIsLogged) {
  Settings settings = with("access: { path: \"-\", format: '{status}' }");
  settings.topology = "listeners:\n  - { name: web, bind: \"" + address.text() + "\" }\n" +
                      "routes:\n  - { access_log: 10%, upstream: app }\n"
                      "upstreams:\n  - { name: app, servers: [ { address: \"" +
                      origin.address().text() + "\" } ] }\n";
  settings.binds = {address};
  Baton baton(settings);
  Client client = baton.connect();
  constexpr int requests = 300;
  for (int i = 0; i < requests; ++i) client.get("/bytes/1");
  for (int i = 0; i < 3; ++i) client.get("/status/500");
  for (int i = 0; i < 3; ++i) baton.await_access_log(std::regex("500"));
  const std::string log = baton.access_log();
  const auto good = static_cast<int>(std::count(log.begin(), log.end(), '2'));
  EXPECT_GT(good, 0);
  EXPECT_LT(good, requests / 2);
}

TEST_F(AccessLog, TheEventLogNamesTheRequestToo) {
  Settings settings = with("access: { path: \"-\", format: '{request_id} {status}' }");
  settings.more = "request_id: { header: X-Request-Id, trust: true }\n";
  settings.timeouts = "response: 200ms, handshake: 60s, head: 60s";
  Baton baton(settings);
  EXPECT_EQ(baton.connect().get("/held", "X-Request-Id: mine-4711\r\n").status(), 504);
  baton.await_log(std::regex("timeouts\\.response: the server has not answered, request mine-4711"));
  baton.await_access_log(std::regex("mine-4711 504"));
  origin.gate().open();
}

TEST_F(AccessLog, IsOffByDefault) {
  Baton baton(with(""));
  baton.connect().get("/bytes/5");
  baton.await_number("requests_total", 1);
  EXPECT_EQ(baton.log().find("/bytes/5"), std::string::npos);
}

}  // namespace
}  // namespace baton::harness
