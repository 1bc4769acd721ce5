// A connection of HTTP/2 with every kind of stream, before, between and after some upgrades.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "harness/http2_client.hpp"
#include "harness/origin.hpp"

namespace baton::harness {

inline void expect_every_kind_goes_on(const Address& to, Origin& origin, const std::function<void()>& upgrade) {
  Http2Client client(to, {.stream_window = 10'000, .updates_windows = false});
  const std::int32_t held = client.begin_get("/held");
  origin.gate().await_arrivals(1);
  const std::int32_t stalled = client.begin_get("/bytes/50000");
  const std::int32_t upload = client.begin_post("/count");
  const std::int32_t counted = client.begin_post("/count", {{"content-length", "30000"}});
  const std::int32_t socket = client.begin_websocket("/websocket");
  client.await_head(socket);
  std::string tunnelled;
  for (int i = 0; i < 3; ++i) {
    const std::string piece = pattern(30'000).substr(static_cast<std::size_t>(i) * 10'000, 10'000);
    client.send(upload, piece);
    client.send(counted, piece);
    client.send(socket, "tick");
    tunnelled += "tick";
    EXPECT_EQ(client.await_body(socket, tunnelled.size()).body, tunnelled);
    upgrade();
    client.update_window(stalled, 10'000);
    client.update_window(0, 10'000);
  }
  EXPECT_EQ(client.await_body(stalled, 40'000).body.size(), 40'000u);
  client.update_window(stalled, 10'000);
  client.update_window(0, 10'000);
  EXPECT_EQ(client.await_end(stalled).body, pattern(50'000));
  client.send(upload, "", true);
  client.send(counted, "", true);
  EXPECT_EQ(client.await_end(upload).body, "30000 as sent");
  EXPECT_EQ(client.await_end(counted).body, "30000 as sent");
  origin.gate().open();
  EXPECT_EQ(client.await_end(held).body, "held");
  client.send(socket, "", true);
  EXPECT_TRUE(client.await_end(socket).ended);
  EXPECT_FALSE(client.goaway());
}

}  // namespace baton::harness
