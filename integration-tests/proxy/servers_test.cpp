// Which server of an upstream a request goes to, and that it stays so through upgrades.
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <signal.h>

#include <list>
#include <map>
#include <string>

#include "harness/temp_dir.hpp"
#include "proxy/servers.hpp"

namespace baton::harness {
namespace {

std::string cookie_of(const Response& response) {
  const std::string set = response.field("Set-Cookie").value_or("");
  return "Cookie: " + set.substr(0, set.find(';')) + "\r\n";
}

TEST_F(Servers, AStickyClientStaysWhereItIsThroughUpgradesAndReloads) {
  begin(3, "    sticky: { same_site: strict }\n");
  const Response first = baton->connect().get("/who");
  EXPECT_EQ(first.field("Set-Cookie").value_or("").substr(0, 13), "BATON_SERVER=");
  EXPECT_NE(first.field("Set-Cookie").value_or("").find("; Path=/; HttpOnly; SameSite=Strict"), std::string::npos);
  const std::string cookie = cookie_of(first);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 4; ++i) {
      const Response again = baton->connect().get("/who", cookie);
      EXPECT_EQ(again.body, first.body);
      EXPECT_FALSE(again.field("Set-Cookie")) << "it has its cookie";
    }
    if (round == 0) baton->upgrade();
    if (round == 1) reload("    sticky: { same_site: strict }\n    slow_start: 1s\n");
  }
  const Response forged = baton->connect().get("/who", "Cookie: BATON_SERVER=0123456789abcdef\r\n");
  EXPECT_TRUE(forged.field("Set-Cookie")) << "what is none of ours is replaced";
}

TEST_F(Servers, AStickyClientWhoseServerIsGoneGetsAnotherAndItsCookie) {
  begin(2, "    sticky: {}\n");
  const Response first = baton->connect().get("/who");
  origin(std::stoul(first.body)).refuse();
  origin(std::stoul(first.body)).close_idle_connections();
  const Response moved = baton->connect().get("/who", cookie_of(first));
  EXPECT_NE(moved.body, first.body);
  EXPECT_EQ(baton->connect().get("/who", cookie_of(moved)).body, moved.body);
}

// The request is at its server when the connection moves; the successor writes the response's head.
TEST_F(Servers, AStickyCookieIsSetEvenIfTheResponseComesAfterAnUpgrade) {
  begin(2, "    sticky: {}\n");
  settings.handoff += ", finish_timeout: 0s";
  baton->reload(settings);
  Client client = baton->connect();
  client.send(get_request("/held"));
  await([&] { return origin(1).gate().waiting() + origin(2).gate().waiting() == 1; }, "the request at a server");
  baton->upgrade();
  for (Origin& one : origins) one.gate().open();
  const Response response = client.response();
  EXPECT_EQ(baton->connect().get("/who", cookie_of(response)).body, response.body);
}

TEST_F(Servers, ADrainedServerKeepsItsStickyClientsOnly) {
  begin(2, "    sticky: {}\n");
  std::string cookie;
  while (true) {
    const Response response = baton->connect().get("/who");
    cookie = cookie_of(response);
    if (response.body == "1") break;
  }
  reload("    sticky: {}\n", {"drain: true"});
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(who(), "2");
    EXPECT_EQ(who(cookie), "1");
  }
}

TEST_F(Servers, AHashGoesToTheSameServerWithAnyNumberOfWorkersAndAfterAnUpgrade) {
  begin(4, "    balance: hash\n    hash: { by: header X-User }\n", {}, 1);
  std::map<std::string, std::string> servers;
  for (int user = 0; user < 20; ++user) {
    const std::string field = fmt::format("X-User: {}\r\n", user);
    servers[field] = who(field);
  }
  for (const unsigned workers : {2u, 4u, 1u}) {
    settings.workers = workers;
    replace_file(baton->config_path(), to_yaml(settings, baton->directory()));
    baton->upgrade();
    for (const auto& [field, server] : servers) EXPECT_EQ(who(field), server) << field << workers << " workers";
  }
}

