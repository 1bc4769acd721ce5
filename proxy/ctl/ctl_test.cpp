// What `baton ctl` refuses itself, what it sends for a canary, and what it makes of the answers.
#include "proxy/ctl/ctl.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "handoff/unique_fd.hpp"

namespace baton::ctl {
namespace {

struct Outcome {
  int code;
  std::string out;
  std::string error;
};

Outcome run_with(const Options& options) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int code = run(options, "/nonexistent/baton.yaml", [](const char*) -> const char* { return nullptr; });
  return {code, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
}

// An admin interface that answers the first request with these bytes.
class Answering {
 public:
  explicit Answering(std::string answer) : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    char folder[] = "/tmp/ctl_test.XXXXXX";
    if (::mkdtemp(folder) == nullptr) throw std::runtime_error("no folder");
    folder_ = folder;
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    path().copy(address.sun_path, sizeof address.sun_path - 1);
    if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(socket_.get(), 1) != 0) {
      throw std::runtime_error("no listener");
    }
    thread_ = std::thread([this, answer = std::move(answer)] {
      const handoff::UniqueFd client(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      char part[4096];
      // The whole of it comes with the end of its JSON, or of its head.
      for (ssize_t got; !asked_.ends_with("}") && !asked_.ends_with("Content-Length: 0\r\n\r\n") &&
                        (got = ::read(client.get(), part, sizeof part)) > 0;) {
        asked_.append(part, static_cast<std::size_t>(got));
      }
      (void)!::write(client.get(), answer.data(), answer.size());
    });
  }
  ~Answering() {
    end();
    std::filesystem::remove_all(folder_);
  }
  Answering(const Answering&) = delete;
  Answering& operator=(const Answering&) = delete;

  std::string address() const { return "unix:" + path(); }
  // The line and the body of what was asked.
  std::string asked() {
    end();
    return asked_.substr(0, asked_.find(" HTTP/1.1")) + " " + asked_.substr(asked_.find("\r\n\r\n") + 4);
  }

 private:
  std::string path() const { return folder_ + "/admin.sock"; }
  // Also if nobody has asked.
  void end() {
    ::shutdown(socket_.get(), SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
  }

  handoff::UniqueFd socket_;
  std::string folder_;
  std::string asked_;
  std::thread thread_;
};

std::string text_answer(const std::string& status, const std::string& text) {
  return "HTTP/1.1 " + status + "\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(text.size()) +
         "\r\n\r\n" + text;
}

std::string result_answer(const std::string& result, const std::string& canary) {
  const std::string line = R"({"event":"result","upgrade":{"result":")" + result +
                           R"(","reason":"","from_generation":1,"to_generation":2,"from_pid":10,"to_pid":11,)"
                           R"("from_version":"1","to_version":"2","duration_ms":12,"moved":{},"moved_total":4,)"
                           R"("upstream_idle_moved":5,"taken_back":6,"refused":0,"refused_by_reason":{},)"
                           R"("pause_us":{"p50":1000,"p99":2000,"max":3500,"log2":[]},"canary":)" +
                           canary + "}}\n";
  return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(line.size()) +
         "\r\n\r\n" + line;
}

std::string canary(const std::string& verdict, const std::string& text) {
  const std::string side = R"({"exchanges":1,"exposures":1,"clients_failed":1})";
  return R"({"share":5.0,"verdict":")" + verdict + R"(","decided_by":"comparison","text":")" + text +
         R"(","evidence":1,"canary":)" + side + R"(,"others":)" + side + "}";
}

TEST(Ctl, RefusesACanaryThatMeansNothingBeforeItLooksForTheServer) {
  const auto refused = [](const Options& options) {
    const Outcome outcome = run_with(options);
    EXPECT_EQ(outcome.code, 2);
    EXPECT_EQ(outcome.out, "");
    return outcome.error;
  };
  EXPECT_EQ(refused({.command = "upgrade", .canary = "60%"}),
            "baton ctl upgrade: --canary: `60%` is not a share from 0.01% to 50%; write it like 5% or 0.25%; or off\n");
  EXPECT_EQ(refused({.command = "reload", .canary = ""}),
            "baton ctl reload: --canary: `` is not a share from 0.01% to 50%; write it like 5% or 0.25%\n");
  EXPECT_EQ(refused({.command = "upgrade", .canary = "5%", .bake = "30"}),
            "baton ctl upgrade: --bake: `30` needs a unit: 500ms, 5s, 1m or 1h\n");
  EXPECT_EQ(refused({.command = "reload", .canary = "5%", .bake = "1m", .max = "10s"}),
            "baton ctl reload: --max: 10s is less than `bake` 1m\n");
  EXPECT_EQ(refused({.command = "upgrade", .canary = "off", .max = "1m"}),
            "baton ctl upgrade: --canary off has no --bake and no --max\n");
  EXPECT_EQ(refused({.command = "upgrade", .bake = "1m"}), "baton ctl upgrade: --bake and --max need --canary\n");
  EXPECT_EQ(refused({.command = "reload", .canary = "off"}),
            "baton ctl reload: --canary: a reload has none unless it is asked for\n");
}

