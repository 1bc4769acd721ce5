// Whom a proxy in front of Baton names as the client: in what servers get, in the log, and across an upgrade.
#include <gtest/gtest.h>

#include <list>
#include <regex>

#include "harness/baton.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

Settings settings_for(const Origin& origin, const std::string& more) {
  Settings settings(origin.address());
  settings.log = "access: { path: \"-\", format: json }";
  settings.handoff += ", finish_timeout: 100ms";
  settings.more = more;
  return settings;
}

std::regex json_line_of(const std::string& client, const std::string& path) {
  return std::regex(R"(^\{"time":"[^"]*","client":")" + client + R"(","listener":"[^"]*","request":"GET )" + path +
                    " ");
}

const std::string all_kinds = "forwarded: [ x_forwarded, forwarded, x_real_ip ]\n";

TEST(TrustedProxies, AreBelievedAndThePeerIsAdded) {
  Origin origin;
  Baton baton(settings_for(origin, "trusted_proxies: [ 127.0.0.0/8, 10.0.0.0/8 ]\n" + all_kinds));
  Client client = baton.connect();
  EXPECT_EQ(
      client.get("/echo", "X-Forwarded-For: 6.6.6.6, 198.51.100.7, 10.1.1.1\r\nX-Forwarded-Proto: https\r\n").status(),
      200);
  const Request seen = origin.last_request();
  EXPECT_EQ(seen.field("X-Forwarded-For"), "198.51.100.7, 10.1.1.1, 127.0.0.1");
  EXPECT_EQ(seen.field("X-Forwarded-Proto"), "https");
  EXPECT_EQ(seen.field("X-Forwarded-Host"), "test.example");
  EXPECT_EQ(seen.field("Forwarded"), "for=198.51.100.7;host=\"test.example\";proto=https, for=10.1.1.1, for=127.0.0.1");
  EXPECT_EQ(seen.field("X-Real-IP"), "198.51.100.7");
  baton.await_access_log(json_line_of("198\\.51\\.100\\.7", "/echo"));
  EXPECT_EQ(client.get("/direct").status(), 404);
  EXPECT_EQ(origin.last_request().field("X-Forwarded-For"), "127.0.0.1");
  baton.await_access_log(json_line_of("127\\.0\\.0\\.1", "/direct"));
}

// Else a proxy's own address would pass where its clients' do not.
TEST(TrustedProxies, AreThoseOfAllOnceTheListenerIsGone) {
  Origin origin;
  Settings settings = settings_for(origin, "trusted_proxies: [ 127.0.0.0/8 ]\n");
  const auto listener = [&](const std::string& name) {
    return "listeners:\n  - { name: " + name + ", bind: \"" + settings.binds.front().text() +
           "\" }\nupstreams:\n  - { name: app, servers: [ { address: \"" + origin.address().text() + "\" } ] }\n";
  };
  settings.binds = {loopback(free_port())};
  settings.topology = listener("before");
  Baton baton(settings);
  Client reloaded = baton.connect(), upgraded = baton.connect();
  for (Client* client : {&reloaded, &upgraded}) client->get("/echo", "X-Forwarded-For: 198.51.100.7\r\n");
  const auto expect_believed = [&](Client& client) {
    EXPECT_EQ(client.get("/echo", "X-Forwarded-For: 198.51.100.7\r\n").status(), 200);
    EXPECT_EQ(origin.last_request().field("X-Forwarded-For"), "198.51.100.7, 127.0.0.1");
  };
  settings.topology = listener("after");
  baton.reload(settings);
  expect_believed(reloaded);
  std::string text = read_file(baton.config_path());
  text.replace(text.find("after"), 5, "later");
  replace_file(baton.config_path(), text);
  baton.upgrade();
  expect_believed(upgraded);
}

TEST(TrustedProxies, NobodyElseIsBelieved) {
  Origin origin;
  Baton baton(settings_for(origin, "trusted_proxies: [ 10.0.0.0/8 ]\n" + all_kinds));
  Client client = baton.connect();
  EXPECT_EQ(
      client.get("/echo", "X-Forwarded-For: 198.51.100.7\r\nForwarded: for=\"\r\nX-Real-IP: 6.6.6.6\r\n").status(),
      200);
  const Request seen = origin.last_request();
  EXPECT_EQ(seen.field("X-Forwarded-For"), "127.0.0.1");
  EXPECT_EQ(seen.field("Forwarded"), "for=127.0.0.1;host=\"test.example\";proto=http");
  EXPECT_EQ(seen.field("X-Real-IP"), "127.0.0.1");
}

TEST(TrustedProxies, OfAListenerReplaceThoseOfAll) {
  Origin origin;
  TempDir dir;
  Settings settings;
  const Address open = loopback(free_port());
  const Address path = unix_socket(dir / "web.sock");
  settings.binds = {open};
  settings.topology = "listeners:\n  - { name: open, bind: \"" + open.text() + "\" }\n  - { name: path, bind: \"" +
                      path.text() +
                      "\", trusted_proxies: [ unix ] }\nupstreams:\n  - { name: app, servers: [ { address: \"" +
                      origin.address().text() + "\" } ] }\n";
  settings.more = "trusted_proxies: 127.0.0.1\n";
  Baton baton(settings);
  for (const auto& [to, sees] : {std::pair{open, "198.51.100.7, 127.0.0.1"}, {path, "198.51.100.7"}}) {
    Client client(to);
    EXPECT_EQ(client.get("/echo", "X-Forwarded-For: 198.51.100.7\r\n").status(), 200);
    EXPECT_EQ(origin.last_request().field("X-Forwarded-For"), sees);
  }
}

