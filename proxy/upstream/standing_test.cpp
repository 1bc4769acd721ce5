#include "proxy/upstream/standing.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proxy/runtime/loop.hpp"
#include "proxy/state/instance_record.hpp"
#include "proxy/upstream/pool.hpp"

namespace baton::upstream {
namespace {

using state::Health;
using state::Order;
using state::ServerFacts;

std::vector<UpstreamServers> one_upstream(Registry& registry, const std::vector<std::string>& addresses,
                                          unsigned weight = 1, bool drain = false) {
  UpstreamServers upstream{.name = "app", .servers = {}};
  for (const std::string& address : addresses) {
    upstream.servers.push_back(
        {.address = {}, .weight = weight, .drain = drain, .standing = registry.standing("app", address)});
  }
  return {upstream};
}

ServerFacts ordered(Order order, std::int64_t at_ms, unsigned weight_then = 1, bool drain_then = false) {
  return {.order = order, .ordered_ms = at_ms, .weight_then = weight_then, .drain_then = drain_then};
}

TEST(Standing, OfAnUnknownServerTakesRequests) {
  Standing standing("app", "192.0.2.1:80");
  EXPECT_TRUE(standing.takes_requests(0));
  EXPECT_TRUE(standing.takes_its_clients(0));
  EXPECT_FALSE(standing.is_withdrawn());
}

TEST(Standing, ADrainedServerKeepsOnlyTheClientsThatBelongToIt) {
  Standing standing("app", "192.0.2.1:80");
  standing.configure({.weight = 1, .drain = true}, false, 0);
  EXPECT_FALSE(standing.takes_requests(0));
  EXPECT_TRUE(standing.takes_its_clients(0));
  EXPECT_TRUE(standing.is_withdrawn());
  standing.change([](ServerFacts& facts) { facts = ordered(Order::up, 5, 1, true); });
  EXPECT_TRUE(standing.takes_requests(0)) << "an order counts for more than the configuration";
}

TEST(Standing, AnOrderOutlastsTheWeightsOfNameServers) {
  Standing standing("app", "192.0.2.1:80");
  standing.configure({.weight = 20, .configured_weight = 3}, false, 0);
  standing.change([](ServerFacts& facts) { facts = ordered(Order::down, 5, 3); });
  standing.configure({.weight = 21, .configured_weight = 3}, false, 10);
  EXPECT_FALSE(standing.takes_requests(10)) << "nobody has changed the file";
  EXPECT_EQ(standing.weight(), 21u);
  standing.configure({.weight = 21, .configured_weight = 4}, false, 20);
  EXPECT_TRUE(standing.takes_requests(20));
}

TEST(Standing, AServerThatIsDownOrEjectedTakesNobody) {
  Standing standing("app", "192.0.2.1:80");
  standing.change([](ServerFacts& facts) { facts.ejected_until_ms = 100; });
  EXPECT_FALSE(standing.takes_requests(99));
  EXPECT_FALSE(standing.takes_its_clients(99));
  EXPECT_TRUE(standing.takes_requests(100));
  standing.change([](ServerFacts& facts) { facts.health = Health::down; });
  EXPECT_FALSE(standing.takes_requests(100));
  EXPECT_FALSE(standing.is_withdrawn()) << "nobody ordered it";
  standing.change([](ServerFacts& facts) {
    facts.health = Health::up;
    facts.order = Order::down;
  });
  EXPECT_FALSE(standing.takes_its_clients(100));
  EXPECT_TRUE(standing.is_withdrawn());
}

TEST(Standing, AnOrderEndsWhenTheConfigurationSaysSomethingElseThanThen) {
  Standing standing("app", "192.0.2.1:80");
  standing.configure({.weight = 2}, false, 0);
  standing.change([](ServerFacts& facts) {
    facts = ordered(Order::drain, 5, 2);
    facts.weight = 7;
  });
  standing.configure({.weight = 2}, false, 10);
  EXPECT_FALSE(standing.takes_requests(10));
  EXPECT_EQ(standing.weight(), 7U);
  standing.configure({.weight = 3}, false, 10);
  EXPECT_TRUE(standing.takes_requests(10));
  EXPECT_EQ(standing.weight(), 3U);
}

TEST(Standing, OfEachKindOfFactTheNewerOneWins) {
  Standing standing("app", "192.0.2.1:80");
  standing.change([](ServerFacts& facts) {
    facts = ordered(Order::drain, 100);
    facts.health = Health::up;
    facts.health_ms = 100;
  });
  ServerFacts theirs = ordered(Order::none, 50);
  theirs.health = Health::down;
  theirs.health_ms = 200;
  theirs.health_why = "refused";
  theirs.ejected_ms = 10;
  theirs.ejections = 3;
  standing.learn(theirs);
  EXPECT_EQ(standing.facts().order, Order::drain);
  EXPECT_EQ(standing.facts().health, Health::down);
  EXPECT_EQ(standing.facts().health_why, "refused");
  EXPECT_EQ(standing.facts().ejections, 3U);
}

TEST(Standing, AServerThatWasDownComesBackSlowly) {
  Standing standing("app", "192.0.2.1:80");
  standing.change([](ServerFacts& facts) { facts.order = Order::drain; });
  standing.change([](ServerFacts& facts) { facts.order = Order::none; });
  EXPECT_EQ(standing.slow_since_ms(), 0) << "a drained server was up";
  standing.change([](ServerFacts& facts) { facts.health = Health::down; });
  EXPECT_EQ(standing.slow_since_ms(), 0);
  standing.change([](ServerFacts& facts) { facts.health = Health::up; });
  EXPECT_NE(standing.slow_since_ms(), 0);
}

TEST(Registry, KeepsWhatItKnowsThroughAReload) {
  Registry registry;
  auto before = one_upstream(registry, {"a", "b"});
  registry.put_in_force(before, 1'000);
  registry.find("app", "a")->change([](ServerFacts& facts) { facts = ordered(Order::drain, 1'500); });
  auto after = one_upstream(registry, {"a", "c"});
  registry.put_in_force(after, 2'000);
  EXPECT_EQ(registry.find("app", "a")->facts().order, Order::drain);
  EXPECT_EQ(registry.find("app", "b"), nullptr);
  EXPECT_EQ(registry.all().size(), 2U);
}

TEST(Registry, AServerThatJoinsARunningProcessStartsSlowly) {
  Registry registry;
  auto before = one_upstream(registry, {"a"});
  registry.put_in_force(before, 1'000);
  EXPECT_EQ(registry.find("app", "a")->slow_since_ms(), 0) << "not at the start of all";
  auto after = one_upstream(registry, {"a", "b"});
  registry.put_in_force(after, 2'000);
  EXPECT_EQ(registry.find("app", "a")->slow_since_ms(), 0);
  EXPECT_EQ(registry.find("app", "b")->slow_since_ms(), 2'000);
  registry.put_in_force(after, 3'000);
  EXPECT_EQ(registry.find("app", "b")->slow_since_ms(), 2'000) << "it does not begin again";
}

metrics::Totals counted() {
  return metrics::Totals(metrics::ledger().read());
}

// Of the server "a" of "app", in the ledger of this process.
std::uint64_t requests() {
  return counted().value(metrics::series_name("server_requests_total", {{"upstream", "app"}, {"server", "a"}}));
}

// Two processes whose clocks differ, with an encoded record between them.
TEST(Registry, ASuccessorStartsWithAllThatIsKnown) {
  Registry before;
  auto upstreams = one_upstream(before, {"a", "b"});
  before.put_in_force(upstreams, 1'000);
  ServerFacts facts = ordered(Order::down, 1'100);
  facts.health = Health::down;
  facts.health_ms = 1'200;
  facts.health_why = "connection refused";
  facts.ejected_until_ms = 9'000;
  facts.ejected_ms = 1'300;
  facts.ejections = 2;
  facts.ejected_why = "5 failures";
  facts.slow_since_ms = 1'050;
  facts.weight = 9;
  before.find("app", "a")->change([&](ServerFacts& now) { now = facts; });
  ServerCounts counts;
  counts.requests = 7;
  counts.failures = 1;
  counts.latencies.add(40);
  before.find("app", "a")->add(counts, 2, 1'500);
  const state::InstanceRecord record{.servers = before.save(counted(), 500'000, 2'000)};
  const auto decoded = state::decode_instance_record(state::encode(record));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(*decoded, record);

  Registry after;
  auto theirs = one_upstream(after, {"a", "b", "new"});
  after.restore(decoded->servers, false, 499'000);
  after.put_in_force(theirs, 3'100);
  EXPECT_EQ(after.find("app", "a")->facts(), facts.shifted(1'000));
  EXPECT_EQ(after.find("app", "a")->totals(3'100).latencies.count(), 1U);
  EXPECT_EQ(after.find("app", "a")->totals(3'100).in_flight, 0) << "counted again as they are adopted";
  EXPECT_EQ(after.find("app", "b")->slow_since_ms(), 0);
  EXPECT_EQ(after.find("app", "new")->slow_since_ms(), 3'100);
  // At the end of the handover the final counts come; what was ordered here since then stays.
  after.find("app", "b")->change([](ServerFacts& now) { now = ordered(Order::drain, 3'200); });
  after.find("app", "a")->add(counts, 0, 3'200);
  before.find("app", "a")->add(counts, 0, 2'300);
  after.restore(before.save(counted(), 500'000, 2'400), false, 499'000);
  EXPECT_EQ(after.find("app", "b")->facts().order, Order::drain);
  EXPECT_EQ(after.find("app", "a")->totals(3'300).latencies.count(), 3U);
  const std::int64_t later_ms = runtime::monotonic_ms() + 60'000;
  EXPECT_EQ(after.find("app", "a")->totals(later_ms).latencies.count(), 0U) << "they are of the last minutes";
}

TEST(Registry, CountsWhatAProcessWithAnotherLedgerSays) {
  Registry after;
  auto upstreams = one_upstream(after, {"a"});
  after.put_in_force(upstreams, 1'000);
  const std::uint64_t before = requests();
  state::ServerRecord said{
      .upstream = "app", .address = "a", .facts = {}, .requests_total = 7, .failures_total = 1, .latencies = {}};
  after.restore({said}, true, 0);
  EXPECT_EQ(requests(), before + 7);
  said.requests_total = 10;
  after.restore({said}, true, 0);
  EXPECT_EQ(requests(), before + 10) << "only what came since";
  after.restore({said}, false, 0);
  EXPECT_EQ(requests(), before + 10);
  state::ServerRecord returned = said;
  returned.requests_total = 14;
  after.add_counted({returned}, {said}, true, 0);
  EXPECT_EQ(requests(), before + 14);
  after.add_counted({returned}, {said}, false, 0);
  EXPECT_EQ(requests(), before + 14) << "it has counted in our ledger";
}

// A name server may leave an address out of an answer.
TEST(Registry, AnOrderSurvivesThatItsServerIsAbsentForAWhile) {
  struct Process {
    Registry registry{};
    bool follows_names = true;
    std::vector<UpstreamServers> in_force{};

    // The order that `a` has then; `up`: there is no `a`.
    Order at(std::int64_t now_ms, const std::vector<std::string>& addresses) {
      auto next = one_upstream(registry, addresses);
      next.front().follows_names = follows_names;
      registry.put_in_force(next, now_ms);
      in_force = std::move(next);
      const auto standing = registry.find("app", "a");
      return standing ? standing->facts().order : Order::up;
    }
    void begin() {
      EXPECT_EQ(at(1'000, {"a", "b"}), Order::none);
      registry.find("app", "a")->change([](ServerFacts& now) { now = ordered(Order::down, 1'100); });
    }
  };
  Process process;
  process.begin();
  EXPECT_EQ(process.at(2'000, {"b"}), Order::up);
  EXPECT_EQ(process.registry.all().size(), 1U) << "it is not shown";
  EXPECT_EQ(process.at(3'000, {"a", "b"}), Order::down);
  EXPECT_EQ(process.at(4'000, {"b"}), Order::up);
  EXPECT_EQ(process.at(4'000 + 3'600'000, {"a", "b"}), Order::none) << "by then the address may be another server's";

  Process before, after;
  before.begin();
  EXPECT_EQ(before.at(2'000, {"b"}), Order::up);
  after.registry.restore(before.registry.save({}, 0, 2'000), false, 0);
  EXPECT_EQ(after.at(3'000, {"b"}), Order::up);
  EXPECT_EQ(after.at(4'000, {"a", "b"}), Order::down) << "also if an upgrade comes in between";

  Process by_file{.follows_names = false};
  by_file.begin();
  EXPECT_EQ(by_file.at(2'000, {"b"}), Order::up);
  EXPECT_EQ(by_file.at(3'000, {"a", "b"}), Order::none) << "a file that leaves a server out means it";
}

TEST(Latencies, ShowTheStepInWhichAShareEnds) {
  Latencies latencies;
  EXPECT_EQ(latencies.quantile_ms(0.5), 0U);
  for (int i = 0; i < 98; ++i) latencies.add(0);
  latencies.add(5);
  latencies.add(1'000);
  EXPECT_EQ(latencies.quantile_ms(0.5), 1U);
  EXPECT_EQ(latencies.quantile_ms(0.99), 6U);
  EXPECT_EQ(latencies.quantile_ms(1), 1'024U);
  for (const std::int64_t elapsed : {0, 1, 2, 3, 5, 6, 11, 12, 100, 5'000}) {
    Latencies one;
    one.add(elapsed);
    EXPECT_GT(one.quantile_ms(1), static_cast<std::uint64_t>(elapsed));
    EXPECT_LE(one.quantile_ms(1), static_cast<std::uint64_t>(2 * elapsed + 1));
  }
}

TEST(Latencies, AreThoseOfTheLastOneOrTwoMinutes) {
  Standing standing("app", "a");
  ServerCounts counts;
  counts.latencies.add(3);
  standing.add(counts, 0, 0);
  EXPECT_EQ(standing.totals(59'000).latencies.count(), 1U);
  EXPECT_EQ(standing.totals(61'000).latencies.count(), 1U);
  EXPECT_EQ(standing.totals(122'000).latencies.count(), 0U);
}

}  // namespace
}  // namespace baton::upstream
