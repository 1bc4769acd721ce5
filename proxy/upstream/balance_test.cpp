#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proxy/state/failed_servers.hpp"
#include "proxy/upstream/pool.hpp"

namespace baton::upstream {
namespace {

using config::Balance;
using state::Order;
using state::ServerFacts;

state::SocketAddress address(std::uint8_t last) {
  state::SocketAddress address;
  address.family = state::Family::ipv4;
  address.port = 80;
  address.ip = {192, 0, 2, last};
  return address;
}

UpstreamServers servers(std::vector<ServerAddress> of, config::Balancing balancing = {}) {
  UpstreamServers servers{.name = "app", .servers = std::move(of), .balancing = std::move(balancing)};
  for (std::size_t i = 0; i < servers.servers.size(); ++i) {
    servers.servers[i].address = address(static_cast<std::uint8_t>(i + 1));
  }
  return servers;
}
UpstreamServers servers(std::size_t count, Balance balance) {
  return servers(std::vector<ServerAddress>(count), {.balance = balance});
}

int number(const Server* server) {
  return server != nullptr ? server->address.ip[3] : 0;
}
int chosen(Upstream& upstream, std::int64_t now_ms = 0, const Affinity& affinity = {},
           std::vector<const Server*> failed = {}) {
  return number(upstream.choose(now_ms, affinity, failed).server);
}
std::string turns(Upstream& upstream, int count, std::int64_t now_ms = 0) {
  std::string turns;
  for (int i = 0; i < count; ++i) turns += std::to_string(chosen(upstream, now_ms));
  return turns;
}
Server& at(Upstream& upstream, int last) {
  return *upstream.find(address(static_cast<std::uint8_t>(last)));
}
void order(Upstream& upstream, int server, Order given) {
  at(upstream, server).standing->change([&](ServerFacts& facts) { facts.order = given; });
}
void eject(Upstream& upstream, int server, std::int64_t until_ms) {
  at(upstream, server).standing->change([&](ServerFacts& facts) { facts.ejected_until_ms = until_ms; });
}

// ── Who is available ──────────────────────────────────────────────────────────────────────────────────────────────

// As in HAProxy: a cookie outlives what made the backup necessary.
TEST(Balance, TheClientOfABackupStaysThere) {
  Upstream upstream(servers({{}, {}, {.backup = true}}, {.sticky = config::Sticky{}}));
  const Affinity of_backup{.sticky = at(upstream, 3).tag};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(chosen(upstream, 0, of_backup), 3);
  order(upstream, 3, Order::down);
  EXPECT_NE(chosen(upstream, 0, of_backup), 3);
}

TEST(Balance, TheServersThatAnExchangeHasFailedOnAreFoundByTheirAddresses) {
  Upstream upstream(servers(3, Balance::round_robin));
  state::Exchange exchange;
  EXPECT_TRUE(upstream.failed_of(exchange).empty());
  for (const int last : {3, 9, 1}) state::note_failed(exchange, address(static_cast<std::uint8_t>(last)));
  EXPECT_EQ(upstream.failed_of(exchange), (std::vector<const Server*>{&at(upstream, 3), &at(upstream, 1)}));
}

TEST(Balance, BackupServersWaitUntilNoOtherIsAvailable) {
  Upstream upstream(servers({{}, {}, {.backup = true}}));
  EXPECT_EQ(turns(upstream, 4), "1212");
  eject(upstream, 1, 100);
  EXPECT_EQ(turns(upstream, 2), "22");
  order(upstream, 2, Order::down);
  EXPECT_EQ(turns(upstream, 2), "33");
  EXPECT_EQ(turns(upstream, 1, 100), "1") << "the ejection is over";
}

TEST(Balance, ServersThatFailedLatelyComeAfterTheBackups) {
  Upstream upstream(servers({{}, {.backup = true}}));
  at(upstream, 1).note_failure(0);
  EXPECT_EQ(chosen(upstream, 1), 2);
  at(upstream, 2).note_failure(0);
  EXPECT_EQ(chosen(upstream, 1), 1);
}

TEST(Balance, WhereARequestHasFailedComesAfterTheBackups) {
  Upstream upstream(servers({{}, {}, {.backup = true}}));
  const Server* const one = &at(upstream, 1);
  const Server* const two = &at(upstream, 2);
  const Server* const backup = &at(upstream, 3);
  EXPECT_EQ(upstream.servers(0), 3u);
  EXPECT_EQ(chosen(upstream, 0, {}, {one}), 2);
  EXPECT_EQ(chosen(upstream, 0, {}, {one, two}), 3);
  EXPECT_EQ(chosen(upstream, 0, {}, {two, one}), 3);
  EXPECT_EQ(chosen(upstream, 0, {}, {one, backup, two}), 1) << "the last one comes last";
  EXPECT_EQ(chosen(upstream, 0, {}, {backup, two, one}), 2);
}

TEST(Balance, WhenNoneIsUpTriesAllThatNobodyTookOut) {
  Upstream upstream(servers({{}, {}, {}}));
  for (const int server : {1, 2}) eject(upstream, server, 100);
  order(upstream, 3, Order::drain);
  EXPECT_EQ(turns(upstream, 4), "1212");
  for (const int server : {1, 2}) order(upstream, server, Order::down);
  const Upstream::Choice choice = upstream.choose(0);
  EXPECT_EQ(choice.server, nullptr);
  EXPECT_FALSE(choice.is_full);
}

TEST(Balance, WhenNoneIsUpRefusesIfToldSo) {
  Upstream upstream(servers({{}}, {.when_none_is_up = config::WhenNoneIsUp::refuse}));
  EXPECT_EQ(chosen(upstream), 1);
  eject(upstream, 1, 100);
  EXPECT_EQ(chosen(upstream), 0);
}

TEST(Balance, WhereARequestHasFailedItGoesOnlyIfThereIsNoOther) {
  Upstream upstream(servers(2, Balance::round_robin));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(chosen(upstream, 0, {}, {&at(upstream, 1)}), 2);
  order(upstream, 2, Order::down);
  EXPECT_EQ(chosen(upstream, 0, {}, {&at(upstream, 1)}), 1);
}

TEST(Balance, AFullServerIsPassedOver) {
  Upstream upstream(servers({{.max_connections = 1}, {.max_connections = 2}}));
  EXPECT_TRUE(at(upstream, 1).may_begin());
  EXPECT_FALSE(at(upstream, 1).may_begin());
  EXPECT_EQ(turns(upstream, 2), "22");
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(at(upstream, 2).may_begin());
  EXPECT_TRUE(upstream.choose(0).is_full);
  at(upstream, 1).end_exchange();
  EXPECT_EQ(chosen(upstream), 1);
}

// ── Policies ──────────────────────────────────────────────────────────────────────────────────────────────────────

TEST(Balance, AWeightByOrderCounts) {
  Upstream upstream(servers({{.weight = 1}, {.weight = 1}}));
  at(upstream, 1).standing->change([](ServerFacts& facts) { facts.weight = 3; });
  EXPECT_EQ(turns(upstream, 8), "11211121");
}

TEST(Balance, ASlowStartGrowsFromLittleToTheWholeShare) {
  Upstream upstream(servers({{}, {}}, {.slow_start = std::chrono::seconds(10)}));
  at(upstream, 2).standing->change([](ServerFacts& facts) { facts.slow_since_ms = 1'000; });
  const auto share = [&](std::int64_t now_ms) {
    int count = 0;
    for (int i = 0; i < 1'000; ++i) count += chosen(upstream, now_ms) == 2 ? 1 : 0;
    return count;
  };
  EXPECT_LE(share(1'000), 10);
  EXPECT_NEAR(share(6'000), 333, 5);
  EXPECT_NEAR(share(11'000), 500, 5);
}

TEST(Balance, LeastConnectionsChoosesTheLeastLoadedForItsWeight) {
  Upstream upstream(servers({{.weight = 2}, {.weight = 1}}, {.balance = Balance::least_connections}));
  std::map<int, int> in_flight;
  for (int i = 0; i < 30; ++i) {
    Server& server = *upstream.choose(0).server;
    server.begin_exchange();
    ++in_flight[number(&server)];
  }
  EXPECT_EQ(in_flight[1], 20);
  for (int i = 0; i < 10; ++i) at(upstream, 2).end_exchange();
  EXPECT_EQ(turns(upstream, 3), "222") << "nothing begins";
}

// Both are of one server, as two workers see it.
TEST(Balance, LeastConnectionsCountsThoseOfOtherWorkers) {
  UpstreamServers of = servers(2, Balance::least_connections);
  for (ServerAddress& server : of.servers) {
    server.standing = std::make_shared<Standing>("app", server.address.text());
    server.standing->configure({}, false, 0);
  }
  Upstream here(of);
  Upstream there(of);
  at(there, 1).begin_exchange();
  EXPECT_EQ(turns(here, 3), "222");
  at(there, 1).end_exchange();
  EXPECT_NE(turns(here, 2).find('1'), std::string::npos);
}

TEST(Balance, RandomTwoSparesTheLoadedServer) {
  Upstream upstream(servers(4, Balance::random_two));
  for (int i = 0; i < 10; ++i) at(upstream, 3).begin_exchange();
  std::map<int, int> counts;
  for (int i = 0; i < 3'000; ++i) ++counts[chosen(upstream)];
  EXPECT_EQ(counts[3], 0) << "it is never the better of two";
  for (const int other : {1, 2, 4}) EXPECT_NEAR(counts[other], 1'000, 200);
}

TEST(Balance, RandomTwoGoesByWeight) {
  Upstream upstream(servers({{.weight = 8}, {.weight = 1}, {.weight = 1}}, {.balance = Balance::random_two}));
  std::map<int, int> counts;
  for (int i = 0; i < 5'000; ++i) ++counts[chosen(upstream)];
  EXPECT_GT(counts[1], 3'500);
  EXPECT_GT(counts[2], 0);
}

std::map<std::uint64_t, int> map_of(Upstream& upstream, std::uint64_t hashes) {
  std::map<std::uint64_t, int> map;
  for (std::uint64_t hash = 1; hash <= hashes; ++hash) map[hash] = chosen(upstream, 0, {.hash = runtime::mix(hash)});
  return map;
}

TEST(Balance, AHashAlwaysGoesToTheSameServer) {
  Upstream upstream(servers({{.weight = 2}, {}, {}, {}}, {.balance = Balance::hash}));
  const auto map = map_of(upstream, 5'000);
  EXPECT_EQ(map_of(upstream, 5'000), map);
  std::map<int, int> counts;
  for (const auto& [hash, server] : map) ++counts[server];
  EXPECT_NEAR(counts[1], 2'000, 200);
  for (const int other : {2, 3, 4}) EXPECT_NEAR(counts[other], 1'000, 150);
}

TEST(Balance, AServerThatLeavesMovesOnlyItsShare) {
  Upstream upstream(servers(5, Balance::hash));
  const auto before = map_of(upstream, 5'000);
  order(upstream, 3, Order::drain);
  const auto after = map_of(upstream, 5'000);
  std::map<int, int> moved;
  for (const auto& [hash, server] : before) {
    if (server == 3) {
      ++moved[after.at(hash)];
    } else {
      EXPECT_EQ(after.at(hash), server);
    }
  }
  for (const int other : {1, 2, 4, 5}) EXPECT_NEAR(moved[other], 250, 80);
}

TEST(Balance, AHashThatAllShareDoesNotOverloadItsServer) {
  Upstream upstream(servers(4, Balance::hash));
  for (int i = 0; i < 100; ++i) upstream.choose(0, {.hash = 42}).server->begin_exchange();
  for (int server = 1; server <= 4; ++server) {
    EXPECT_LE(at(upstream, server).in_flight(), 32) << "a quarter of 100, and a quarter of that more";
  }
}

TEST(Balance, RequestsWithoutWhatIsHashedTakeTurns) {
  Upstream upstream(servers(3, Balance::hash));
  EXPECT_EQ(turns(upstream, 6), "123123");
}

// ── Sticky clients ────────────────────────────────────────────────────────────────────────────────────────────────

TEST(Balance, AStickyClientStaysUntilItsServerIsDown) {
  Upstream upstream(servers(3, Balance::round_robin));
  const Affinity theirs{.sticky = at(upstream, 2).tag};
  for (int i = 0; i < 5; ++i) EXPECT_EQ(chosen(upstream, 0, theirs), 2);
  order(upstream, 2, Order::drain);
  EXPECT_EQ(chosen(upstream, 0, theirs), 2) << "a drained server keeps its clients";
  EXPECT_EQ(turns(upstream, 3).find('2'), std::string::npos);
  order(upstream, 2, Order::down);
  EXPECT_NE(chosen(upstream, 0, theirs), 2);
  EXPECT_NE(chosen(upstream, 0, {.sticky = 12345}), 0) << "a cookie that is none of ours";
}

TEST(Balance, ATagIsTheSameForTheSameKeyOnly) {
  const auto registry = std::make_shared<Registry>();
  UpstreamServers of = servers(2, Balance::round_robin);
  of.registry = registry;
  Upstream one(of);
  Upstream again(of);
  EXPECT_EQ(at(one, 1).tag, at(again, 1).tag);
  EXPECT_NE(at(one, 1).tag, at(one, 2).tag);
  of.registry = std::make_shared<Registry>();
  Upstream other(of);
  EXPECT_NE(at(one, 1).tag, at(other, 1).tag);
}

}  // namespace
}  // namespace baton::upstream
