// gRPC by its own library on both sides, through live upgrades.
#include <gtest/gtest.h>

#include <regex>

#include "harness/baton.hpp"
#include "harness/process.hpp"

namespace baton::harness {
namespace {

class GrpcPeer {
 public:
  explicit GrpcPeer(const std::vector<std::string>& arguments)
      : process_({.argv = command(arguments), .has_input = true}) {}

  std::string ask(const std::string& command) {
    process_.type(command + "\n");
    return await(".+");
  }
  std::string await(const std::string& line) {
    return process_.await_line(Process::Stream::out, std::regex("^" + line + "$"));
  }
  void tell(const std::string& command) { process_.type(command + "\n"); }

 private:
  static std::vector<std::string> command(const std::vector<std::string>& more) {
    std::vector<std::string> argv{"/usr/bin/python3", GRPC_PEER};
    argv.insert(argv.end(), more.begin(), more.end());
    return argv;
  }

  Process process_;
};

class Grpc : public testing::Test {
 protected:
  Settings settings() {
    Settings settings(loopback(static_cast<std::uint16_t>(std::stoi(server.await("[0-9]+")))));
    settings.server_protocol = "http2";
    settings.handoff += ", finish_timeout: 50ms";
    return settings;
  }

  GrpcPeer server{{"server"}};
  Baton baton{settings()};
  GrpcPeer client{{"client", std::to_string(baton.address().port)}};
};

TEST_F(Grpc, CallsOfEachKindAreServed) {
  EXPECT_EQ(client.ask("unary hello"), "answer hello 5");
  EXPECT_EQ(client.ask("large 3000000"), "large True") << "more than the windows";
  EXPECT_EQ(client.ask("fail"), "NOT_FOUND nothing of that name: 100 %") << "trailers only";
  EXPECT_EQ(client.ask("deadline").substr(0, 17), "DEADLINE_EXCEEDED");
  server.await("limit some");
  client.ask("open 1");
  EXPECT_EQ(client.ask("say 1 a"), "echo a");
  EXPECT_EQ(client.ask("say 1 b"), "echo b");
  EXPECT_EQ(client.ask("close 1"), "closed OK 1 yes yes");
  client.ask("open 2");
  EXPECT_EQ(client.ask("say 2 a"), "echo a");
  client.ask("cancel 2");
  server.await("cancelled");
}

// The library confirms each message by small WINDOW_UPDATEs, which is no flood.
TEST_F(Grpc, SmallMessagesAreNoFlood) {
  EXPECT_EQ(client.ask("chatter 12000"), "chattered");
  EXPECT_EQ(client.ask("states"), "states IDLE READY") << baton.log();
}

TEST_F(Grpc, StreamsLiveThroughFiftyUpgrades) {
  client.ask("open 1");
  client.ask("wait held");
  server.await("held");
  for (int i = 0; i < 50; ++i) {
    const std::string text = std::to_string(i);
    EXPECT_EQ(client.ask("say 1 " + text), "echo " + text);
    if (i % 10 == 0) {
      client.ask("open s" + text);
      EXPECT_EQ(client.ask("say s" + text + " x"), "echo x");
    }
    baton.upgrade();
    EXPECT_EQ(client.ask("unary " + text), "answer " + text + " " + std::to_string(text.size()));
  }
  for (int i = 0; i < 50; i += 10) EXPECT_EQ(client.ask("close s" + std::to_string(i)), "closed OK 1 yes yes");
  EXPECT_EQ(client.ask("close 1"), "closed OK 1 yes yes");
  server.tell("release");
  EXPECT_EQ(client.ask("done"), "done held");
  EXPECT_EQ(client.ask("states"), "states IDLE READY") << "one channel, connected once";
}

}  // namespace
}  // namespace baton::harness
