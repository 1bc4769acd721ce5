// What the operator learns of a server that fails: a line in the event log at its default level, and in the access log
// whether the client's response was cut.
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "harness/baton.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

class ServerFailures : public testing::Test {
 protected:
  Settings settings() const {
    Settings settings(origin.address());
    settings.workers = 1;
    settings.log = "access: { path: \"-\", format: json }";
    return settings;
  }
  std::regex line(const std::string& why) const {
    return std::regex("warn .* server " + origin.address().text() + " of web failed on web: " + why);
  }
  // The access log's line for "/x".
  static boost::json::object logged(Baton& baton) {
    return boost::json::parse(baton.await_access_log(std::regex("GET /x "))).as_object();
  }
  // A request that gets an answer of ours.
  void expect_answer(Baton& baton, int status, const std::string& why) {
    EXPECT_EQ(baton.connect().get("/x").status(), status);
    baton.await_log(line(why));
    EXPECT_FALSE(logged(baton).at("cut").as_bool()) << "the answer of ours is whole";
  }
  // A request whose response begins, and ends with a reset.
  void expect_cut(Baton& baton, const std::string& why, std::int64_t bytes) {
    Client client = baton.connect();
    client.send(get_request("/x"));
    EXPECT_EQ(read_head(client).start_line, "HTTP/1.1 200 OK");
    baton.await_log(line(why));
    const boost::json::object access = logged(baton);
    EXPECT_TRUE(access.at("cut").as_bool());
    EXPECT_EQ(access.at("status").as_int64(), 200);
    EXPECT_EQ(access.at("bytes").as_int64(), bytes);
  }
  // Sends this, and is silent until the gate opens.
  void stop_after(const std::string& bytes) {
    origin.on("/x", [bytes](Exchange& exchange) {
      exchange.stream.send(bytes);
      exchange.origin.gate().pass();
      exchange.close = true;
    });
  }

  Origin origin;
};

TEST_F(ServerFailures, WhatIsNoResponse) {
  origin.on_raw("/x", "hello\r\n\r\n");
  Baton baton(settings());
  expect_answer(baton, 502, "what the server sent is not an HTTP/1 response");
}

TEST_F(ServerFailures, AHeadThatIsNone) {
  origin.on_raw("/x", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n");
  Baton baton(settings());
  expect_answer(baton, 502, "malformed Content-Length");
}

TEST_F(ServerFailures, AnEndWithoutAResponse) {
  origin.on_raw("/x", "");
  Baton baton(settings());
  expect_answer(baton, 502, "the server ended the connection before a response");
}

TEST_F(ServerFailures, AnEndWithoutAResponseWhereAnotherServerAnswers) {
  origin.on_raw("/x", "");
  Origin other;
  other.on_raw("/x", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  Settings two = settings();
  two.servers.push_back({other.address()});
  Baton baton(two);
  EXPECT_EQ(baton.connect().get("/x").status(), 200);
  if (origin.requests().empty()) {
    EXPECT_EQ(baton.connect().get("/x").status(), 200);
  }
  baton.await_log(line("the server ended the connection before a response"));
}

TEST_F(ServerFailures, NoResponseInTime) {
  stop_after("");
  Settings hasty = settings();
  hasty.timeouts = "response: 300ms";
  Baton baton(hasty);
  expect_answer(baton, 504, "timeouts.response: the server has not answered");
  origin.gate().open();
}

TEST_F(ServerFailures, ATruncatedBody) {
  origin.on_raw("/x", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
  Baton baton(settings());
  expect_cut(baton, "the response is truncated", 3);
}

TEST_F(ServerFailures, ABrokenChunk) {
  origin.on_raw("/x", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nnonsense\r\n");
  Baton baton(settings());
  expect_cut(baton, "the response has malformed chunks or trailers", 3);
}

TEST_F(ServerFailures, ABodyThatStops) {
  stop_after("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
  Settings hasty = settings();
  hasty.timeouts = "response_body: 300ms";
  Baton baton(hasty);
  expect_cut(baton, "timeouts.response_body: no more of it arrived", 3);
  origin.gate().open();
}

TEST_F(ServerFailures, FillNoLog) {
  origin.on_raw("/x", "");
  Baton baton(settings());
  constexpr std::size_t many = 200;
  const auto begin = Clock::now();
  for (std::size_t i = 0; i < many; ++i) EXPECT_EQ(baton.connect().get("/x").status(), 502);
  const auto seconds = static_cast<std::size_t>((Clock::now() - begin) / Milliseconds(1000));
  baton.await_log(line(".*"));
  EXPECT_LE(baton.count_log_lines(line(".*")), seconds + 2) << "one a second\n" << baton.log();
  // A later one says how many were left out.
  await(
      [&] {
        baton.connect().get("/x");
        return baton.count_log_lines(line(".*\\([0-9]+ more since the last such line\\)")) != 0;
      },
      "the count of failures without a line");
}

TEST_F(ServerFailures, AreNotWhatAClientDoes) {
  stop_after("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
  Baton baton(settings());
  {
    Client client = baton.connect();
    client.send(get_request("/x"));
    EXPECT_EQ(read_head(client).start_line, "HTTP/1.1 200 OK");
    EXPECT_EQ(client.read_exactly(3), "abc");
    client.reset();
  }
  EXPECT_TRUE(logged(baton).at("cut").as_bool());
  EXPECT_EQ(baton.count_log_lines(std::regex("warn .* server ")), 0u) << baton.log();
  origin.gate().open();
}

TEST_F(ServerFailures, AreNotInAWholeResponse) {
  Baton baton(settings());
  baton.connect().get("/bytes/5");
  const auto access = boost::json::parse(baton.await_access_log(std::regex("bytes/5"))).as_object();
  EXPECT_FALSE(access.at("cut").as_bool());
  EXPECT_EQ(baton.count_log_lines(std::regex("warn .* server ")), 0u) << baton.log();
}

}  // namespace
}  // namespace baton::harness
