// Requests over their rates, in one process and over many: a rate neither doubles nor begins anew.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <list>
#include <regex>
#include <thread>

#include "ctl/ctl.hpp"
#include "harness/log_lines.hpp"
#include "supervise/supervised.hpp"
#include "takeover/taker.hpp"

namespace baton::harness {
namespace {

// The next request after a burst passes in an hour, which no test waits for.
std::string an_hour(int burst, const std::string& more = "") {
  return "rate_limit: { requests: 1, per: 1h, burst: " + std::to_string(burst) + more + " }";
}

std::string routes(const std::string& keys) {
  return "routes: [ { upstream: web, " + keys + " } ]\n";
}

class Requests : public testing::Test {
 protected:
  static Settings with(const Origin& origin, const std::string& keys) {
    Settings settings(origin.address());
    settings.own_binary = true;
    settings.workers = 4;
    settings.handoff += ", finish_timeout: 50ms";
    settings.log = "access: { path: \"-\", format: json }";
    settings.more = routes(keys);
    return settings;
  }
  Settings again(const Baton& baton, const std::string& keys) const {
    Settings settings = with(origin, keys);
    settings.binds = {baton.address()};
    return settings;
  }
  // How many of the requests pass; each that does not gets 429 on a connection that goes on.
  static int count(Client& client, int requests, const std::string& fields = "") {
    int passed = 0;
    for (int i = 0; i < requests; ++i) {
      const Response response = client.get("/bytes/3", fields);
      if (response.status() == 200) ++passed;
      EXPECT_TRUE(response.status() == 200 || response.status() == 429) << response.status();
    }
    return passed;
  }
  static int count(const Baton& baton, int requests) {
    Client client = baton.connect();
    return count(client, requests);
  }

