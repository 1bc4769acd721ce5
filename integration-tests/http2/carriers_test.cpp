// How many connections there are to a server of HTTP/2, and which streams get one first.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

#include "http2/chain.hpp"

namespace baton::harness {
namespace {

class Carriers : public Chain {
 protected:
  // `more`: of the upstream, as YAML.
  void begin(const std::string& server, const std::string& more) {
    back.emplace(back_settings());
    Settings settings;
    settings.binds = {web};
    settings.workers = 1;
    settings.topology = "listeners: [ { name: web, bind: \"" + web.text() +
                        "\" } ]\n"
                        "upstreams:\n  - name: web\n    protocol: http2\n    servers: [ { address: \"" +
                        back->address().text() + "\"" + server + " } ]\n" + more;
    front.emplace(settings);
  }

  const Address web = loopback(free_port());
};

// One stream keeps it from ever being idle.
TEST_F(Carriers, GetNoMoreRequestsThanKeepAliveAllows) {
  begin("", "    keep_alive: { requests: 3 }\n");
  Http2Client client(web);
  const std::int32_t held = client.begin_get("/held");
  origin.gate().await_arrivals(1);
  for (const int expected : {1, 1, 2, 2, 2, 3}) {
    EXPECT_EQ(client.get("/bytes/10").body, pattern(10));
    EXPECT_EQ(carriers(), expected);
  }
  origin.gate().open();
  EXPECT_EQ(client.await_end(held).body, "held") << "what is open goes on to its end";
  back->await_number("connections.total", 1);
}

TEST_F(Carriers, GetNoMoreRequestsOnceTheyAreOld) {
  begin("", "    keep_alive: { age: 1s }\n");
  Http2Client client(web);
  const std::int32_t held = client.begin_get("/held");
  origin.gate().await_arrivals(1);
  await([&] { return client.get("/bytes/10").status == 200 && carriers() == 2; }, "another connection");
  origin.gate().open();
  EXPECT_EQ(client.await_end(held).body, "held");
}

// Streams that wait for one to connect have their places at the server already.
TEST_F(Carriers, AreConnectedForThoseThatHaveTheirPlaces) {
  begin(", max_connections: 3", "    queue: { at_most: 10, wait: 60s }\n");
  std::vector<std::string> arrived;
  origin.on("*", [&](Exchange& exchange) {
    exchange.origin.gate().pass();
    exchange.respond("held");
  });
  Http2Client client(web);
  back->signal(SIGSTOP);  // so that no connection to it is ready
  std::vector<std::int32_t> streams;
  for (int i = 1; i <= 5; ++i) streams.push_back(client.begin_get("/" + std::to_string(i)));
  client.ping();
  back->signal(SIGCONT);
  origin.gate().await_arrivals(3);
  for (const Request& one : origin.requests()) arrived.push_back(one.target());
  std::ranges::sort(arrived);
  EXPECT_EQ(arrived, (std::vector<std::string>{"/1", "/2", "/3"}));
  origin.gate().open();
  for (const std::int32_t one : streams) EXPECT_EQ(client.await_end(one).body, "held");
}

}  // namespace
}  // namespace baton::harness
