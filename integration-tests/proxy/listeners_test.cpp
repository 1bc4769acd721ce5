// The kinds of socket on both sides, raw TCP, and what the status counts.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "harness/aftermath.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

TEST(Listeners, UnixSocketsOnBothSides) {
  TempDir dir;
  Origin origin(unix_socket(dir / "origin.sock"));
  Settings settings(origin.address());
  settings.binds = {unix_socket(dir / "web.sock")};
  Baton baton(settings);
  EXPECT_EQ(baton.connect().get("/bytes/1000").body, pattern(1000));
  EXPECT_EQ(baton.connect().get("/echo").body.substr(0, 4), "GET ");
}

TEST(Listeners, Ipv6OnBothSides) {
  Origin origin(loopback_v6(0));
  Settings settings(origin.address());
  settings.binds = {loopback_v6(free_port())};
  Baton baton(settings);
  EXPECT_EQ(baton.connect().get("/bytes/1000").body, pattern(1000));
  baton.connect().get("/echo");
  EXPECT_EQ(origin.last_request().field("X-Forwarded-For"), "::1");
}

TEST(Listeners, SeveralAddressesOfOne) {
  Origin origin;
  Settings settings(origin.address());
  settings.binds = {loopback(free_port()), loopback(free_port())};
  Baton baton(settings);
  for (const Address& address : settings.binds) EXPECT_EQ(Client(address).get("/bytes/3").body, pattern(3));
}

// Of several new addresses the last one is taken: the others had been bound already.
class AFailingBind : public testing::Test {
 protected:
  void add_addresses(const std::vector<Address>& addresses) {
    std::string yaml = good;
    const std::string own = "\"" + baton.address().text() + "\"";
    std::string list = own;
    for (const Address& address : addresses) list += ", \"" + address.text() + "\"";
    yaml.replace(yaml.find(own), own.size(), list);
    replace_file(baton.config_path(), yaml);
  }
  void expect_no_trace() {
    EXPECT_FALSE(std::filesystem::exists(added.unix_path));
    EXPECT_EQ(client.get("/bytes/2").body, pattern(2));
    expect_one_instance(baton);
  }

  Origin origin;
  Baton baton{Settings(origin.address())};
  const std::string good = read_file(baton.config_path());
  const TempDir directory;
  const Address added = unix_socket(directory / "added.sock");
  Client client = baton.connect();
};

TEST_F(AFailingBind, InAReloadLeavesNoPathBehind) {
  client.get("/bytes/1");
  add_addresses({added, origin.address()});
  baton.signal(SIGHUP);
  baton.await_log(log_lines::reload_failed);
  expect_no_trace();
  add_addresses({added});
  baton.signal(SIGHUP);
  baton.await_log(log_lines::reload_done);
  EXPECT_EQ(Client(added).get("/bytes/3").body, pattern(3));
}

TEST_F(AFailingBind, InAnUpgradeLeavesNoPathBehind) {
  client.get("/bytes/1");
  add_addresses({added, origin.address()});
  baton.failed_upgrade();
  expect_no_trace();
  add_addresses({added});
  baton.upgrade();
  EXPECT_EQ(Client(added).get("/bytes/3").body, pattern(3));
  EXPECT_EQ(client.get("/bytes/4").body, pattern(4));
  expect_one_instance(baton);
}

// The operator's umask is for files and must not decide who may connect.
TEST(UnixListeners, HaveTheirModesWhateverTheUmask) {
  Origin origin;
  const TempDir directory;
  Settings settings(origin.address());
  settings.binds = {unix_socket(directory / "web.sock")};
  settings.shell = "umask 0177";
  const Baton baton(settings);
  using std::filesystem::perms;
  EXPECT_EQ(std::filesystem::status(directory / "web.sock").permissions(), perms(0666));
  for (const char* ours_alone : {"admin.sock", "handoff.sock"})
    EXPECT_EQ(std::filesystem::status(baton.directory() / ours_alone).permissions(), perms(0600)) << ours_alone;
}

class RawTcp : public testing::Test {
 protected:
  RawTcp() {
    settings.protocol = "tcp";
    baton = std::make_unique<Baton>(settings);
  }
  Origin origin;
  Settings settings{origin.address()};
  std::unique_ptr<Baton> baton;
};

TEST_F(RawTcp, RelaysWithoutLooking) {
  Client client = baton->connect();
  client.send("GET /echo HTTP/1.1\r\nStrange : kept\r\n\r\n");
  client.expect_fin();  // the origin refuses such a head, so it did get it
  Client other = baton->connect();
  EXPECT_EQ(other.get("/echo").body, get_request("/echo")) << "not one byte is added";
}

TEST_F(RawTcp, AHalfCloseGoesThrough) {
  origin.on("/until-fin", [](Exchange& exchange) {
    const std::string sent = exchange.stream.read_to_fin();
    exchange.stream.send("got " + sent);
    exchange.close = true;
  });
  Client client = baton->connect();
  client.send(get_request("/until-fin") + "the rest");
  client.half_close();
  EXPECT_EQ(client.read_to_fin(), "got the rest");
}

TEST_F(RawTcp, AnUpstreamThatRefusesEndsTheConnection) {
  origin.refuse();
  Client client = baton->connect();
  std::string bytes;
  client.read_to_end(bytes);
  EXPECT_EQ(bytes, "");
}

TEST(Status, TellsWhereTheConnectionsAre) {
  Origin origin;
  Baton baton{Settings(origin.address())};
  Client idle = baton.connect(), head = baton.connect(), exchange = baton.connect(), tunnel = baton.connect();
  idle.get("/bytes/1");
  head.send("GET / HT");
  exchange.send(get_request("/held"));
  tunnel.send(get_request("/websocket", "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
  EXPECT_EQ(tunnel.response().status(), 101);
  origin.gate().await_arrivals(1);
  for (const char* state : {"connections.idle", "connections.head", "connections.exchange", "connections.tunnel"})
    baton.await_number(state, 1);
  EXPECT_EQ(baton.number("connections.total"), 4);
  EXPECT_EQ(baton.number("accepted_total"), 4);
  EXPECT_EQ(baton.number("generation"), 1);
  EXPECT_EQ(baton.number("pid"), baton.pid());
  EXPECT_TRUE(baton.status().at("last_upgrade").is_null());
  origin.gate().open();
  EXPECT_EQ(exchange.response().body, "held");
}

}  // namespace
}  // namespace baton::harness
