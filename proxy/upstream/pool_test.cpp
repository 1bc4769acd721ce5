#include "proxy/upstream/pool.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proxy/upstream/connector.hpp"

namespace baton::upstream {
namespace {

state::SocketAddress address(std::uint8_t last) {
  state::SocketAddress address;
  address.family = state::Family::ipv4;
  address.port = 80;
  address.ip = {192, 0, 2, last};
  return address;
}

UpstreamServers servers(std::vector<unsigned> weights) {
  UpstreamServers servers{.name = "app", .servers = {}};
  for (const unsigned weight : weights) {
    servers.servers.push_back({address(static_cast<std::uint8_t>(servers.servers.size() + 1)), weight});
  }
  return servers;
}

// The server whose turn it is, as the last number of its address.
std::string turns(Upstream& upstream, int count, std::int64_t now_ms = 0) {
  std::string turns;
  for (int i = 0; i < count; ++i) turns += std::to_string(upstream.choose(now_ms).server->address.ip[3]);
  return turns;
}

TEST(Upstream, TakesServersInTurnByWeightAndSmoothly) {
  Upstream one(servers({1}));
  EXPECT_EQ(turns(one, 3), "111");
  Upstream equal(servers({1, 1, 1}));
  EXPECT_EQ(turns(equal, 6), "123123");
  Upstream weighted(servers({5, 1, 1}));
  EXPECT_EQ(turns(weighted, 14), "11213111121311");
}

TEST(Upstream, PassesOverWhoFailedLatelyUnlessAllDid) {
  Upstream upstream(servers({1, 1}));
  upstream.find(address(1))->note_failure(0);
  EXPECT_EQ(turns(upstream, 3, 1), "222");
  upstream.find(address(2))->note_failure(0);
  EXPECT_EQ(turns(upstream, 4, 1).find_first_not_of("12"), std::string::npos);
  upstream.find(address(1))->note_success();
  EXPECT_EQ(turns(upstream, 3, 1), "111");
  EXPECT_NE(turns(upstream, 4, 60'000).find('2'), std::string::npos) << "a failure is forgotten";
}

class PoolTest : public testing::Test, public runtime::SocketOwner {
 protected:
  void on_ready(runtime::Socket&) override {}

  // An idle connection, and the server's end of it.
  IdleConnection connection(handoff::UniqueFd& theirs, std::int64_t since_ms) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    theirs = handoff::UniqueFd(ends[1]);
    IdleConnection idle{std::make_unique<tls::Stream>(loop, handoff::UniqueFd(ends[0]), *this),
                        state::UpstreamLeg{}, since_ms};
    EXPECT_TRUE(idle.stream->watch());
    return idle;
  }
  void run_events() {
    while (loop.run_one(0)) {
    }
  }

  runtime::Loop loop;
  Pool pool{loop, {servers({1, 1})}};
  Server& server = *pool.find("app")->find(address(1));
};

TEST_F(PoolTest, GivesTheOneThatWasUsedLast) {
  handoff::UniqueFd theirs[2];
  for (int i = 0; i < 2; ++i) pool.give(server, connection(theirs[i], 100 * i));
  EXPECT_EQ(pool.idle(), 2U);
  const IdleConnection taken = pool.take(server, 200, 0);
  ASSERT_NE(taken.stream, nullptr);
  ASSERT_EQ(::send(theirs[1].get(), "x", 1, MSG_NOSIGNAL), 1);
  state::Buffer received;
  EXPECT_EQ(taken.stream->socket().receive(received, 1), runtime::Io::done);
  EXPECT_EQ(pool.take(*pool.find("app")->find(address(2)), 200, 0).stream, nullptr) << "each server has its own";
  EXPECT_NE(pool.take(server, 200, 0).stream, nullptr);
  EXPECT_EQ(pool.take(server, 200, 0).stream, nullptr);
  EXPECT_EQ(pool.idle(), 0U);
}

TEST_F(PoolTest, GivesForWhatMustNotBeSentTwiceOnlyOneThatIsOpenAndWasUsedLately) {
  handoff::UniqueFd theirs[3];
  pool.give(server, connection(theirs[0], 0));
  EXPECT_EQ(pool.take(server, 1'000, 1'000).stream, nullptr) << "idle for too long";
  EXPECT_EQ(pool.idle(), 1U);
  pool.give(server, connection(theirs[1], 900));
  pool.give(server, connection(theirs[2], 950));
  theirs[2].reset();
  const IdleConnection taken = pool.take(server, 1'000, 1'000);
  ASSERT_NE(taken.stream, nullptr) << "the one that has ended is passed over";
  EXPECT_TRUE(taken.stream->socket().is_quiet());
  EXPECT_EQ(pool.idle(), 1U);
}

TEST_F(PoolTest, ClosesWhatEndsOrSpeaksOutOfTurn) {
  handoff::UniqueFd theirs[3];
  for (auto& end : theirs) pool.give(server, connection(end, 0));
  run_events();
  EXPECT_EQ(pool.idle(), 3U);
  theirs[0].reset();
  ASSERT_EQ(::send(theirs[1].get(), "x", 1, MSG_NOSIGNAL), 1);
  run_events();
  EXPECT_EQ(pool.idle(), 1U);
  char byte;
  EXPECT_LE(::recv(theirs[1].get(), &byte, 1, 0), 0) << "it is closed";
}

TEST_F(PoolTest, ClosesWhatGrowsOld) {
  handoff::UniqueFd theirs[2];
  pool.give(server, connection(theirs[0], 0));
  pool.give(server, connection(theirs[1], 500));
  pool.expire(1'000, 1'000);
  EXPECT_EQ(pool.idle(), 1U);
  char byte;
  EXPECT_EQ(::recv(theirs[0].get(), &byte, 1, 0), 0);
}

TEST_F(PoolTest, LetsEachLeaveOnceForAHandover) {
  handoff::UniqueFd theirs[2];
  pool.give(server, connection(theirs[0], 7));
  pool.give(*pool.find("app")->find(address(2)), connection(theirs[1], 8));
  std::map<int, std::int64_t> left;
  for (Pool::Leaving leaving; pool.leave_one(leaving);) {
    EXPECT_EQ(leaving.upstream, "app");
    EXPECT_TRUE(leaving.connection.stream->socket().is_open());
    left[leaving.server.ip[3]] = leaving.connection.since_ms;
  }
  EXPECT_EQ(left, (std::map<int, std::int64_t>{{1, 7}, {2, 8}}));
  EXPECT_EQ(pool.idle(), 0U);
}

TEST_F(PoolTest, KeepsTheOrderThroughAHandoverWhateverComesFirst) {
  handoff::UniqueFd theirs[4];
  Pool next{loop, {servers({1, 1})}};
  Server& there = *next.find("app")->find(address(1));
  for (int i = 0; i < 3; ++i) pool.give(server, connection(theirs[i], 100 * i));
  next.give(there, connection(theirs[3], 150));        // used there before the others came
  for (Pool::Leaving leaving; pool.leave_one(leaving);) next.give(there, std::move(leaving.connection));
  std::vector<std::int64_t> order;
  for (IdleConnection taken; (taken = next.take(there, 200, 0)).stream;) order.push_back(taken.since_ms);
  EXPECT_EQ(order, (std::vector<std::int64_t>{200, 150, 100, 0})) << "the others grow old";
}

TEST_F(PoolTest, AdoptsOnlyAsManyAsNobodyHadToConnectForMeanwhile) {
  handoff::UniqueFd theirs[3];
  EXPECT_EQ(pool.take(server, 0, 0).stream, nullptr);
  pool.begin_adopting();
  EXPECT_EQ(pool.take(server, 0, 0).stream, nullptr) << "which is connected";
  for (int i = 0; i < 3; ++i) pool.adopt(server, connection(theirs[i], i));
  EXPECT_EQ(pool.idle(), 2U);
  char byte;
  EXPECT_EQ(::recv(theirs[0].get(), &byte, 1, 0), 0) << "the one too many is closed";
}

TEST_F(PoolTest, KeepsThroughANewConfigurationWhatIsStillInIt) {
  handoff::UniqueFd theirs[2];
  pool.give(server, connection(theirs[0], 0));
  pool.give(*pool.find("app")->find(address(2)), connection(theirs[1], 0));
  pool.update({servers({1})});
  EXPECT_EQ(pool.idle(), 1U);
  EXPECT_NE(pool.take(*pool.find("app")->find(address(1)), 0, 0).stream, nullptr);
  EXPECT_EQ(pool.find("app")->find(address(2)), nullptr);
  char byte;
  EXPECT_EQ(::recv(theirs[1].get(), &byte, 1, 0), 0) << "nobody would use it any more";
  pool.update({});
  EXPECT_EQ(pool.find("app"), nullptr);
}

TEST_F(PoolTest, SettlesWhatWasCountedOnce) {
  server.begin_exchange();
  server.begin_exchange();
  server.end_exchange();
  server.counts.requests = 2;
  pool.find("app")->counts.retries.add(3);
  const std::string name =
      metrics::series_name("server_requests_total", {{"upstream", "app"}, {"server", server.address.text()}});
  const auto counted = [](std::string_view series) { return metrics::Totals(metrics::ledger().read()).value(series); };
  const std::uint64_t before = counted(name);
  pool.settle(0);
  pool.settle(0);
  EXPECT_EQ(counted(name), before + 2);
  EXPECT_EQ(counted(R"(upstream_retries_total{upstream="app"})"), 3U);
  EXPECT_EQ(server.standing->totals(0).in_flight, 1);
  const auto standing = server.standing;
  pool.update({});
  pool.forget_replaced();
  EXPECT_EQ(standing->totals(0).in_flight, 0) << "a server that is gone counts nothing any more";
}

TEST(Connector, SaysAtOnceWhatCannotBeConnected) {
  state::SocketAddress nowhere;
  nowhere.family = state::Family::unix_path;
  nowhere.path = "/nonexistent/baton.sock";
  const Connecting attempt = begin_connect(nowhere);
  EXPECT_FALSE(attempt.socket);
  EXPECT_EQ(attempt.error, ENOENT);
  EXPECT_FALSE(begin_connect({}).socket) << "an address of no family";
}

}  // namespace
}  // namespace baton::upstream
