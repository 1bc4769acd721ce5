// Connections that have streams on connections to servers, and a successor that does not keep them, or does not know
// them.
#include <gtest/gtest.h>

#include "harness/log_lines.hpp"
#include "http2/chain.hpp"

namespace baton::harness {
namespace {

class MovesBack : public Chain {
 protected:
  void begin_own() {
    back.emplace(back_settings());
    Settings settings = front_settings();
    settings.own_binary = true;
    front.emplace(settings);
  }
};

// What a successor that then ends had adopted comes back.
TEST_F(MovesBack, FromASuccessorThatFails) {
  begin_own();
  Http2Client client(front->address());
  const std::int32_t held = client.begin_get("/held");
  const std::int32_t socket = client.begin_websocket("/websocket");
  client.await_head(socket);
  Client one(front->address());
  one.send(get_request("/held"));
  origin.gate().await_arrivals(2);
  replace_file(front->directory() / "behaviour", "Adopted exit");
  replace_file(front->binary_path(), read_file(HOSTILE_SUCCESSOR), true);
  for (int i = 0; i < 3; ++i) {
    front->failed_upgrade();
    client.send(socket, "tick");
    client.await_body(socket, 4 * static_cast<std::size_t>(i + 1));
  }
  origin.gate().open();
  EXPECT_EQ(client.await_end(held).body, "held");
  EXPECT_EQ(one.response().body, "held");
  EXPECT_EQ(one.get("/bytes/10").body, pattern(10));
  EXPECT_EQ(carriers(), 2);
}

// It knows no connections to servers of HTTP/2, so the old process serves to the end what has some.
TEST_F(MovesBack, FromAnOlderVersion) {
  begin_own();
  Http2Client client(front->address());
  const std::int32_t held = client.begin_get("/held");
  Client one(front->address());
  one.send(get_request("/held"));
  Client idle(front->address());
  EXPECT_EQ(idle.get("/bytes/10").body, pattern(10));
  origin.gate().await_arrivals(2);
  replace_file(front->directory() / "relay", "plain");
  replace_file(front->binary_path(), read_file(RELAY), true);
  front->begin_upgrade();
  const std::string report = front->await_log(log_lines::upgrade_report);
  EXPECT_NE(report.find("left_behind=2"), std::string::npos) << report;
  origin.gate().open();
  EXPECT_EQ(client.await_end(held).body, "held");
  EXPECT_EQ(one.response().body, "held");
  client.await_goaway();
  EXPECT_EQ(idle.get("/bytes/10").body, pattern(10));
}

}  // namespace
}  // namespace baton::harness
