// When a request is sent again, and to which server.
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "proxy/servers.hpp"

namespace baton::harness {
namespace {

class Retries : public Servers {};

TEST_F(Retries, ARequestThatIsRefusedGoesToAnotherServerIfItsRouteSaysSo) {
  routes = "routes: [ { upstream: app, retries: { on: [ 503 ], budget: 100% } } ]\n";
  begin(2, "", {}, 1);
  origin(1).on("/busy", [](Exchange& exchange) {
    exchange.origin.gate().pass();
    exchange.respond("busy", "503 Service Unavailable");
  });
  origin(2).on("/busy", [](Exchange& exchange) { exchange.respond("done"); });
  // The first one moves to a successor, which has to send it again.
  settings.handoff += ", finish_timeout: 0s";
  baton->reload(settings);
  Client client = baton->connect();
  client.send(get_request("/busy"));
  origin(1).gate().await_arrivals(1);
  baton->upgrade();
  origin(1).gate().open();
  EXPECT_EQ(client.response().body, "done");
  for (int i = 0; i < 4; ++i) EXPECT_EQ(client.get("/busy").body, "done");
  int refused = 0;
  for (int i = 0; i < 4; ++i) refused += client.post("/busy", "x").status() == 503 ? 1 : 0;
  EXPECT_EQ(refused, 2) << "a POST is not sent twice";
}

TEST_F(Retries, WhereARequestHasFailedIsKnownAfterAnUpgrade) {
  routes = "routes: [ { upstream: app, retries: { attempts: 3, on: [ 503 ], budget: 100% } } ]\n";
  begin(3, "", {}, 1);
  const auto busy = [](Exchange& exchange) { exchange.respond("busy", "503 Service Unavailable"); };
  origin(1).on("/busy", busy);
  origin(2).on("/busy", [busy](Exchange& exchange) {
    exchange.origin.gate().pass();
    busy(exchange);
  });
  origin(3).on("/busy", [](Exchange& exchange) { exchange.respond("done"); });
  settings.handoff += ", finish_timeout: 0s";
  baton->reload(settings);
  Client client = baton->connect();
  client.send(get_request("/busy"));
  origin(2).gate().await_arrivals(1);
  baton->upgrade();
  origin(2).gate().open();
  EXPECT_EQ(client.response().body, "done");
  EXPECT_EQ(origin(1).requests().size(), 1u) << "the successor does not ask it again";
}

TEST_F(Retries, ARequestThatMustNotBeSentAgainIsNotIfAPooledConnectionIsLost) {
  for (const auto& [retries, times] :
       {std::pair{"{ on: [ reset ] }", 3u}, {"{ on: [ connect ] }", 1u}, {"{ attempts: 1 }", 1u}}) {
    routes = fmt::format("routes: [ {{ upstream: app, retries: {} }} ]\n", retries);
    origins.clear();
    begin(1, "", {}, 1);
    Client client = baton->connect();
    EXPECT_EQ(client.get("/who").status(), 200);
    EXPECT_EQ(client.get("/vanish").status(), 502);
    EXPECT_EQ(origin(1).requests().size(), 1 + times) << retries;
  }
}

// Without `retries`, whatever else the upstream lists.
TEST_F(Retries, ARequestGoesToEachServerOnce) {
  begin(4, "", {"", "drain: true", "drain: true", "backup: true"});
  EXPECT_EQ(baton->connect().get("/vanish").status(), 502);
  EXPECT_EQ(origin(1).requests().size(), 1u);
  EXPECT_EQ(origin(4).requests().size(), 1u) << "and then to the backup";
  reload("", {"", "", "drain: true", "drain: true"});
  EXPECT_EQ(baton->connect().get("/vanish").status(), 502);
  EXPECT_EQ(origin(1).requests().size() + origin(2).requests().size(), 3u) << "once to each of the two";
}

}  // namespace
}  // namespace baton::harness
