// A split of a route in a running process: its distribution, and that a request keeps what it got.
#include "upgrade/changed.hpp"

namespace baton::harness {
namespace {

class RouteSplit : public Changed {
 protected:
  Settings with_split(const std::string& split, const std::string& more_upstreams = "", unsigned workers = 1) const {
    Settings settings = with(listener("web", web), upstream("one", one) + upstream("two", two) + more_upstreams +
                                                       "routes:\n  - { name: shared, split: [ " + split + " ] }\n");
    settings.workers = workers;
    settings.log = "access: { path: \"-\", format: json }";
    return settings;
  }
  static void answer_as(Origin& server, const std::string& name) {
    server.on("/who", [name](Exchange& exchange) { exchange.respond(name); });
  }
  void SetUp() override {
    answer_as(one, "one");
    answer_as(two, "two");
  }
  // How many of so many requests, all on one connection, go to `two`.
  static int to_two(Client& client, int requests) {
    int count = 0;
    for (int i = 0; i < requests; ++i) count += client.get("/who").body == "two" ? 1 : 0;
    return count;
  }

  Origin one, two;
};

INSTANTIATE_TEST_SUITE_P(By, RouteSplit, testing::Values(Way::upgrade, Way::reload), name_of);

TEST_P(RouteSplit, EachUpstreamGetsExactlyItsShare) {
  Baton baton(with_split("{ upstream: one, weight: 3 }, { upstream: two, weight: 1 }"));
  Client client(web);
  EXPECT_EQ(to_two(client, 40), 10);
  change(baton, with_split("{ upstream: one, weight: 1 }, { upstream: two, weight: 4 }"));
  EXPECT_EQ(to_two(client, 40), 32);
  change(baton, with_split("{ upstream: one, weight: 0 }, { upstream: two, weight: 1 }"));
  EXPECT_EQ(to_two(client, 10), 10);
}

TEST_P(RouteSplit, TheAccessLogNamesTheUpstream) {
  Baton baton(with_split("{ upstream: two, weight: 1 }, { upstream: one, weight: 0 }"));
  Client client(web);
  client.get("/who");
  baton.await_access_log(std::regex(R"("upstream":"127\.0\.0\.1:[0-9]+","upstream_name":"two")"));
}

// It waits for a connection to the upstream that it was given. By the new weights it would go to the other one.
TEST_P(RouteSplit, ARequestKeepsItsUpstreamWhileItWaits) {
  const FullBacklog full;
  const std::string silent =
      "  - { name: silent, servers: [ { address: \"" + loopback(full.port()).text() + "\" } ] }\n";
  Baton baton(with_split("{ upstream: silent, weight: 1 }, { upstream: two, weight: 0 }", silent));
  Client client(web);
  client.send(get_request("/who"));
  baton.await_number("connections.exchange", 1);
  const std::string there = "  - { name: silent, servers: [ { address: \"" + one.address().text() + "\" } ] }\n";
  change(baton, with_split("{ upstream: silent, weight: 0 }, { upstream: two, weight: 1 }", there));
  EXPECT_EQ(client.response().body, "one");
  EXPECT_EQ(client.get("/who").body, "two");
}

TEST_P(RouteSplit, ARequestWhoseUpstreamLeftTheSplitGetsAnother) {
  const FullBacklog full;
  const std::string silent =
      "  - { name: silent, servers: [ { address: \"" + loopback(full.port()).text() + "\" } ] }\n";
  Baton baton(with_split("{ upstream: silent, weight: 1 }", silent));
  Client client(web);
  client.send(get_request("/who"));
  baton.await_number("connections.exchange", 1);
  change(baton, with_split("{ upstream: two, weight: 1 }", silent));
  EXPECT_EQ(client.response().body, "two");
}

}  // namespace
}  // namespace baton::harness
