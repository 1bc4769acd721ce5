// `baton ctl` against admin interfaces that are old, broken, hostile or not Baton's: it always ends, says why, and
// exits with 1.
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "ctl/ctl.hpp"

namespace baton::harness {
namespace {

// Answers every connection with the same bytes, then closes it or holds it open.
class RawAdmin {
 public:
  explicit RawAdmin(std::string answer, bool hold = false) : answer_(std::move(answer)), hold_(hold) {
    listener_ = listen_on(address_);
    thread_ = std::thread([this] { serve(); });
  }
  ~RawAdmin() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  Outcome ctl(std::vector<std::string> words) const {
    words.insert(words.begin(), "ctl");
    words.insert(words.end(), {"--admin", address_.text()});
    return run_baton(std::move(words));
  }

 private:
  void serve() {
    std::vector<Fd> held;
    for (;;) {
      Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client) return;
      char request[4096];
      [[maybe_unused]] const auto got = ::read(client.get(), request, sizeof request);
      for (std::size_t sent = 0; sent < answer_.size();) {
        const auto count = ::send(client.get(), answer_.data() + sent, answer_.size() - sent, MSG_NOSIGNAL);
        if (count <= 0) break;
        sent += static_cast<std::size_t>(count);
      }
      if (hold_) held.push_back(std::move(client));
    }
  }

  TempDir directory_;
  Address address_ = unix_socket(directory_ / "admin.sock");
  const std::string answer_;
  const bool hold_;
  Fd listener_;
  std::thread thread_;
};

const std::vector<std::string> commands{"status", "upgrade", "reload",      "rollback",    "drain",
                                        "stop",   "config",  "reopen-logs", "healthcheck", "apply"};

std::string answer(const std::string& body, const std::string& type, const std::string& status = "200 OK") {
  return "HTTP/1.1 " + status + "\r\nContent-Type: " + type + "\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

// No control character of the other side reaches the terminal.
bool is_printable(const std::string& text) {
  for (const char byte : text) {
    if ((static_cast<unsigned char>(byte) < 0x20 && byte != '\n') || byte == 0x7f) return false;
  }
  return true;
}

struct Bad {
  const char* name;
  std::string bytes;
};
void PrintTo(const Bad& bad, std::ostream* out) {
  *out << bad.name;
}

class HostileAdmin : public testing::TestWithParam<Bad> {};

TEST_P(HostileAdmin, IsNoSuccessForAnyCommand) {
  const RawAdmin admin(GetParam().bytes);
  const TempDir directory;
  replace_file(directory / "baton.yaml", "version: 1\n");
  for (const auto& command : commands) {
    std::vector<std::string> words{command};
    if (command == "apply") words.push_back(directory / "baton.yaml");
    const Outcome outcome = admin.ctl(words);
    EXPECT_EQ(outcome.code, 1) << command << outcome.out << outcome.err;
    EXPECT_NE(outcome.err, "") << command;
    EXPECT_TRUE(is_printable(outcome.out + outcome.err)) << command << outcome.out << outcome.err;
    EXPECT_LT(outcome.err.size() + outcome.out.size(), 4000u) << command;
    words.push_back("--json");
    const Outcome programs = admin.ctl(words);
    EXPECT_EQ(programs.code, 1) << command;
    EXPECT_EQ(boost::json::parse(programs.out).at("result").as_string(), "failed") << command << programs.out;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Of, HostileAdmin,
    testing::Values(
        Bad{"Nothing", ""}, Bad{"HalfAHead", "HTTP/1.1 200 OK\r\nContent-"}, Bad{"NoHttp", "SSH-2.0-OpenSSH_9.2\r\n"},
        Bad{"Binary", std::string("\x00\x01\x02\xff\x1b[2J", 8)},
        Bad{"BodyCut", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\nok"},
        Bad{"ChunkCut", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok"},
        Bad{"WebPage", answer("<html>It works!</html>", "text/html")}, Bad{"EmptyPage", answer("", "text/html")},
        Bad{"OtherJson", answer("{\"status\":\"fine\"}\n", "application/json")},
        Bad{"NoJson", answer("\x1b]0;owned\x07{{{\n", "application/json")},
        Bad{"Forbidden", answer("\x1b[2Jno", "text/plain", "403 Forbidden")},
        Bad{"EmptyRefusal", answer("", "text/plain", "500 Internal Server Error")},
        Bad{"LongHead", "HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n"},
        Bad{"LongBody", answer(std::string(3'000'000, 'x'), "application/json")},
        Bad{"LyingLength", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n"},
        Bad{"HostileResult",
            answer("{\"event\":\"result\",\"upgrade\":{\"result\":\"completed\"}}\n", "application/x-ndjson")}),
    [](const auto& bad) { return std::string(bad.param.name); });

TEST(EndlessAdmin, IsCutShort) {
  const auto expect_cut = [](const std::string& bytes, const std::string& command, const std::string& why) {
    const Outcome outcome = RawAdmin(bytes).ctl({command});
    EXPECT_EQ(outcome.code, 1);
    EXPECT_TRUE(contains(outcome.err, "this is not an answer from Baton (" + why)) << outcome.err;
  };
  const std::string endless(3'000'000, 'x');
  expect_cut("HTTP/1.1 200 OK\r\nX: " + endless, "status", "header limit");
  expect_cut("HTTP/1.1 200 OK\r\n\r\n" + endless, "status", "body limit");
  expect_cut("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n", "status", "body limit");
  expect_cut("HTTP/1.1 200 OK\r\n\r\n" + endless, "upgrade", "a line without an end");
}

TEST(OlderAdmin, ThatKnowsNoCommandsIsNamedSoWithTheSignalToSend) {
  const RawAdmin admin(answer("not found", "text/plain", "404 Not Found"));
  for (const auto& [command, signal] : std::vector<std::pair<std::string, std::string>>{
           {"upgrade", "SIGUSR2"}, {"reload", "SIGHUP"}, {"stop", "SIGTERM"}, {"reopen-logs", "SIGUSR1"}}) {
    const Outcome outcome = admin.ctl({command});
    EXPECT_EQ(outcome.code, 1);
    EXPECT_TRUE(contains(outcome.err, "the running version is older and has no command " + command)) << outcome.err;
    EXPECT_TRUE(contains(outcome.err, signal)) << outcome.err;
  }
}

TEST(OlderAdmin, OrANewerOneMayTellEventsThatAreNotKnown) {
  Origin origin;
  Baton baton{Settings(origin.address())};
  baton.upgrade();
  const std::string upgrade = boost::json::serialize(baton.status().at("last_upgrade"));
  const RawAdmin admin(
      answer("{\"event\":\"from the future\",\"x\":[]}\n{\"event\":\"result\",\"upgrade\":" + upgrade + "}\n",
             "application/x-ndjson"));
  const Outcome outcome = admin.ctl({"upgrade", "--json"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(boost::json::parse(outcome.out), boost::json::parse(upgrade));
}

TEST(SilentAdmin, IsNotWaitedForForEver) {
  const RawAdmin admin("HTTP/1.1 200 OK\r\n", true);
  const Outcome outcome = admin.ctl({"healthcheck"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_TRUE(contains(outcome.err, "no answer in time")) << outcome.err;
}

TEST(SilentAdmin, ThatDoesNotEvenAcceptIsNotWaitedForForEver) {
  const FullBacklog backlog;
  const Outcome outcome = run_baton({"ctl", "healthcheck", "--admin", loopback(backlog.port()).text()});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_TRUE(contains(outcome.err, "timed out")) << outcome.err;
}

}  // namespace
}  // namespace baton::harness
