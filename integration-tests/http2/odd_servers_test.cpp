// Servers of HTTP/2 that do what is allowed but rare, or break the protocol. Their frames are written by hyperframe.
#include <gtest/gtest.h>

#include <sys/socket.h>

#include <csignal>
#include <regex>

#include "harness/baton.hpp"
#include "harness/http2_client.hpp"
#include "harness/process.hpp"

namespace baton::harness {
namespace {

class OddServers : public testing::Test {
 protected:
  // `of_upstream`: more keys, as YAML.
  void begin(const std::string& what, const std::string& timeouts = "", const std::string& of_upstream = "") {
    server.emplace(
        Command{.argv = {"/usr/bin/python3", "-B", HTTP2_PEERS "/python/server.py", std::to_string(at.port), what},
                .has_input = true});
    await("ready");
    Settings settings(at);
    settings.server_protocol = "http2";
    settings.workers = 1;
    if (!timeouts.empty()) settings.timeouts = timeouts;
    if (!of_upstream.empty()) {
      settings.binds = {loopback(free_port())};
      settings.topology = "listeners: [ { name: web, bind: \"" + settings.binds[0].text() +
                          "\" } ]\nupstreams: [ { name: web, protocol: http2, servers: [ { address: \"" + at.text() +
                          "\" } ], " + of_upstream + " } ]\n";
    }
    baton.emplace(settings);
  }
  // The server has said so.
  void await(const std::string& line) { server->await_line(Process::Stream::out, std::regex("^" + line + "$")); }
  void go_on() { server->type("go on\n"); }
  std::size_t count(const std::string& line) const {
    const std::string said = server->out();
    const std::regex wanted("(^|\n)" + line + "(?=\n)");
    return static_cast<std::size_t>(std::distance(std::sregex_iterator(said.begin(), said.end(), wanted), {}));
  }

  void expect_answers_to_both_kinds_of_clients() const {
    Client client(baton->address());
    Http2Client second(baton->address());
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(client.get("/").body, "hello");
      EXPECT_EQ(second.get("/").body, "hello");
    }
  }

