// The examples as real processes, upgraded while their clients are in the middle of something.
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <future>
#include <set>

#include "examples/example.hpp"
#include "examples/talk.hpp"

namespace baton::harness {

namespace {

struct Server {
  const char* name;
  std::string program;
  std::string newer;                 // the same server as another version
  Talks (*talk)(const Address&);
};

void PrintTo(const Server& server, std::ostream* out) { *out << server.name; }

const std::string examples = EXAMPLES;

class ExampleServer : public testing::TestWithParam<Server> {
 protected:
  Example server{GetParam().program};
  Talks talks = GetParam().talk(server.address());

  // One upgrade in the middle of the clients' turns, whatever its outcome.
  template <class Upgrade>
  std::string take_turns_around(Upgrade upgrade) {
    for (const auto& talk : talks) talk->begin_turn();
    const std::string outcome = upgrade();
    for (const auto& talk : talks) talk->end_turn();
    return outcome;
  }
  void expect_moved(const std::string& outcome) const {
    EXPECT_NE(outcome.find("moved=" + std::to_string(talks.size()) + ","), std::string::npos) << outcome;
  }
};

TEST_P(ExampleServer, MovesItsClientsToANewerBuildAndBackAgain) {
  std::set<pid_t> pids{server.pid()};
  std::size_t descriptors = 0;  // no successor keeps a descriptor, inherited or its own
  for (int i = 0; i < 3; ++i) {
    const std::string forward = take_turns_around([&] { return server.upgrade_to(GetParam().newer); });
    expect_moved(forward);
    EXPECT_NE(forward.find("version 1.0 to 1.1"), std::string::npos) << forward;
    pids.insert(server.pid());
    const std::string back = take_turns_around([&] { return server.upgrade_to(GetParam().program); });
    expect_moved(back);
    EXPECT_NE(back.find("version 1.1 to 1.0"), std::string::npos) << back;
    pids.insert(server.pid());
    if (i == 0) descriptors = descriptor_count(server.pid());
    await_descriptors_at_most(descriptors, server.pid());
  }
  EXPECT_EQ(pids.size(), 7u);
  EXPECT_EQ(server.process().await_exit(), (Ended{0, 0}));
  server.await_alone();
}

// Each client runs at its own pace, so upgrades come at any moment of it.
TEST_P(ExampleServer, MovesItsClientsAtAnyMoment) {
  std::atomic<bool> finished = false;
  std::atomic<int> turns = 0;
  std::vector<std::future<void>> clients;
  for (const auto& talk : talks) {
    clients.push_back(std::async(std::launch::async, [&finished, &turns, talk = talk.get()] {
      while (!finished) {
        talk->begin_turn();
        talk->end_turn();
        ++turns;
      }
    }));
  }
  const std::string count = "moved=" + std::to_string(talks.size()) + ",";
  for (int i = 0; i < 20; ++i) {
    const int before = turns;
    const std::string outcome = server.upgrade_to(i % 2 == 0 ? GetParam().newer : GetParam().program);
    EXPECT_NE(outcome.find(count), std::string::npos) << outcome;
    await([&] { return turns > before; }, "the clients to go on");
  }
  finished = true;
  for (auto& client : clients) client.get();
}

TEST_P(ExampleServer, KeepsItsClientsWhenTheSuccessorFails) {
  const pid_t pid = server.pid();
  const auto expect_failure = [&](const std::string& outcome, const std::string& why) {
    EXPECT_EQ(outcome.find("upgrade: generation"), std::string::npos) << outcome;
    EXPECT_NE(outcome.find(why), std::string::npos) << outcome;
    EXPECT_EQ(server.pid(), pid);
  };
  const std::string count = std::to_string(talks.size());
  expect_failure(take_turns_around([&] { return server.upgrade_to(examples + "/successor_that_crashes"); }),
                 "taken_back=" + count + ",");
  expect_failure(take_turns_around([&] { return server.upgrade_to(examples + "/successor_that_refuses"); }),
                 "a mistake in my configuration");
  expect_failure(take_turns_around([&] { return server.upgrade_to_file("#!/bin/sh\nexit 3\n"); }), "closed the channel");
  server.process().await_line(Process::Stream::err, std::regex("exited with code 3"));
  expect_failure(take_turns_around([&] { return server.upgrade_to_file("no program"); }), "cannot start");
  expect_failure(take_turns_around([&] { return server.upgrade_to_file(""); }), "cannot start");

  // New clients are served, and so is everybody across the next upgrade, which works.
  for (auto& talk : GetParam().talk(server.address())) talks.push_back(std::move(talk));
  expect_moved(take_turns_around([&] { return server.upgrade_to(GetParam().newer); }));
  EXPECT_NE(server.pid(), pid);
  server.await_alone();
}

TEST_P(ExampleServer, EndsWithItsClientsWhenItIsToldTo) {
  take_turns_around([] { return ""; });          // so all clients have been accepted
  server.process().signal(SIGTERM);
  server.process().await_line(Process::Stream::err, std::regex("served here to their end"));
  take_turns_around([] { return ""; });
  EXPECT_FALSE(is_listening(server.address()));
  talks.clear();
  EXPECT_EQ(server.process().await_exit(), (Ended{0, 0}));
}

INSTANTIATE_TEST_SUITE_P(
    Each, ExampleServer,
    testing::Values(Server{"line_counter", examples + "/line_counter", examples + "/line_counter_newer", talk_in_lines},
                    Server{"echo_asio", examples + "/echo_asio", examples + "/echo_asio_newer", talk_to_an_echo},
                    Server{"web_beast", examples + "/web_beast", examples + "/web_beast_newer", talk_to_the_web}),
    [](const auto& each) { return std::string(each.param.name); });

TEST(AnswerToHead, HasTheHeadOfGetAndNothingElse) {
  Example server(examples + "/web_beast");
  Client client(server.address());
  const auto head = "HEAD" + get_request("/").substr(std::string_view("GET").size());
  client.send(head + get_request("/"));
  const Response response = client.response(BodyIs::absent);
  EXPECT_EQ(response.status(), 200);
  const Response next = client.response();       // on the same connection: any byte of a body would precede it
  EXPECT_EQ(next.body, "request 2 of this connection, body of 0 bytes\n");
  EXPECT_EQ(response.field("Content-Length"), std::to_string(next.body.size()));
}

// A websocket::stream in the middle of a message has state that cannot be read.
TEST(WebSocketInFragments, MovesWhenItsMessageIsWhole) {
  Example server(examples + "/web_beast");
  const auto client = open_web_socket(server.address());
  client->send(frame(0x01, "one "));
  client->send(frame(0x89, ""));
  ASSERT_EQ(client->read_exactly(2), std::string("\x8a\0", 2));      // so it has read the fragment, too
  Client other(server.address());
  other.get("/");
  server.begin_upgrade_to(examples + "/web_beast_newer");
  // The fleet is asked in the order of its arrival, so once the other one has moved, the WebSocket has been asked.
  await([&] { return other.get("/").field("Server") == "web_beast/1.1"; }, "the other connection to move");
  client->send(frame(0x80, "message"));
  expect_text(*client, "1 one message");
  EXPECT_NE(server.process().await_line(Process::Stream::err, std::regex("upgrade: generation")).find("moved=2,"),
            std::string::npos);
  client->send(frame(0x81, "next"));
  expect_text(*client, "2 next");
}

TEST(WebSocketThatClosesItself, IsAnsweredByTheSuccessor) {
  Example server(examples + "/web_beast");
  const auto client = open_web_socket(server.address());
  server.upgrade_to(examples + "/web_beast_newer");
  client->send(frame(0x88, std::string("\x03\xe8", 2)));
  EXPECT_EQ(client->read_exactly(4), std::string("\x88\x02\x03\xe8"));
  EXPECT_EQ(client->read_to_fin(), "");
}

}  // namespace

}  // namespace baton::harness
