// limits.connections_per_client: who counts as a client, and that the count is exact in each process and between two.
#include <gtest/gtest.h>
#include <signal.h>

#include <list>
#include <memory>
#include <regex>

#include "harness/baton.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

class Connections : public testing::Test {
 protected:
  Settings with(const std::string& limit, const std::string& keys = "", const std::string& more = "") const {
    Settings settings;
    settings.binds = {web};
    settings.topology = "listeners:\n  - { name: web, bind: \"" + web.text() + "\"" + keys +
                        " }\n  - { name: raw, bind: \"" + raw.text() + "\", protocol: tcp, upstream: app" + keys +
                        " }\nupstreams:\n  - { name: app, servers: [ { address: \"" + origin.address().text() +
                        "\" } ] }\n";
    settings.limits = limit;
    settings.handoff += ", finish_timeout: 100ms";
    settings.more = more;
    return settings;
  }
  static bool is_served(Client& client) { return client.get("/bytes/3").body == pattern(3); }
  // It is closed although nothing has come from it.
  void expect_refused(const Address& at, const std::string& from = "127.0.0.1") const {
    Client client(at, from);
    client.expect_fin();
  }
  // One of the client's connections has been closed, and there is a place as soon as Baton has seen that.
  void await_a_place(const Baton& baton, std::int64_t connections) const {
    await([&] { return baton.number("connections.total") == connections; }, "a connection to be gone");
  }

  Origin origin;
  const Address web = loopback(free_port());
  const Address raw = loopback(free_port());
};

TEST_F(Connections, OfAClientAreAsManyAsItMayHave) {
  Baton baton(with("connections_per_client: 3"));
  std::list<Client> clients;
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(is_served(clients.emplace_back(web)));
  EXPECT_TRUE(is_served(clients.emplace_back(raw))) << "tcp counts, too";
  for (int i = 0; i < 3; ++i) expect_refused(web);
  expect_refused(raw);
  baton.await_log(
      std::regex("limits.connections_per_client: a connection of 127.0.0.1:[0-9]+ on web is closed; it has 3 "
                 "already"));
  Client other(web, "127.0.0.2");
  EXPECT_TRUE(is_served(other));
  EXPECT_EQ(baton.number("connection_refusals_total"), 4);
  clients.pop_front();
  await_a_place(baton, 3);
  EXPECT_TRUE(is_served(clients.emplace_back(web)));
  expect_refused(web);
  for (Client& client : clients) EXPECT_TRUE(is_served(client)) << "the others go on";
}

TEST_F(Connections, AreCountedInTheSuccessorAndBackAgain) {
  Baton baton(with("connections_per_client: 2"));
  Client one(web);
  auto two = std::make_unique<Client>(web);
  EXPECT_TRUE(is_served(one) && is_served(*two));
  for (int i = 0; i < 3; ++i) {
    baton.upgrade();
    expect_refused(web);
    EXPECT_TRUE(is_served(one) && is_served(*two));
  }
  two.reset();
  await_a_place(baton, 1);
  Client three(web);
  EXPECT_TRUE(is_served(three));
  expect_refused(web);
}

// While the predecessor has a connection that cannot move yet, the successor accepts, and knows of it.
TEST_F(Connections, OfThePredecessorCountInTheSuccessorBeforeTheyMove) {
  Settings settings = with("connections_per_client: 1");
  settings.handoff = "ready_timeout: 15s, step_timeout: 15s, finish_timeout: 60s";
  Baton baton(settings);
  auto held = std::make_unique<Client>(web);
  held->send(get_request("/held"));
  origin.gate().await_arrivals(1);
  baton.begin_upgrade();
  baton.await_log(std::regex("\\[g2 [0-9]+\\] listening on"));
  expect_refused(web);
  Client other(web, "127.0.0.2");
  EXPECT_TRUE(is_served(other));
  origin.gate().open();
  EXPECT_EQ(held->response().body, "held");
  baton.finish_upgrade();
  expect_refused(web);
  EXPECT_TRUE(is_served(*held));
  held.reset();
  await_a_place(baton, 1);
  Client next(web);
  EXPECT_TRUE(is_served(next)) << "nothing of the predecessor counts any more";
}

TEST_F(Connections, ThatAreTakenBackStillCount) {
  Settings settings = with("connections_per_client: 2");
  settings.own_binary = true;
  Baton baton(settings);
  Client one(web);
  auto two = std::make_unique<Client>(web);
  EXPECT_TRUE(is_served(one) && is_served(*two));
  replace_file(baton.directory() / "behaviour", "Adopted exit");
  replace_file(baton.binary_path(), read_file(HOSTILE_SUCCESSOR), true);
  for (int i = 0; i < 2; ++i) {
    baton.failed_upgrade();
    expect_refused(web);
    EXPECT_TRUE(is_served(one) && is_served(*two));
  }
  two.reset();
  await_a_place(baton, 1);
  Client three(web);
  EXPECT_TRUE(is_served(three));
  expect_refused(web);
}

TEST_F(Connections, BeginToBeCountedByAReload) {
  Baton baton(with(""));
  Client one(web), two(web), three(web);
  EXPECT_TRUE(is_served(one) && is_served(two) && is_served(three));
  replace_file(baton.config_path(), to_yaml(with("connections_per_client: 2"), baton.directory()));
  baton.signal(SIGHUP);
  baton.await_log(log_lines::reload_done);
  expect_refused(web);
  EXPECT_TRUE(is_served(one) && is_served(two) && is_served(three)) << "what is there stays";
  replace_file(baton.config_path(), to_yaml(with(""), baton.directory()));
  baton.signal(SIGHUP);
  baton.await_log(log_lines::reload_done);
  Client four(web);
  EXPECT_TRUE(is_served(four));
}

// A proxy has as many connections as it likes; those who are named in its PROXY headers are counted.
TEST_F(Connections, BehindAProxyAreThoseOfTheClientsThatItNames) {
  Baton baton(with("connections_per_client: 2", ", proxy_protocol: accept", "trusted_proxies: 127.0.0.1\n"));
  const auto header = [](const std::string& client) { return "PROXY TCP4 " + client + " 10.0.0.1 4660 80\r\n"; };
  std::list<Client> clients;
  const auto begin = [&](const std::string& before) -> Client& {
    Client& client = clients.emplace_back(web);
    client.send(before + get_request("/bytes/3"));
    return client;
  };
  for (int i = 0; i < 2; ++i) EXPECT_EQ(begin(header("198.51.100.7")).response().status(), 200);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(begin("").response().status(), 200) << "the proxy itself";
  Client refused(web);
  refused.send(header("198.51.100.7"));
  refused.expect_fin();
  EXPECT_EQ(begin(header("198.51.100.8")).response().status(), 200);
  baton.upgrade();
  Client still(web);
  still.send(header("198.51.100.7"));
  still.expect_fin();
  // Nobody else escapes by sending nothing.
  Client silent(web, "127.0.0.2"), quiet(web, "127.0.0.2");
  await([&] { return baton.number("connections.total") == 10; }, "both to be accepted");
  expect_refused(web, "127.0.0.2");
}

}  // namespace
}  // namespace baton::harness