TEST_F(Servers, BackupsAnswerWhileTheOthersAreDrained) {
  begin(2, "    when_none_is_up: refuse\n", {"", "backup: true"});
  EXPECT_EQ(who(), "1");
  reload("    when_none_is_up: refuse\n", {"drain: true", "backup: true"});
  EXPECT_EQ(who(), "2");
  reload("    when_none_is_up: refuse\n", {"drain: true", "backup: true, drain: true"});
  const Response refused = baton->connect().get("/who");
  EXPECT_EQ(refused.status(), 503);
  EXPECT_EQ(refused.body, "503 Service Unavailable: upstream app\n");
}

TEST_F(Servers, RequestsWaitForAPlaceInTheOrderTheyCame) {
  begin(1, "    queue: { at_most: 3, wait: 60s }\n", {"max_connections: 1"});
  std::list<Client> clients;
  const auto ask = [&] { clients.emplace_back(baton->address()).send(get_request("/held")); };
  ask();
  origin(1).gate().await_arrivals(1);
  for (int i = 0; i < 3; ++i) {
    ask();
    await_waiting(i + 1);
  }
  EXPECT_EQ(baton->connect().get("/who").status(), 503) << "the queue is full";
  EXPECT_EQ(origin(1).gate().waiting(), 1);
  origin(1).gate().open();
  for (Client& client : clients) EXPECT_EQ(client.response().body, "1");
  EXPECT_EQ(who(), "1") << "the places are free again";
}

TEST_F(Servers, WhoWaitsGoesOnWaitingAfterAnUpgrade) {
  settings.handoff += ", finish_timeout: 0s";
  begin(1, "    queue: { wait: 60s }\n", {"max_connections: 1"});
  std::list<Client> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back(baton->address()).send(get_request("/held"));
    if (i == 0) origin(1).gate().await_arrivals(1);
    if (i > 0) await_waiting(i);
  }
  baton->upgrade();
  origin(1).gate().open();
  for (Client& client : clients) EXPECT_EQ(client.response().body, "1");
}

TEST_F(Servers, AStickyClientDoesNotWaitForAServerThatHasGoneDown) {
  const std::string keys = "    sticky: {}\n    queue: { wait: 10m }\n";
  begin(2, keys, {"max_connections: 1", "max_connections: 1"});
  const Response first = baton->connect().get("/who");
  const std::size_t number = std::stoul(first.body);
  const std::string cookie = cookie_of(first);
  Client holder = baton->connect();
  holder.send("GET /held HTTP/1.1\r\nHost: a\r\n" + cookie + "\r\n");
  origin(number).gate().await_arrivals(1);
  Client waiting_one = baton->connect();
  waiting_one.send("GET /who HTTP/1.1\r\nHost: a\r\n" + cookie + "\r\n");
  await_waiting(1);
  ctl({"server", "app/" + origin(number).address().text(), "down"});
  EXPECT_EQ(waiting_one.response().body, std::to_string(3 - number));
  origin(number).gate().open();
  EXPECT_EQ(holder.response().body, first.body);
}

TEST_F(Servers, WhoWaitsTooLongGets503) {
  begin(1, "    queue: { wait: 50ms }\n", {"max_connections: 1"});
  Client first = baton->connect();
  first.send(get_request("/held"));
  origin(1).gate().await_arrivals(1);
  Client second = baton->connect();
  EXPECT_EQ(second.get("/who").status(), 503);
  origin(1).gate().open();
  EXPECT_EQ(first.response().body, "1");
}