TEST(Ctl, AsksForWhatTheOptionsSay) {
  const auto asked = [](Options options) {
    Answering server(text_answer("409 Conflict", "not now"));
    options.admin = server.address();
    EXPECT_EQ(run_with(options).code, 1);
    return server.asked();
  };
  EXPECT_EQ(asked({.command = "upgrade"}), "POST /upgrade ");
  EXPECT_EQ(asked({.command = "upgrade", .canary = "5%"}), R"(POST /upgrade {"canary":{"share":"5%"}})");
  EXPECT_EQ(asked({.command = "upgrade", .binary = "/b", .canary = "5%", .bake = "10s", .max = "1m"}),
            R"(POST /upgrade {"canary":{"share":"5%","bake":"10s","max":"1m"},"binary":"/b"})");
  EXPECT_EQ(asked({.command = "upgrade", .canary = "off"}), R"(POST /upgrade {"canary":"off"})");
  EXPECT_EQ(asked({.command = "reload", .canary = "5%"}), R"(POST /upgrade {"reload":true,"canary":{"share":"5%"}})");
  EXPECT_EQ(asked({.command = "reload"}), "POST /reload ");
  EXPECT_EQ(asked({.command = "promote"}), "POST /promote ");
  EXPECT_EQ(asked({.command = "rollback"}), "POST /rollback ");
}

TEST(Ctl, SaysThatAnOlderVersionKnowsNoCanaries) {
  const auto error = [](Options options, const std::string& status, const std::string& text) {
    Answering server(text_answer(status, text));
    options.admin = server.address();
    const Outcome outcome = run_with(options);
    EXPECT_EQ(outcome.code, 1);
    return outcome.error;
  };
  const std::string of_an_older_version =
      R"(the body must be empty or {"binary": "/absolute/path", "from_file": true}, both optional)";
  const std::string sentence =
      "the running version is older and knows no canaries; upgrade it without --canary first\n";
  EXPECT_EQ(error({.command = "upgrade", .canary = "5%"}, "400 Bad Request", of_an_older_version),
            "baton ctl upgrade: " + sentence);
  EXPECT_EQ(error({.command = "reload", .canary = "5%"}, "400 Bad Request", of_an_older_version),
            "baton ctl reload: " + sentence);
  EXPECT_EQ(error({.command = "promote"}, "404 Not Found", "not found"), "baton ctl promote: " + sentence);
  EXPECT_EQ(error({.command = "upgrade", .canary = "5%"}, "400 Bad Request", "`canary.share`: no"),
            "baton ctl upgrade: `canary.share`: no\n");
  EXPECT_EQ(error({.command = "promote"}, "409 Conflict", "there is no canary"),
            "baton ctl promote: there is no canary\n");
  EXPECT_EQ(error({.command = "rollback"}, "404 Not Found", "not found"),
            "baton ctl rollback: the running version is older and has no command rollback\n");
}

TEST(Ctl, SaysThatTheCanaryCameBackAndWhy) {
  const auto ended = [](const std::string& command, const std::string& result, const std::string& of_canary) {
    Answering server(result_answer(result, of_canary));
    const Outcome outcome = run_with({.command = command, .admin = server.address()});
    return std::to_string(outcome.code) + " " + outcome.error;
  };
  const std::string worse = canary("back", "2 of 3 clients failed");
  for (const std::string command : {"upgrade", "promote"}) {
    EXPECT_EQ(ended(command, "rolled_back", worse),
              "1 baton ctl " + command +
                  ": it was rolled back: the canary came back: 2 of 3 clients failed: the running process continues\n");
  }
  EXPECT_EQ(ended("upgrade", "rolled_back", canary("doubt", "")),
            "1 baton ctl upgrade: it was rolled back: the canary came back: the running process continues\n");
  EXPECT_EQ(ended("upgrade", "rolled_back", canary("go_on", "as good")),
            "1 baton ctl upgrade: it was rolled back: the running process continues\n")
      << "it was a failure after that";
  EXPECT_EQ(ended("upgrade", "failed", worse), "1 baton ctl upgrade: it failed: the running process continues\n");
  EXPECT_EQ(ended("upgrade", "completed", canary("go_on", "as good")), "0 ");
}

}  // namespace
}  // namespace baton::ctl