// Else a client could say who it is as soon as its listener is gone: on a listener for the public there is no proxy.
TEST(TrustedProxies, OfAListenerHoldForItsConnectionsWhenItIsGone) {
  Origin origin;
  Settings settings;
  const Address open = loopback(free_port());
  const Address other = loopback(free_port());
  settings.binds = {other};
  const auto topology = [&](const std::string& public_one) {
    return "listeners:\n" + public_one + "  - { name: other, bind: \"" + other.text() +
           "\" }\nupstreams:\n  - { name: app, servers: [ { address: \"" + origin.address().text() + "\" } ] }\n";
  };
  settings.topology = topology("  - { name: open, bind: \"" + open.text() + "\", trusted_proxies: [] }\n");
  settings.more = "trusted_proxies: 127.0.0.1\n";
  Baton baton(settings);
  const auto believed = [&](Client& client) {
    EXPECT_EQ(client.get("/echo", "X-Forwarded-For: 198.51.100.7\r\n").status(), 200);
    return origin.last_request().field("X-Forwarded-For") != "127.0.0.1";
  };
  std::list<Client> clients;
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(believed(clients.emplace_back(open))) << "no proxy is trusted there";
  const auto next_is_believed = [&] {
    const bool is = believed(clients.back());
    clients.pop_back();
    return is;
  };
  const std::string before = settings.topology;
  settings.topology = topology("");
  baton.reload(settings);
  EXPECT_FALSE(next_is_believed()) << "after a reload";
  baton.upgrade();
  EXPECT_FALSE(next_is_believed()) << "after an upgrade";
  baton.upgrade();
  baton.reload(settings);
  EXPECT_FALSE(next_is_believed()) << "after several";
  settings.topology = before;
  settings.topology.replace(settings.topology.find("[]"), 2, "[ 127.0.0.1 ]");
  baton.reload(settings);
  EXPECT_TRUE(next_is_believed()) << "it is there again and says something else";
  settings.topology = before;
  baton.reload(settings);
  settings.topology = topology("");
  replace_file(baton.config_path(), to_yaml(settings, baton.directory()));
  baton.upgrade();
  EXPECT_FALSE(next_is_believed()) << "the upgrade itself removes it";
}

// A request in the middle of its response, and one whose head is half there, move.
TEST(TrustedProxies, TheClientAndTheIdSurviveAnUpgrade) {
  Origin origin;
  origin.on("/late", [](Exchange& exchange) {
    exchange.origin.gate().pass();
    exchange.respond("late", "200 OK", "X-Request-Id: server\r\n");
  });
  Baton baton(settings_for(origin, "trusted_proxies: 127.0.0.1\nrequest_id: { trust: true }\n"));
  Client waiting = baton.connect();
  waiting.send(get_request("/late", "X-Forwarded-For: 198.51.100.7\r\nX-Request-Id: mine-1\r\n"));
  origin.await_requests(1);
  Client half = baton.connect();
  half.send("GET /echo HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.");
  baton.await_number("connections.head", 1);
  const std::string report = baton.upgrade();
  EXPECT_NE(report.find("taken_back=0, refused=0"), std::string::npos) << report;
  origin.gate().open();
  const Response late = waiting.response();
  EXPECT_EQ(late.body, "late");
  EXPECT_EQ(late.field("X-Request-Id"), "mine-1");
  const std::string line = baton.await_access_log(json_line_of("198\\.51\\.100\\.7", "/late"));
  EXPECT_NE(line.find("\"request_id\":\"mine-1\""), std::string::npos) << line;
  half.send("100.8\r\n\r\n");
  EXPECT_EQ(half.response().status(), 200);
  EXPECT_EQ(origin.last_request().field("X-Forwarded-For"), "198.51.100.8, 127.0.0.1");
  baton.await_access_log(json_line_of("198\\.51\\.100\\.8", "/echo"));
}

TEST(TrustedProxies, AReloadChangesThemForLiveConnections) {
  Origin origin;
  Settings settings = settings_for(origin, "trusted_proxies: 127.0.0.1\n");
  settings.binds = {loopback(free_port())};
  Baton baton(settings);
  Client client = baton.connect();
  EXPECT_EQ(client.get("/echo", "X-Forwarded-For: 198.51.100.7\r\n").status(), 200);
  EXPECT_EQ(origin.last_request().field("X-Forwarded-For"), "198.51.100.7, 127.0.0.1");
  settings.more = "trusted_proxies: []\ntracing: propagate\n";
  baton.reload(settings);
  EXPECT_EQ(client.get("/echo", "X-Forwarded-For: 198.51.100.7\r\n").status(), 200);
  EXPECT_EQ(origin.last_request().field("X-Forwarded-For"), "127.0.0.1");
  EXPECT_TRUE(origin.last_request().field("traceparent"));
}

}  // namespace
}  // namespace baton::harness