TEST_F(Servers, AConnectionToAServerServesAsManyRequestsAsItMay) {
  begin(1, "    keep_alive: { requests: 3 }\n", {}, 1);
  Client client = baton->connect();
  for (int i = 0; i < 7; ++i) EXPECT_EQ(client.get("/who").body, "1");
  EXPECT_EQ(origin(1).accepted(), 3u);
  baton->upgrade();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.get("/who").body, "1");
  EXPECT_EQ(origin(1).accepted(), 4u) << "the third connection had served one request before it moved";
}

TEST_F(Servers, NoMoreConnectionsToServersThanTheLimit) {
  settings.limits = "upstream_connections: 1";
  settings.timeouts += ", connect: 50ms";
  begin(1, "", {}, 4);
  Client first = baton->connect();
  first.send(get_request("/held"));
  origin(1).gate().await_arrivals(1);
  EXPECT_EQ(baton->connect().get("/who").status(), 503);
  origin(1).gate().open();
  EXPECT_EQ(first.response().body, "1");
  settings.timeouts = "connect: 60s";
  baton->reload(settings);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(who(), "1") << "an idle connection makes room, whichever worker has it";
  origin(1).await_open_connections(1);
}

// On probation both serve for as long as that takes: live connections are the predecessor's, new ones the successor's.
TEST_F(Servers, BothProcessesOfAnUpgradeKeepToMaxConnectionsTogether) {
  settings.handoff += ", probation: 60s";
  begin(1, "", {"max_connections: 2"});
  Client old = baton->connect(), other_old = baton->connect();
  for (Client* one : {&old, &other_old}) EXPECT_EQ(one->get("/who").body, "1");
  old.send(get_request("/held"));
  origin(1).gate().await_arrivals(1);
  baton->begin_upgrade();
  baton->await_log(std::regex("upgrade: the successor is on probation"));
  Client fresh = baton->connect(), other_fresh = baton->connect();
  fresh.send(get_request("/held"));
  origin(1).gate().await_arrivals(2);
  EXPECT_EQ(other_fresh.get("/who").status(), 503) << "of the successor, which has one exchange";
  EXPECT_EQ(other_old.get("/who").status(), 503) << "of the predecessor, which has the other";
  origin(1).gate().open();
  for (Client* one : {&old, &fresh}) EXPECT_EQ(one->response().body, "1");
  for (Client* one : {&other_old, &other_fresh}) {
    await([&] { return one->get("/who").status() == 200; }, "a free place");
  }
  baton->signal(SIGTERM);
  baton->await_exit();
}

TEST_F(Servers, AnOrderLastsUntilTheConfigurationOfTheServerChanges) {
  begin(2, "");
  const std::string first = "app/" + origin(1).address().text();
  EXPECT_EQ(ctl({"server", first, "drain"}), first + " is drained: it gets no new clients\n");
  const auto is_drained = [&] {
    for (int i = 0; i < 6; ++i) EXPECT_EQ(who(), "2");
    EXPECT_EQ(server(1).at("state"), "drained");
    EXPECT_EQ(server(1).at("why"), "by command");
    EXPECT_EQ(server(2).at("state"), "up");
  };
  is_drained();
  reload("    slow_start: 1s\n");
  is_drained();
  baton->upgrade();
  is_drained();
  EXPECT_GT(server(1).at("since_ms").as_int64(), 0);
  baton->upgrade();
  is_drained();
  reload("", {"weight: 2"});
  EXPECT_EQ(server(1).at("state"), "up");
  ctl({"server", first, "weight", "1"});
  EXPECT_EQ(server(1).at("weight"), 1);
  ctl({"server", first, "down"});
  for (int i = 0; i < 4; ++i) EXPECT_EQ(who(), "2");
  EXPECT_EQ(server(1).at("state"), "down");
  ctl({"server", first, "up"});
  EXPECT_EQ(server(1).at("state"), "up");
  EXPECT_EQ(server(1).at("why"), "by command") << "its weight";
  ctl({"server", first, "weight", "2"});
  EXPECT_EQ(server(1).at("why"), "") << "as configured";
}

