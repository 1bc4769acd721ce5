// What an upgrade leaves behind: the report, the PID file, the lock, as many descriptors as before.
#include <gtest/gtest.h>

#include <signal.h>

#include <list>

#include "harness/baton.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

class AfterUpgrade : public testing::Test {
 protected:
  static Settings settings(const Origin& origin) {
    Settings settings(origin.address());
    settings.handoff += ", finish_timeout: 15s";  // a held request delays the upgrade until the gate opens
    return settings;
  }
  Origin origin;
  Baton baton{settings(origin)};
};

TEST_F(AfterUpgrade, StatusShowsTheReport) {
  Client client = baton.connect();
  client.get("/bytes/1");
  baton.await_number("upstream_idle", 1);
  const pid_t before = baton.pid();
  const std::string line = baton.upgrade();
  EXPECT_NE(line.find("moved=1 (idle: 1)"), std::string::npos) << line;
  EXPECT_NE(line.find("upstream_idle=1"), std::string::npos) << line;
  EXPECT_EQ(baton.number("generation"), 2);
  EXPECT_EQ(baton.number("pid"), baton.pid());
  const boost::json::object report = baton.status().at("last_upgrade").as_object();
  EXPECT_EQ(report.at("result").as_string(), "completed");
  EXPECT_EQ(baton.number("last_upgrade.from_pid"), before);
  EXPECT_EQ(baton.number("last_upgrade.to_pid"), baton.pid());
  EXPECT_EQ(baton.number("last_upgrade.moved.idle"), 1);
  EXPECT_EQ(baton.number("last_upgrade.moved_total"), 1) << "clients only";
  EXPECT_EQ(baton.number("last_upgrade.upstream_idle_moved"), 1);
  EXPECT_GT(baton.number("last_upgrade.pause_us.max"), 0);
  EXPECT_GE(baton.number("last_upgrade.pause_us.max"), baton.number("last_upgrade.pause_us.p50"));
}

TEST_F(AfterUpgrade, TheSuccessorIsNamedInThePidFileAndHoldsTheLock) {
  const pid_t before = baton.pid();
  baton.upgrade();
  EXPECT_NE(baton.pid_in_file(), before);
  EXPECT_EQ(baton.readyz(), 200);
  EXPECT_TRUE(baton.lock_is_held());
  baton.signal(SIGTERM);
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
  EXPECT_EQ(read_file(baton.pid_file_path()), "") << "the last instance takes its PID file with it";
  EXPECT_FALSE(baton.lock_is_held());
}

TEST_F(AfterUpgrade, TenInARowGatherNoDescriptors) {
  std::list<Client> clients;
  for (int i = 0; i < 20; ++i) clients.emplace_back(baton.address()).get("/bytes/1");
  origin.close_idle_connections();  // pooled connections would make the count a matter of luck
  baton.await_number("upstream_idle", 0);
  baton.upgrade();
  const std::size_t descriptors = descriptor_count(baton.pid());
  for (int i = 0; i < 10; ++i) {
    baton.upgrade();
    await_descriptors_at_most(descriptors, baton.pid());
  }
  for (Client& client : clients) EXPECT_EQ(client.get("/bytes/9").body, pattern(9));
  EXPECT_EQ(baton.number("generation"), 12);
  EXPECT_EQ(baton.number("accepted_total"), 20);
}

// Each worker has its own; what moves must be there for the clients that move with it, however mixed they arrive.
TEST_F(AfterUpgrade, NoUpgradeAddsConnectionsToServersForTheSameRequestsAtOnce) {
  constexpr int at_once = 8;
  std::list<Client> clients;
  for (int i = 0; i < at_once; ++i) clients.emplace_back(baton.address());
  int arrivals = 0;
  const auto send_all = [&] {
    for (Client& client : clients) client.send(get_request("/held"));
    origin.gate().await_arrivals(arrivals += at_once);
  };
  const auto receive_all = [&] {
    origin.gate().open();
    for (Client& client : clients) EXPECT_EQ(client.response().body, "held");
    origin.gate().shut();
  };
  const std::regex listening("listening on");
  for (int i = 0; i < 5; ++i) {
    send_all();
    receive_all();
    baton.upgrade();
    send_all();
    const std::size_t processes = baton.count_log_lines(listening);
    baton.begin_upgrade();
    await([&] { return baton.count_log_lines(listening) > processes; }, "the successor to listen");
    receive_all();
    baton.finish_upgrade();
  }
  EXPECT_EQ(origin.accepted(), static_cast<std::size_t>(at_once));
}