  Origin origin;
};

TEST_F(Requests, OverTheRateAreAnsweredAndCounted) {
  Baton baton(with(origin, an_hour(3)));
  Client client = baton.connect();
  EXPECT_EQ(count(client, 3), 3);
  const Response response = client.post("/count", pattern(1000));
  EXPECT_EQ(response.status(), 429);
  EXPECT_EQ(response.body, "429 Too Many Requests\n");
  const int wait = std::stoi(response.field("Retry-After").value_or("0"));
  EXPECT_GT(wait, 3000);
  EXPECT_LE(wait, 3600);
  EXPECT_EQ(count(client, 2), 0);
  EXPECT_EQ(count(baton, 2), 0) << "on another connection";
  EXPECT_EQ(origin.requests().size(), 3U);
  baton.await_access_log(std::regex(R"("status":429)"));
  EXPECT_EQ(baton.number("rate_refusals_total"), 5);
  Client admin(unix_socket(baton.directory() / "admin.sock"));
  EXPECT_NE(admin.get("/metrics").body.find("baton_requests_refused_total{reason=\"rate\"} 5\n"), std::string::npos);
  Client other(baton.address(), "127.0.0.2");
  EXPECT_EQ(count(other, 5), 3);
  baton.upgrade();
  EXPECT_EQ(count(client, 1), 0);
  EXPECT_EQ(baton.number("rate_refusals_total"), 8) << "over all generations";
}

TEST_F(Requests, AreCountedByAHeader) {
  Baton baton(with(origin, an_hour(2, ", by: header X-Key")));
  Client client = baton.connect();
  EXPECT_EQ(count(client, 3, "X-Key: a\r\n"), 2);
  EXPECT_EQ(count(client, 3, "x-key: b\r\n"), 2);
  EXPECT_EQ(count(client, 3), 2) << "without it by client";
}

// All workers at once, on connections that are spread over them.
TEST_F(Requests, OfARouteAreCountedExactlyByAllWorkers) {
  Baton baton(with(origin, an_hour(100, ", by: route")));
  constexpr int requests = 20;
  std::list<Client> clients;
  for (int i = 0; i < 20; ++i) clients.emplace_back(baton.address());
  std::string all;
  for (int i = 0; i < requests; ++i) all += get_request("/bytes/3");
  for (Client& client : clients) client.send(all);
  int passed = 0;
  for (Client& client : clients) {
    for (int i = 0; i < requests; ++i) passed += client.response().status() == 200 ? 1 : 0;
  }
  EXPECT_EQ(passed, 100);
}

TEST_F(Requests, OfAllRoutesHaveALimitForEachClient) {
  Settings settings = with(origin, "match: { host: a.test }");
  settings.limits = "requests_per_second_per_client: 1";
  Baton baton(settings);
  std::string all;
  for (int i = 0; i < 100; ++i) all += get_request("/bytes/3");
  Client client = baton.connect();
  client.send(all);
  int not_found = 0;
  for (int i = 0; i < 100; ++i) not_found += client.response().status() == 404 ? 1 : 0;
  EXPECT_GE(not_found, 1) << "what no route takes counts, too";
  EXPECT_LT(not_found, 100);
}

// Whatever follows the process, and whether or not it succeeds: of an hour's burst exactly as many pass as it has.
TEST_F(Requests, PassOnceOverTwentyUpgradesARollbackFailuresAndReloads) {
  constexpr int burst = 240;
  Baton baton(with(origin, an_hour(burst)));
  Client kept = baton.connect();
  int passed = 0;
  const auto send = [&] { passed += count(kept, 4) + count(baton, 4); };
  for (int i = 0; i < 20; ++i) {
    send();
    baton.begin_upgrade();
    passed += count(kept, 1);
    baton.finish_upgrade();
  }
  send();
  EXPECT_EQ(passed, 20 * 9 + 8);
  replace_file(baton.binary_path(), "#!/bin/sh\nexit 1\n", true);
  baton.failed_upgrade();
  send();
  replace_file(baton.directory() / "behaviour", "Adopted exit");
  replace_file(baton.binary_path(), read_file(HOSTILE_SUCCESSOR), true);
  baton.failed_upgrade();
  send();
  replace_file(baton.binary_path(), read_file(baton_binary()), true);
  baton.reload(again(baton, an_hour(burst)));
  send();
  baton.upgrade();
  EXPECT_EQ(run_baton({"ctl", "rollback", "-c", baton.config_path()}).code, 0) << baton.log();
  baton.finish_upgrade();
  send();
  EXPECT_EQ(passed, 20 * 9 + 8 + 4 * 8);
  for (int i = 0; i < 5; ++i) send();
  EXPECT_EQ(passed, burst);
  EXPECT_EQ(count(baton, 20), 0);
  EXPECT_EQ(kept.get("/bytes/3").status(), 429) << "it has moved with all of them";
}

// Two clients send without a pause, each four requests with one key after the other, through twenty upgrades: of eight
// requests with a key five pass, whichever processes they are counted in.
TEST_F(Requests, OfASustainedFloodPassWhatEachKeyMay) {
  constexpr std::size_t keys_max = 20'000;  // far fewer than the table has room for, however long the upgrades take
  Baton baton(with(origin, an_hour(5, ", by: header X-Key")));
  std::atomic<bool> is_over = false;
  struct Flood {
    std::vector<int> passed;  // by key
    std::string failure;
  };
  std::array<Flood, 2> floods;
  std::vector<std::jthread> threads;
  for (Flood& flood : floods) {
    threads.emplace_back([&] {
      try {
        Client client = baton.connect();
        do {
          if (flood.passed.size() == keys_max) {
            client.get("/bytes/3", "X-Key: more\r\n");
            continue;
          }
          const std::string key = "X-Key: " + std::to_string(flood.passed.size()) + "\r\n";
          int passed = 0;
          for (int i = 0; i < 4; ++i) passed += client.get("/bytes/3", key).status() == 200 ? 1 : 0;
          flood.passed.push_back(passed);
        } while (!is_over);
      } catch (const Failure& failure) {
        flood.failure = failure.what();
      }
    });
  }
  for (int i = 0; i < 20; ++i) baton.upgrade();
  is_over = true;
  threads.clear();
  for (const Flood& flood : floods) EXPECT_EQ(flood.failure, "");
  const auto [fewer, more] =
      std::minmax(floods[0].passed, floods[1].passed, [](const auto& a, const auto& b) { return a.size() < b.size(); });
  for (std::size_t key = 0; key < more.size(); ++key) {
    const int expected = key < fewer.size() ? 5 : 4;
    ASSERT_EQ(more[key] + (key < fewer.size() ? fewer[key] : 0), expected) << key << " of " << more.size();
  }
}

TEST_F(Requests, KeepWhatWasUsedWhenTheNumbersChange) {
  Baton baton(with(origin, an_hour(10)));
  EXPECT_EQ(count(baton, 6), 6);
  baton.reload(again(baton, an_hour(8)));
  EXPECT_EQ(count(baton, 5), 2);
  baton.reload(again(baton, "name: other, " + an_hour(8)));
  EXPECT_EQ(count(baton, 9), 8) << "a route of another name";
  baton.reload(again(baton, "name: other"));
  EXPECT_EQ(count(baton, 9), 9);
  baton.reload(again(baton, "name: other, " + an_hour(20)));
  EXPECT_EQ(count(baton, 20), 12);
}

// One moves while it is answered, and one while it waits for a server and is admitted again by the successor.
TEST_F(Requests, CountOnceAlsoIfTheyMove) {
  Settings settings = with(origin, an_hour(3));
  const Address web = loopback(free_port());
  settings.binds = {web};
  settings.topology = "listeners:\n  - { name: web, bind: \"" + web.text() +
                      "\" }\nupstreams:\n  - { name: web, servers: [ { address: \"" + origin.address().text() +
                      "\", max_connections: 1 } ], queue: { wait: 10m } }\n";
  Baton baton(settings);
  Client answered = baton.connect(), waiting = baton.connect();
  answered.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  waiting.send(get_request("/bytes/3"));
  await([&] { return baton.number("connections.exchange") == 2; }, "the request to wait for its server");
  baton.upgrade();
  baton.upgrade();
  origin.gate().open();
  EXPECT_EQ(answered.response().body, "held");
  EXPECT_EQ(waiting.response().body, pattern(3));
  EXPECT_EQ(count(waiting, 5), 1);
}

TEST_F(Requests, BeginToBeCountedByAReloadAndAreByTheSuccessorOfThat) {
  Baton baton(with(origin, "name: own"));
  EXPECT_EQ(count(baton, 20), 20);
  baton.reload(again(baton, "name: own, " + an_hour(5)));
  EXPECT_EQ(count(baton, 3), 3);
  baton.upgrade();
  EXPECT_EQ(count(baton, 5), 2);
}

// By external successors, one of them in another container, whose clock differs.
TEST_F(Requests, KeepTheirCountInTakeovers) {
  Baton baton(with(origin, an_hour(6)));
  EXPECT_EQ(count(baton, 2), 2);
  Taker beside(baton);
  beside.await_succession(baton);
  EXPECT_EQ(count(baton, 2), 2);
  const std::vector<std::string> elsewhere{"unshare", "--time", "--monotonic", "1000000", "--boottime", "1000000"};
  std::vector<std::string> attempt = elsewhere;
  attempt.emplace_back("true");
  if (run({attempt}).code != 0) GTEST_SKIP() << "no namespaces may be made here";
  Taker there(taker_command(baton, "--takeover", elsewhere));
  there.await_succession(baton, beside);
  EXPECT_EQ(count(baton, 1), 1);
  Taker back(baton);
  back.await_succession(baton, there);
  EXPECT_EQ(count(baton, 20), 1);
}

struct SupervisedRequests : Supervised {
  SupervisedRequests() : Supervised([](Settings& settings) { settings.more = routes(an_hour(5)); }) {}
  int count(int requests) const {
    int passed = 0;
    Client client = baton.connect();
    for (int i = 0; i < requests; ++i) passed += client.get("/bytes/3").status() == 200 ? 1 : 0;
    return passed;
  }
};

TEST_F(SupervisedRequests, KeepTheirCountAfterACrash) {
  EXPECT_EQ(count(2), 2);
  crash();
  EXPECT_EQ(count(2), 2);
  upgrade();
  EXPECT_EQ(count(4), 1);
  EXPECT_EQ(stop(), (Ended{0, 0})) << baton.log();
}

}  // namespace
}  // namespace baton::harness