  const Address at = loopback(free_port());
  std::optional<Process> server;
  std::optional<Baton> baton;
};

TEST_F(OddServers, MayEndAResponseToHeadLater) {
  begin("LateEnd");
  Client client(baton->address());
  Http2Client second(baton->address());
  for (int i = 0; i < 2; ++i) {
    client.send("HEAD / HTTP/1.1\r\nHost: test\r\n\r\n");
    EXPECT_EQ(client.response(BodyIs::absent).field("content-length"), "5");
    const std::int32_t stream =
        second.begin({{":method", "HEAD"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}});
    EXPECT_EQ(second.await_head(stream).field("content-length"), "5");
    go_on();
    go_on();
    EXPECT_TRUE(second.await_end(stream).ended);
  }
  await("HEAD 3");
  EXPECT_EQ(count("reset .*"), 0u) << server->out();
}

TEST_F(OddServers, MaySendAStrayFrameBehindAResponse) {
  begin("StrayFrame");
  expect_answers_to_both_kinds_of_clients();
}

TEST_F(OddServers, MayBreakTheirConnectionBehindAResponse) {
  begin("BrokenFrame");
  expect_answers_to_both_kinds_of_clients();
  baton->await_log(std::regex("a connection to server " + at.text() + " of [a-z]+ failed: HTTP/2: WINDOW_UPDATE by 0"));
  EXPECT_EQ(baton->count_log_lines(std::regex("cannot be connected")), 0u) << baton->log();
}

TEST_F(OddServers, GetNoMoreStreamsThanTheyAllow) {
  begin("FewStreams");
  Http2Client client(baton->address());
  for (int round = 0; round < 3; ++round) {
    std::vector<std::int32_t> streams;
    for (int i = 0; i < 7; ++i) streams.push_back(client.begin_get("/"));
    harness::await([&] { return count("GET .*") == static_cast<std::size_t>(7 * (round + 1)); }, "seven requests");
    for (int i = 0; i < 7; ++i) go_on();
    for (const std::int32_t one : streams) EXPECT_EQ(client.await_end(one).body, "hello");
  }
  EXPECT_EQ(count("too many"), 0u) << server->out();
}

// Each stream needs a connection of its own, so none waits for another's.
TEST_F(OddServers, AreConnectedAtOnceForStreamsThatCannotShare) {
  begin("LateSettings", "", "keep_alive: { requests: 1 }");
  Http2Client client(baton->address());
  std::vector<std::int32_t> streams;
  for (int i = 0; i < 3; ++i) streams.push_back(client.begin_get("/"));
  harness::await([&] { return count("connected") == 3; }, "three connections");
  for (int i = 0; i < 3; ++i) go_on();
  for (const std::int32_t one : streams) EXPECT_EQ(client.await_end(one).body, "hello");
}

TEST_F(OddServers, ThatAreSharedAreConnectedOnce) {
  begin("LateSettings");
  Http2Client client(baton->address());
  std::vector<std::int32_t> streams;
  for (int i = 0; i < 3; ++i) streams.push_back(client.begin_get("/"));
  await("connected");
  client.ping();
  go_on();
  for (const std::int32_t one : streams) EXPECT_EQ(client.await_end(one).body, "hello");
  EXPECT_EQ(count("connected"), 1u);
}

TEST_F(OddServers, MayAllowNoStreamsAtFirst) {
  begin("NoStreams");
  Client client(baton->address());
  client.send(get_request("/"));
  await("full");
  EXPECT_EQ(count("GET .*"), 0u);
  go_on();
  EXPECT_EQ(client.response().body, "hello");
}

TEST_F(OddServers, ThatAllowNoStreamsTakeNoRequests) {
  begin("NoStreams", "handshake: 2s");
  EXPECT_EQ(Client(baton->address()).get("/").status(), 503);
  baton->await_log(std::regex("allows no streams"));
}

TEST_F(OddServers, ThatAreSilentAreWaitedForAsLongAsForAnyOther) {
  begin("Silent", "response: 300ms");
  Http2Client client(baton->address());
  EXPECT_EQ(client.get("/").status, 504);
}

// No frame of the server tells when more of the body may go.
TEST_F(OddServers, ThatGiveNoCreditGetTheWholeRequest) {
  begin("GivesNoCredit");
  Http2Client client(baton->address());
  const std::int32_t stream = client.begin_post("/");
  client.send(stream, std::string(1'000'000, 'x'), true);
  EXPECT_EQ(client.await_end(stream).body, "1000000");
}

TEST_F(OddServers, ThatEndWhileTheyAreSentMoreHaveAnswered) {
  begin("EndsWhileItIsSentMore");
  Client client(baton->address());
  client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\nsome");
  await("content");
  baton->signal(SIGSTOP);
  client.send(std::string(20'000, 'x'));
  go_on();
  await("closed");
  baton->signal(SIGCONT);
  const Response response = client.response();
  EXPECT_EQ(response.status(), 200);
  EXPECT_EQ(response.body, std::string(40'000, 'x') + "end");
}

TEST_F(OddServers, ThatReadLateGetTheWholeRequest) {
  begin("ReadsLate");
  Client client(baton->address());
  const auto await_a_turn = [&] { EXPECT_EQ(Client(baton->address()).post("/", "", "Host: b\r\n").status(), 400); };
  // What the kernel does not take waits here, in several places.
  for (std::size_t bytes = 50'000; bytes < 1'000'000; bytes += 15'000) {
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n");
    const std::string body(bytes, 'x');
    const ssize_t went = ::send(client.fd(), body.data(), body.size(), MSG_DONTWAIT);
    ASSERT_GT(went, 0);
    for (int i = 0; i < 3; ++i) await_a_turn();
    go_on();
    client.send(std::string_view(body).substr(static_cast<std::size_t>(went)));
    EXPECT_EQ(client.response().body, std::to_string(bytes));
  }
}

}  // namespace
}  // namespace baton::harness
