// `access` of tcp listeners and their routes: whose connections are relayed, by address.
#include <gtest/gtest.h>

#include "upgrade/changed.hpp"

namespace baton::harness {
namespace {

class TcpAccess : public Changed {
 protected:
  Settings allowing(const std::string& keys) const {
    return with("  - { name: raw, bind: \"" + web.text() + "\", protocol: tcp, upstream: app" + keys + " }\n",
                upstream("app", origin));
  }
  // The listener believes what a PROXY header says of the client.
  Settings behind_proxies(const std::string& keys) const {
    return allowing(", proxy_protocol: require, trusted_proxies: 127.0.0.1" + keys);
  }
  static std::string header(const std::string& client) { return "PROXY TCP4 " + client + " 10.1.1.2 1 2\r\n"; }
  void expect_served(const std::string& client_address) const {
    Client client(web);
    client.send(header(client_address));
    EXPECT_EQ(client.get("/bytes/3").body, pattern(3)) << client_address;
  }
  void expect_denied(const std::string& client_address) const {
    Client client(web);
    client.send(header(client_address));
    client.expect_fin();
  }
};

INSTANTIATE_TEST_SUITE_P(By, TcpAccess, testing::Values(Way::upgrade, Way::reload), name_of);

TEST_P(TcpAccess, GoesByTheAddressInAPROXYHeader) {
  Baton baton(behind_proxies(", access: { allow: [ 10.0.0.0/8 ], deny: [ 10.6.6.0/24 ] }"));
  expect_served("10.1.2.3");
  expect_denied("10.6.6.3");
  expect_denied("192.0.2.1");
  EXPECT_EQ(baton.number("access_refusals_total"), 2);
  baton.await_log(std::regex("the connection of 10\\.6\\.6\\.3:1 on raw is closed: its address has no access"));
}

TEST_P(TcpAccess, OfARouteIsForItsConnections) {
  Baton baton(
      behind_proxies(", routes: [ { match: { client: 10.0.0.0/8 }, upstream: app, "
                     "access: { deny: 10.6.6.0/24 } } ], access: { deny: 192.0.2.1 }"));
  expect_served("10.1.2.3");
  expect_served("192.0.2.2");
  expect_denied("10.6.6.3");
  expect_denied("192.0.2.1");
  EXPECT_EQ(baton.number("access_refusals_total"), 2);
}

TEST_P(TcpAccess, ChangesForNewConnectionsOnly) {
  Baton baton(allowing(", access: { allow: 127.0.0.0/8 }"));
  Client old(web);
  EXPECT_EQ(old.get("/bytes/1").body, pattern(1));
  change(baton, allowing(", access: { deny: 127.0.0.0/8 }"));
  EXPECT_EQ(old.get("/bytes/30000").body, pattern(30'000));
  Client denied(web);
  denied.expect_fin();
  change(baton, allowing(""));
  EXPECT_EQ(baton.number("access_refusals_total"), 1) << "over all generations";
  EXPECT_EQ(Client(web).get("/bytes/2").body, pattern(2));
  EXPECT_EQ(old.get("/bytes/30000").body, pattern(30'000));
}

TEST_P(TcpAccess, AConnectionThatHasNotSaidWhoItIsIsJudgedByTheNewList) {
  Baton baton(behind_proxies(", access: { deny: 10.6.6.0/24 }"));
  Client one(web);
  Client other(web);
  one.send(header("10.1.1.3").substr(0, 20));
  other.send(header("10.6.6.3").substr(0, 20));
  baton.await_number("connections.head", 2);
  change(baton, behind_proxies(", access: { deny: 10.1.1.0/24 }"));
  one.send(header("10.1.1.3").substr(20));
  one.expect_fin();
  other.send(header("10.6.6.3").substr(20));
  EXPECT_EQ(other.get("/bytes/3").body, pattern(3));
}

}  // namespace
}  // namespace baton::harness
