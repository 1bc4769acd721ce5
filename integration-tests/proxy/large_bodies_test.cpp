// Bodies far larger than any buffer, in both directions, with little memory, and with readers that do not read.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <future>
#include <list>

#include "harness/baton.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

constexpr std::size_t large_bytes = 50 << 20;
// The buffers of a few connections, with ample room for an allocator and a sanitizer.
constexpr std::size_t growth_bytes_max = 24 << 20;

class LargeBodies : public testing::Test {
 protected:
  LargeBodies() {
    client.get("/bytes/100000");
    before = resident_bytes(baton.pid());
  }
  void expect_bounded_memory() { EXPECT_LT(resident_bytes(baton.pid()), before + growth_bytes_max); }

  Origin origin;
  Baton baton{Settings(origin.address())};
  Client client = baton.connect();
  std::size_t before = 0;
};

TEST_F(LargeBodies, GoDownWhole) {
  EXPECT_TRUE(client.get("/bytes/" + std::to_string(large_bytes)).body == pattern(large_bytes));
  expect_bounded_memory();
  EXPECT_TRUE(client.get("/chunked/5000000").body == pattern(5'000'000));
  expect_bounded_memory();
}

TEST_F(LargeBodies, GoUpWhole) {
  EXPECT_EQ(client.post("/count", pattern(large_bytes)).body, std::to_string(large_bytes) + " as sent");
  expect_bounded_memory();
  std::string body = pattern(5'000'000), chunks;
  for (std::size_t at = 0; at < body.size(); at += 7001) chunks += chunk(body.substr(at, 7001));
  client.send("POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks +
              std::string(last_chunk));
  EXPECT_EQ(client.response().body, "5000000 as sent");
  expect_bounded_memory();
}

TEST_F(LargeBodies, AReaderThatDoesNotReadStopsTheOrigin) {
  constexpr std::size_t bytes = 100 << 20;
  client.send(get_request("/bytes/" + std::to_string(bytes)));
  const std::size_t sent = await_standstill([this] { return origin.bytes_sent(); }, "the origin");
  EXPECT_LT(sent, bytes / 2) << "somebody keeps what the client does not take";
  expect_bounded_memory();
  EXPECT_TRUE(client.response().body == pattern(bytes));
}

TEST_F(LargeBodies, AnOriginThatDoesNotReadStopsTheClient) {
  constexpr std::size_t bytes = 100 << 20;
  origin.on("/later", [](Exchange& exchange) {
    exchange.origin.gate().pass();
    exchange.read_body();
    exchange.respond(exchange.request.body == pattern(bytes) ? "as sent" : "changed");
  });
  auto sending = std::async(std::launch::async, [this] { client.send(post_request("/later", pattern(bytes))); });
  origin.gate().await_arrivals(1);
  const std::size_t sent = await_standstill([this] { return client.bytes_sent(); }, "the client");
  EXPECT_LT(sent, bytes / 2);
  expect_bounded_memory();
  origin.gate().open();
  sending.get();
  EXPECT_EQ(client.response().body, "as sent");
}

TEST_F(LargeBodies, ManyAtOnce) {
  std::list<Client> clients;
  for (int i = 0; i < 40; ++i) clients.emplace_back(baton.address()).send(get_request("/bytes/1000000"));
  for (Client& one : clients) EXPECT_TRUE(one.response().body == pattern(1'000'000));
}

// One write takes 64 KiB, and the kernel tells of nothing more while it takes everything.
TEST(LargePieces, OfWhichOneWriteTakesAPartAreSentWhole) {
  const Origin origin;
  Settings settings(origin.address());
  settings.limits = "head_bytes: 1m, buffer_bytes: 1m";
  const Baton baton(settings);
  Client client = baton.connect();
  EXPECT_EQ(client.get("/bytes/3", "X-Large: " + std::string(200'000, 'x') + "\r\n").body, pattern(3));
  EXPECT_EQ(client.get("/bytes/4", "X-Large: " + std::string(900'000, 'x') + "\r\n").body, pattern(4));
}

TEST(LargePieces, OfATunnelWhoseClientReadsLateArriveWithoutAnotherByte) {
  constexpr std::size_t bytes = 3 << 20;
  const Origin origin;
  Settings settings(origin.address());
  settings.limits = "buffer_bytes: 1m";
  const Baton baton(settings);
  Client client = baton.connect();
  const int small = 64 << 10;
  ::setsockopt(client.fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  const auto status =
      client.get("/websocket", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n").status();
  ASSERT_EQ(status, 101);
  client.send(pattern(bytes));
  EXPECT_TRUE(client.read_exactly(bytes) == pattern(bytes));
}

}  // namespace
}  // namespace baton::harness
