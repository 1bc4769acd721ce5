// A connection that is cut on one side is cut on the other: a reset reaches the other peer as a reset, after the bytes
// that came before it. A clean end (FIN) would make what was cut look complete.
#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "harness/baton.hpp"
#include "harness/tls_client.hpp"

namespace baton::harness {
namespace {

constexpr std::string_view websocket = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
constexpr std::string_view switching =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";

struct Way {
  const char* name;
  bool tls;
  bool upgraded;  // in the middle
};
void PrintTo(const Way& way, std::ostream* out) {
  *out << way.name;
}

class Resets : public testing::TestWithParam<Way> {
 protected:
  // An HTTP listener, or with `raw` a tcp listener.
  void start(bool raw, const std::string& timeouts = {}) {
    Settings settings(address);
    if (raw) settings.protocol = "tcp";
    if (GetParam().tls) settings.tls = "certificates: [ " + authority.issue({"localhost"}).yaml() + " ]";
    if (!timeouts.empty()) settings.timeouts += ", " + timeouts;
    settings.handoff += ", finish_timeout: 0s";
    baton = std::make_unique<Baton>(settings);
    if (GetParam().tls) {
      client = std::make_unique<TlsClient>(baton->address());
    } else {
      client = std::make_unique<Client>(baton->address());
    }
  }
  std::unique_ptr<Stream> accept() {
    return std::make_unique<Stream>(Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)));
  }
  void move() {
    if (GetParam().upgraded) baton->upgrade();
  }
  // A client and a server that have exchanged bytes through a tunnel.
  std::unique_ptr<Stream> raw_tunnel(const std::string& timeouts = {}) {
    start(true, timeouts);
    client->send("hello");
    auto server = accept();
    EXPECT_EQ(server->read_exactly(5), "hello");
    server->send("welcome");
    EXPECT_EQ(client->read_exactly(7), "welcome");
    move();
    return server;
  }
  std::unique_ptr<Stream> websocket_tunnel() {
    start(false);
    client->send(get_request("/", websocket));
    auto server = accept();
    server->read_through("\r\n\r\n");
    server->send(switching);
    client->read_through("\r\n\r\n");
    move();
    return server;
  }
  std::unique_ptr<Stream> upload(const std::string& framing, const std::string& bytes) {
    start(false);
    client->send("POST / HTTP/1.1\r\nHost: a\r\n" + framing + "\r\n\r\n" + bytes);
    auto server = accept();
    server->read_through("\r\n\r\n");
    EXPECT_EQ(server->read_exactly(bytes.size()), bytes);
    move();
    return server;
  }
  static void expect_reset(Stream& peer, std::string_view after) {
    std::string bytes;
    EXPECT_EQ(peer.read_to_end(bytes), End::reset) << "a cut connection looks complete";
    EXPECT_EQ(bytes, after);
  }

  TempDir directory;
  Authority authority{directory};
  Address address = loopback(0);
  Fd listener = listen_on(address);
  std::unique_ptr<Baton> baton;
  std::unique_ptr<Client> client;
};

INSTANTIATE_TEST_SUITE_P(AllWays, Resets,
                         testing::Values(Way{"plain", false, false}, Way{"tls", true, false},
                                         Way{"plain_upgraded", false, true}, Way{"tls_upgraded", true, true}),
                         [](const auto& way) { return std::string(way.param.name); });

TEST_P(Resets, OfAClientReachTheServerOfATunnel) {
  auto server = raw_tunnel();
  client->send("last words");
  client->reset();
  expect_reset(*server, "last words");
}

TEST_P(Resets, OfAServerReachTheClientOfATunnel) {
  auto server = raw_tunnel();
  server->send("last words");
  server->reset();
  expect_reset(*client, "last words");
}

TEST_P(Resets, OfAClientReachTheServerOfAWebSocket) {
  auto server = websocket_tunnel();
  client->send("last words");
  client->reset();
  expect_reset(*server, "last words");
}

TEST_P(Resets, OfAServerReachTheClientOfAWebSocket) {
  auto server = websocket_tunnel();
  server->send("last words");
  server->reset();
  expect_reset(*client, "last words");
}

// What the kernel holds for a slow peer came before the reset, and the peer must get it.
class SlowReaders : public Resets {
 protected:
  // More than fits into our buffers: most of it waits in the kernel.
  static constexpr std::size_t much = 256 << 10;
  static void expect_all_and_reset(Stream& peer) {
    std::string bytes;
    EXPECT_EQ(peer.read_to_end(bytes), End::reset);
    EXPECT_EQ(bytes.size(), much);
    EXPECT_TRUE(bytes == pattern(much));
  }
  // Baton has read everything that `from` sent, and forwarded all that the kernel takes.
  void await_taken(Stream& from) const {
    await(
        [&] {
          int unacknowledged = 0;
          return ::ioctl(from.fd(), SIOCOUTQ, &unacknowledged) == 0 && unacknowledged == 0;
        },
        "everything to be taken");
  }
};
INSTANTIATE_TEST_SUITE_P(AllWays, SlowReaders,
                         testing::Values(Way{"plain", false, false}, Way{"tls", true, false},
                                         Way{"plain_upgraded", false, true}, Way{"tls_upgraded", true, true}),
                         [](const auto& way) { return std::string(way.param.name); });

TEST_P(SlowReaders, OfATunnelGetAllThatTheServerSentBeforeItsReset) {
  start(true);
  client->send("hello");
  auto server = accept();
  server->read_exactly(5);
  server->send(pattern(much));
  await_taken(*server);
  server->reset();
  move();
  expect_all_and_reset(*client);
}

