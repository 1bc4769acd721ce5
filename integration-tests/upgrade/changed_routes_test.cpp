// Routes: each request goes where its host and path say. If its route changes under it, by an upgrade or a reload, it
// takes the new one until it has been sent; afterwards it ends where it is.
#include "upgrade/changed.hpp"

namespace baton::harness {
namespace {

class ChangedRoutes : public Changed {
 protected:
  // The rest of a file with two upstreams and these routes: "  - { … }\n".
  Settings with_routes(const std::string& routes, const std::string& more_upstreams = "") const {
    return with(listener("web", web), upstream("one", one) + upstream("two", two) + more_upstreams + "routes:\n" + routes);
  }
  Settings all_to(const std::string& upstream_name, const std::string& more_upstreams = "") const {
    return with_routes("  - { upstream: " + upstream_name + " }\n", more_upstreams);
  }

  static std::string get(const std::string& host, const std::string& path) {
    return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
  }
  static void answer_as(Origin& origin, const std::string& name) {
    origin.on("/who", [name](Exchange& exchange) { exchange.respond(name); });
    origin.on("/v1/who", [name](Exchange& exchange) { exchange.respond(name); });
    origin.on("/late", [name](Exchange& exchange) {
      exchange.origin.gate().pass();
      exchange.respond(name);
    });
  }
  static std::string ask(Client& client, const std::string& host, const std::string& path) {
    client.send(get(host, path));
    return client.response().body;
  }

  void SetUp() override {
    answer_as(one, "one");
    answer_as(two, "two");
  }

  Origin one, two;
};

INSTANTIATE_TEST_SUITE_P(By, ChangedRoutes, testing::Values(Way::upgrade, Way::reload), name_of);

TEST_P(ChangedRoutes, EachRequestGoesWhereItsHostAndPathSay) {
  Baton baton(with_routes("  - { match: { host: \"*.api.test\" }, upstream: two }\n"
                          "  - { match: { path_prefix: /v1 }, upstream: two }\n"
                          "  - { upstream: one }\n"));
  Client client(web);
  EXPECT_EQ(ask(client, "web.test", "/who"), "one");
  EXPECT_EQ(ask(client, "B.api.test:80", "/who"), "two");
  EXPECT_EQ(ask(client, "web.test", "/v1/who"), "two");
  change(baton, with_routes("  - { match: { host: web.test }, upstream: two }\n"));
  EXPECT_EQ(ask(client, "web.test", "/who"), "two") << "on the same connection";
  client.send(get("b.api.test", "/who"));
  EXPECT_EQ(client.response().status(), 404) << "no route is left for it";
}

TEST_P(ChangedRoutes, AHeadThatIsNotWholeGoesByTheNewOne) {
  Baton baton(all_to("one"));
  Client client(web);
  client.send("GET /who HTTP/1.1\r\nHo");
  baton.await_number("connections.head", 1);
  change(baton, all_to("two"));
  client.send("st: a\r\n\r\n");
  EXPECT_EQ(client.response().body, "two");
}

TEST_P(ChangedRoutes, ARequestThatWaitsForItsServerGoesByTheNewOne) {
  const FullBacklog full;
  const std::string silent = "  - { name: silent, servers: [ { address: \"" + loopback(full.port()).text() + "\" } ] }\n";
  Baton baton(all_to("silent", silent));
  Client client(web);
  client.send(get("a", "/who"));
  baton.await_number("connections.exchange", 1);
  change(baton, all_to("two", silent));
  EXPECT_EQ(client.response().body, "two");
}

TEST_P(ChangedRoutes, ARequestThatWaitsForItsServerAndHasNoRouteAnyMoreIsNotFound) {
  const FullBacklog full;
  const std::string silent = "  - { name: silent, servers: [ { address: \"" + loopback(full.port()).text() + "\" } ] }\n";
  Baton baton(all_to("silent", silent));
  Client client(web);
  client.send(get("a", "/who"));
  baton.await_number("connections.exchange", 1);
  change(baton, with_routes("  - { match: { host: b }, upstream: two }\n"));
  EXPECT_EQ(client.response().status(), 404);
}

TEST_P(ChangedRoutes, ARequestThatWasSentEndsWhereItIs) {
  Baton baton(all_to("one"));
  Client asked(web), uploading(web), downloading(web), websocket(web);
  asked.send(get("a", "/late"));
  const std::string upload = post_request("/count", pattern(1000));
  uploading.send(upload.substr(0, upload.size() - 500));
  downloading.send(get("a", "/half/5000"));
  EXPECT_EQ(websocket.get("/websocket", websocket_fields).status(), 101);
  one.gate().await_arrivals(2);
  one.await_requests(4);
  change(baton, all_to("two"));
  uploading.send(upload.substr(upload.size() - 500));
  EXPECT_EQ(uploading.response().status(), 200);
  one.gate().open();
  EXPECT_EQ(asked.response().body, "one");
  EXPECT_EQ(downloading.response().body, pattern(5000));
  websocket.send("still here");
  EXPECT_EQ(websocket.read_exactly(10), "still here");
  EXPECT_TRUE(two.requests().empty());
  for (Client* client : {&asked, &uploading, &downloading}) EXPECT_EQ(ask(*client, "a", "/who"), "two");
}

TEST_P(ChangedRoutes, AnUpstreamThatIsGoneServesWhatWasSentToIt) {
  Baton baton(with_routes("  - { match: { path: /late }, upstream: one }\n  - { upstream: two }\n"));
  Client client(web);
  client.send(get("a", "/late"));
  one.gate().await_arrivals(1);
  change(baton, with(listener("web", web), upstream("two", two)));
  one.gate().open();
  EXPECT_EQ(client.response().body, "one");
  EXPECT_EQ(ask(client, "a", "/who"), "two");
}

}  // namespace
}  // namespace baton::harness
