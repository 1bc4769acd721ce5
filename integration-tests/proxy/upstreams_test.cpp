// Which server a request goes to, over which connection, and what happens when servers fail.
#include <gtest/gtest.h>

#include <list>

#include "harness/baton.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

Settings servers(std::vector<Server> list) {
  Settings settings;
  settings.servers = std::move(list);
  settings.workers = 1;  // one balancer, so that counts are exact
  return settings;
}

TEST(Balancing, RoundRobinFollowsTheWeights) {
  Origin heavy, light;
  Baton baton(servers({{heavy.address(), 2}, {light.address(), 1}}));
  Client client = baton.connect();
  for (int i = 0; i < 30; ++i) EXPECT_EQ(client.get("/bytes/1").status(), 200);
  EXPECT_EQ(heavy.requests().size(), 20u);
  EXPECT_EQ(light.requests().size(), 10u);
}

TEST(Balancing, ADeadServerIsPassedOver) {
  Origin live;
  Baton baton(servers({{loopback(free_port()), 1}, {live.address(), 1}}));
  Client client = baton.connect();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(client.get("/bytes/1").status(), 200);
  EXPECT_EQ(client.post("/count", "ABC").body, "3 as sent") << "no byte was sent to the dead one, so a POST may go on";
  EXPECT_EQ(live.requests().size(), 11u);
}

TEST(Balancing, AServerThatDiesIsReplacedByTheOther) {
  Origin first, second;
  Baton baton(servers({{first.address(), 1}, {second.address(), 1}}));
  Client client = baton.connect();
  for (int i = 0; i < 4; ++i) EXPECT_EQ(client.get("/bytes/1").status(), 200);
  first.refuse();
  first.close_idle_connections();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(client.get("/bytes/1").status(), 200);
  EXPECT_EQ(first.requests().size(), 2u);
}

TEST(Balancing, AllDeadIs502AndTheConnectionGoesOn) {
  Baton baton(servers({{loopback(free_port()), 1}, {loopback(free_port()), 1}}));
  Client client = baton.connect();
  EXPECT_EQ(client.get("/").status(), 502);
}

class Pool : public testing::Test {
 protected:
  Origin origin;
  Baton baton{servers({{origin.address(), 1}})};
  Client client = baton.connect();
};

TEST_F(Pool, IsSharedByTheClientsOfAThread) {
  client.get("/bytes/1");
  Client other = baton.connect();
  other.get("/bytes/1");
  EXPECT_EQ(origin.accepted(), 1u);
}

TEST_F(Pool, KeepsAsManyIdleConnectionsAsThereAreClientsAndSomeForABurst) {
  constexpr int many = 100, some = 80, kept_for_a_burst = 64;
  std::list<Client> clients;
  for (int i = 0; i < many; ++i) clients.emplace_back(baton.address()).send(get_request("/held"));
  origin.gate().await_arrivals(many);
  origin.gate().open();
  for (Client& one : clients) EXPECT_EQ(one.response().body, "held");
  baton.await_number("upstream_idle", many);
  client.close();
  for (const int left : {some, 1}) {
    while (clients.size() > static_cast<std::size_t>(left)) clients.pop_back();
    const int kept = std::max(left, kept_for_a_burst);
    baton.await_number("upstream_idle", kept);
    origin.await_open_connections(static_cast<std::size_t>(kept));
  }
  EXPECT_EQ(clients.front().get("/bytes/1").body, pattern(1));
}

TEST_F(Pool, AStaleConnectionIsNoticedOrRetried) {
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(client.get("/bytes/10").body, pattern(10));
    origin.close_idle_connections();
    EXPECT_EQ(client.post("/count", "ABC").body, "3 as sent");
    origin.close_idle_connections();
  }
}

// The origin closes just as the request arrives: the proxy cannot know whether it was served.
TEST_F(Pool, AGetThatWasLostOnAReusedConnectionIsSentAgain) {
  origin.on("/lost-when-reused", [](Exchange& exchange) {
    exchange.first_on_connection ? exchange.respond("fresh") : void(exchange.close = true);
  });
  client.get("/bytes/1");
  EXPECT_EQ(client.get("/lost-when-reused").body, "fresh");
  EXPECT_EQ(origin.requests().size(), 3u);
}

TEST_F(Pool, APostThatWasLostIs502AndNeverSentTwice) {
  client.get("/bytes/1");
  EXPECT_EQ(client.post("/vanish", "ABC").status(), 502);
  EXPECT_EQ(origin.requests().size(), 2u);
}

TEST_F(Pool, AConnectionWithBytesNobodyAskedForIsNotUsedAgain) {
  origin.on_raw("/too-much",
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nAHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
  EXPECT_EQ(client.get("/too-much").body, "A");
  EXPECT_EQ(client.get("/bytes/2").body, "AB");
}

TEST_F(Pool, ConnectionCloseOfTheOriginIsNotTheClients) {
  origin.on("/last", [](Exchange& exchange) {
    exchange.respond("x", "200 OK", "Connection: close\r\n");
    exchange.close = true;
  });
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(client.get("/last").field("Connection"));
  EXPECT_EQ(origin.accepted(), 3u);
}

}  // namespace
}  // namespace baton::harness