TEST_P(SlowReaders, OfAResponseGetAllThatCameBeforeItBroke) {
  start(false);
  client->send(get_request("/"));
  auto server = accept();
  server->read_through("\r\n\r\n");
  server->send("HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n" + pattern(much));
  await_taken(*server);
  server->reset();
  move();
  client->read_through("\r\n\r\n");
  expect_all_and_reset(*client);
}

TEST_P(SlowReaders, GetAllThatTheClientSentBeforeItsReset) {
  start(true);
  client->send("hello");
  auto server = accept();
  server->read_exactly(5);
  client->send(pattern(much));
  await_taken(*client);
  client->reset();
  move();
  expect_all_and_reset(*server);
}

// The client has ended cleanly and then accepts no answer: what it sent is complete all the same.
TEST_P(SlowReaders, GetAWholeUploadOfAClientThatDoesNotWaitForTheAnswer) {
  start(true);
  client->send("hello");
  auto server = accept();
  server->read_exactly(5);
  client->send(pattern(much));
  client->half_close();
  await_taken(*client);
  client->close();
  server->send("an answer that finds the client gone");
  move();
  EXPECT_TRUE(server->read_to_fin() == pattern(much));
}

TEST_P(Resets, AfterAHalfCloseReachTheOtherSideToo) {
  auto server = raw_tunnel();
  client->half_close();
  EXPECT_EQ(server->read_to_fin(), "");
  client->reset();
  // The server's side has ended already, so the kernel reports the reset by an error on its socket.
  pollfd broken{server->fd(), 0, 0};
  EXPECT_EQ(::poll(&broken, 1, Deadline().poll_ms()), 1);
  EXPECT_TRUE(broken.revents & POLLERR);
}

TEST_P(Resets, BehindBytesThatTheOtherSideIsSlowToTakeWaitForThem) {
  auto server = raw_tunnel();
  // More than one of the proxy's buffers holds.
  const std::string much = pattern(1 << 20);
  client->send(much);
  EXPECT_EQ(server->read_exactly(1000), much.substr(0, 1000));
  client->reset();
  std::string rest;
  EXPECT_EQ(server->read_to_end(rest), End::reset);
  EXPECT_EQ(rest, much.substr(1000, rest.size())) << "in order, as far as it came";
}

TEST_P(Resets, OfAClientReachTheServerInTheMiddleOfAChunkedUpload) {
  auto server = upload("Transfer-Encoding: chunked", "5\r\nhello\r\n");
  client->reset();
  expect_reset(*server, "");
}

TEST_P(Resets, OfAClientReachTheServerInTheMiddleOfAnUploadByLength) {
  auto server = upload("Content-Length: 10", "hello");
  client->reset();
  expect_reset(*server, "");
}

TEST_P(Resets, OfAClientReachTheServerThatIsStillAnswering) {
  start(false);
  client->send(get_request("/"));
  auto server = accept();
  server->read_through("\r\n\r\n");
  server->send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
  client->read_through("hello");
  move();
  client->reset();
  expect_reset(*server, "");
}

TEST_P(Resets, AnUploadThatEndsTooEarlyIsNoneThatLooksComplete) {
  auto server = upload("Transfer-Encoding: chunked", "5\r\nhello\r\n");
  client->half_close();
  expect_reset(*server, "");
}

TEST_P(Resets, AnUploadThatIsRefusedOnItsWayIsNoneThatLooksComplete) {
  auto server = upload("Transfer-Encoding: chunked", "5\r\nhello\r\n");
  client->send("nonsense\r\n");
  EXPECT_EQ(client->response().status(), 400);
  expect_reset(*server, "");
}

TEST_P(Resets, OfAServerReachTheClientBehindWhatCameOfItsResponse) {
  start(false);
  client->send(get_request("/"));
  auto server = accept();
  server->read_through("\r\n\r\n");
  move();
  server->send("HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\nhello");
  client->read_through("\r\n\r\n");
  server->reset();
  expect_reset(*client, "hello");
}

TEST_P(Resets, AResponseCutByAFinResetsTheClientBehindWhatCame) {
  start(false);
  client->send(get_request("/"));
  auto server = accept();
  server->read_through("\r\n\r\n");
  move();
  server->send("HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\nhello");
  server->close();
  EXPECT_EQ(client->read_through("\r\n\r\n").substr(0, 15), "HTTP/1.1 200 OK");
  expect_reset(*client, "hello");
}

TEST_P(Resets, ATunnelThatIsCutForItsSilenceDoesNotLookComplete) {
  auto server = raw_tunnel("tunnel_idle: 300ms");
  expect_reset(*client, "");
  expect_reset(*server, "");
}

TEST_P(Resets, AStopAtOnceCutsTunnelsOnBothSides) {
  auto server = raw_tunnel();
  baton->signal(SIGTERM);
  baton->await_log(std::regex("stopping \\(SIGTERM\\)"));
  baton->signal(SIGTERM);
  baton->await_exit();
  expect_reset(*client, "");
  expect_reset(*server, "");
}

// What must not become a reset: a clean end that passed through both directions.
TEST_P(Resets, NoneComesWhereBothSidesEndInGoodOrder) {
  auto server = raw_tunnel();
  client->send("last words");
  client->half_close();
  EXPECT_EQ(server->read_to_fin(), "last words");
  server->send(pattern(1'000'000));
  server->close();
  EXPECT_EQ(client->read_to_fin(), pattern(1'000'000));
}

TEST_P(Resets, NoneComesToAServerWhoseExchangeIsOver) {
  start(false);
  client->send(get_request("/", "Connection: close\r\n"));
  auto server = accept();
  server->read_through("\r\n\r\n");
  move();
  server->send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_EQ(client->response().body, "hello");
  EXPECT_EQ(server->read_to_fin(), "");
}

}  // namespace
}  // namespace baton::harness