// On probation the successor must connect for its clients although the predecessor has enough idle connections.
TEST(ConnectionsToServers, AreNoMoreAfterAnUpgradeAlthoughNewcomersNeededSomeBeforeTheIdleOnesCame) {
  constexpr int at_once = 8, newcomers = 4, upgrades = 3;
  Origin origin;
  Settings settings(origin.address());
  settings.handoff += ", probation: 1s";
  Baton baton(settings);
  int arrivals = 0;
  const auto ask_at_once = [&](std::list<Client>& clients) {
    for (Client& client : clients) client.send(get_request("/held"));
    origin.gate().await_arrivals(arrivals += static_cast<int>(clients.size()));
    origin.gate().open();
    for (Client& client : clients) EXPECT_EQ(client.response().body, "held");
    origin.gate().shut();
  };
  std::list<Client> clients;
  for (int i = 0; i < at_once; ++i) clients.emplace_back(baton.address());
  ask_at_once(clients);
  EXPECT_EQ(origin.accepted(), static_cast<std::size_t>(at_once));
  for (int i = 1; i <= upgrades; ++i) {
    baton.begin_upgrade();
    baton.await_log(std::regex("on probation"));
    std::list<Client> late;
    for (int j = 0; j < newcomers; ++j) late.emplace_back(baton.address());
    ask_at_once(late);
    baton.finish_upgrade();
    origin.await_open_connections(at_once);
    EXPECT_EQ(baton.number("upstream_idle"), at_once);
  }
}

TEST_F(AfterUpgrade, TheConnectionToAServerThatWasUsedLastIsUsedNext) {
  origin.on("/which", [](Exchange& exchange) { exchange.respond(std::to_string(exchange.stream.fd())); });
  Settings one_worker = settings(origin);
  one_worker.workers = 1;
  Baton one(one_worker);
  std::list<Client> clients;
  for (int i = 0; i < 5; ++i) clients.emplace_back(one.address()).send(get_request("/held"));
  origin.gate().await_arrivals(5);
  origin.gate().open();
  for (Client& client : clients) EXPECT_EQ(client.response().body, "held");
  const std::string used_last = clients.front().get("/which").body;
  for (int i = 0; i < 3; ++i) {
    one.upgrade();
    EXPECT_EQ(clients.front().get("/which").body, used_last);
  }
}

// More than one message can carry, and more than older versions took.
TEST(ThousandsOfListeningSockets, MoveWithTheConnectionsThatWaitInTheirQueues) {
  constexpr int sockets = 5000;
  Origin origin;
  const std::uint16_t port = free_port();
  const auto address = [port](int number) {
    const std::string host = "127.1." + std::to_string(number / 250) + "." + std::to_string(number % 250 + 1);
    return Address{.host = host, .port = port};
  };
  std::string binds;
  for (int i = 0; i < sockets; ++i) binds += "      - " + address(i).text() + "\n";
  Settings settings;
  settings.binds = {address(0)};
  settings.topology = "listeners:\n  - name: web\n    bind:\n" + binds +
                      "upstreams: [ { name: app, servers: [ { address: \"" + origin.address().text() + "\" } ] } ]\n";
  settings.arguments = {"--supervise"};
  Baton baton(settings);
  std::list<Client> clients;
  for (const int number : {0, 249, 4095, 4096, sockets - 1}) {
    clients.emplace_back(address(number)).get("/bytes/1");
  }
  for (int i = 0; i < 2; ++i) {
    baton.begin_upgrade();
    baton.await_log(log_lines::upgrade_report);
    for (Client& client : clients) EXPECT_EQ(client.get("/bytes/2").body, pattern(2));
    for (const int number : {0, 4096, sockets - 1}) {
      EXPECT_EQ(Client(address(number)).get("/bytes/3").body, pattern(3));
    }
  }
  EXPECT_EQ(baton.number("generation"), 3);
  // The parent has them all, too.
  ASSERT_EQ(::kill(static_cast<pid_t>(baton.number("pid")), SIGKILL), 0);
  baton.await_log(std::regex("in place of a crashed process"));
  EXPECT_EQ(Client(address(sockets - 1)).get("/bytes/3").body, pattern(3));
}

TEST_F(AfterUpgrade, ASecondSignalMeanwhileIsRefusedWithALine) {
  Client client = baton.connect();
  client.send(get_request("/held"));  // makes the upgrade last for finish_timeout
  origin.gate().await_arrivals(1);
  baton.begin_upgrade();
  await([&] { return !children_of(baton.pid()).empty(); }, "the successor to be started");
  baton.begin_upgrade();
  baton.await_log(log_lines::upgrade_refused);
  origin.gate().open();
  baton.finish_upgrade();
  EXPECT_EQ(client.response().body, "held");
}

TEST_F(AfterUpgrade, ASecondInstanceOnTheSameConfigurationIsRefusedBeforeAndAfter) {
  for (int i = 0; i < 2; ++i) {
    Outcome second = run_baton({"run", "-c", baton.config_path()});
    EXPECT_EQ(second.code, 1);
    EXPECT_TRUE(std::regex_search(second.err, log_lines::lock_held)) << second.err;
    EXPECT_EQ(baton.connect().get("/bytes/1").body, "A");
    EXPECT_EQ(baton.pid_in_file(), baton.pid());
    if (i == 0) baton.upgrade();
  }
}

TEST_F(AfterUpgrade, ANewConfigurationIsInForce) {
  Client client = baton.connect();
  client.get("/bytes/1");
  std::string yaml = read_file(baton.config_path());
  replace_file(baton.config_path(), yaml + "limits: { requests_per_connection: 1 }\n");
  baton.upgrade();
  EXPECT_EQ(baton.connect().get("/bytes/1").field("Connection"), "close");
}

}  // namespace
}  // namespace baton::harness