TEST_F(Servers, SayWhatTheyAreAndWhy) {
  begin(2, "", {"drain: true", "backup: true"});
  EXPECT_EQ(server(1).at("why"), "by the configuration");
  EXPECT_EQ(server(1).at("backup"), false);
  EXPECT_EQ(server(2).at("backup"), true);
  ctl({"server", "app/" + origin(1).address().text(), "up"});
  EXPECT_EQ(server(1).at("why"), "by command") << "the file says something else";
  baton->upgrade();
  EXPECT_EQ(server(1).at("why"), "by command");
  EXPECT_EQ(server(2).at("backup"), true);
  reload("", {"", ""});
  EXPECT_EQ(server(1).at("why"), "");
  EXPECT_EQ(server(2).at("backup"), false);
}

TEST_F(Servers, AreCountedOverAllGenerations) {
  begin(2, "");
  for (int i = 0; i < 4; ++i) EXPECT_NE(who(), "503");
  baton->upgrade();
  EXPECT_GE(server(1).at("response_p99_ms").to_number<int>() + server(2).at("response_p99_ms").to_number<int>(), 1);
  for (int i = 0; i < 4; ++i) EXPECT_NE(who(), "503");
  const auto requests = [&](int number) { return server(number).at("requests_total").to_number<int>(); };
  EXPECT_EQ(requests(1) + requests(2), 8);
  origin(1).refuse();
  origin(1).close_idle_connections();
  for (int i = 0; i < 4; ++i) EXPECT_EQ(who(), "2");
  EXPECT_GE(server(1).at("failures_total").to_number<int>(), 1);
  EXPECT_NE(ctl({"servers"}).find("app/" + origin(2).address().text()), std::string::npos);
  Client admin(unix_socket(baton->directory() / "admin.sock"));
  EXPECT_NE(
      admin.get("/metrics")
          .body.find("baton_server_requests_total{upstream=\"app\",server=\"" + origin(2).address().text() + "\"} "),
      std::string::npos);
}

TEST_F(Servers, ACommandSaysWhatIsWrong) {
  begin(1, "");
  EXPECT_EQ(ctl_outcome({"server", "app/192.0.2.1:1", "drain"}).code, 1);
  EXPECT_NE(ctl_outcome({"server", "app/192.0.2.1:1", "drain"}).err.find("there is no server app/192.0.2.1:1"),
            std::string::npos);
  EXPECT_EQ(ctl_outcome({"server", "app/a", "off"}).code, 2);
  EXPECT_EQ(ctl_outcome({"server", "app/a", "weight"}).code, 2);
}

// Each worker counts what all of them have in flight.
class Distribution : public Servers, public testing::WithParamInterface<unsigned> {};

TEST_P(Distribution, LeastConnectionsIsExactOnEitherSideOfAMove) {
  settings.handoff += ", finish_timeout: 0s";
  begin(3, "    balance: least_connections\n", {}, GetParam());
  std::list<Client> clients;
  const auto hold = [&](int count) {
    for (int i = 0; i < count; ++i) {
      clients.emplace_back(baton->address()).send(get_request("/held"));
      await([&] { return waiting() == static_cast<int>(clients.size()); }, "the request at a server");
    }
  };
  hold(12);
  for (Origin& one : origins) EXPECT_EQ(one.gate().waiting(), 4);
  settings.workers = 5 - GetParam();
  replace_file(baton->config_path(), to_yaml(settings, baton->directory()));
  baton->upgrade();
  hold(12);
  for (Origin& one : origins) EXPECT_EQ(one.gate().waiting(), 8) << "those that moved still count";
  for (Origin& one : origins) one.gate().open();
  for (Client& client : clients) EXPECT_EQ(client.response().status(), 200);
}

INSTANTIATE_TEST_SUITE_P(Workers, Distribution, testing::Values(1u, 2u, 4u), testing::PrintToStringParamName());

}  // namespace
}  // namespace baton::harness
