// Clients in those parts of a connection's life in which bytes are under way, each from an address of its own.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <set>
#include <string>

#include "harness/baton.hpp"

namespace baton::harness {

class BusyConnections {
 public:
  static constexpr int number = 6;
  static constexpr int idle = 3;  // they come first
  static bool is_idle(int client) { return client < idle; }

  explicit BusyConnections(const Baton& baton) {
    for (int i = 0; i < number; ++i) all_.emplace_back(baton.address(), address(i));
    for (int i = 0; i < idle; ++i) all_[i].get("/bytes/1");
    all_[head].send("GET /bytes/3 HTTP/1.1\r\n");
    all_[upload].send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n" + pattern(20).substr(0, 10));
    all_[tunnel].send(get_request("/websocket", "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
    EXPECT_EQ(read_head(all_[tunnel]).start_line, "HTTP/1.1 101 Switching Protocols");
    await_that_one_process_has_all(baton);
  }

  // Of a client, as of whoever else comes from there.
  static std::string address(int client) { return "127.0.3." + std::to_string(client + 1); }

  static void await_that_one_process_has_all(const Baton& baton) {
    baton.await_number("connections.idle", idle);
    baton.await_number("connections.head", 1);
    baton.await_number("connections.exchange", 1);
    baton.await_number("connections.tunnel", 1);
  }

  // Each goes on with what it does, and stays. Returns those whose connection has ended; the others get what is right.
  std::set<int> lost() {
    std::set<int> lost;
    const auto goes_on = [&](int client, const std::string& says, const std::string& expected) {
      Client& it = all_[static_cast<std::size_t>(client)];
      std::string got;
      try {
        it.send(says);
        got = client == tunnel ? it.read_exactly(expected.size()) : it.response().body;
      } catch (const Failure&) {
        lost.insert(client);
        return;
      }
      EXPECT_EQ(got, expected) << "client " << client;
    };
    for (int i = 0; i < idle; ++i) goes_on(i, get_request("/bytes/7"), pattern(7));
    goes_on(head, "Host: a\r\n\r\n", pattern(3));
    goes_on(upload, pattern(20).substr(10), "20 as sent");
    goes_on(tunnel, "still there", "still there");
    return lost;
  }

 private:
  static constexpr int head = 3, upload = 4, tunnel = 5;

  std::deque<Client> all_;
};

}  // namespace baton::harness
