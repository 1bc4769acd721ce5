// The channel breaks while both processes live: a side's first message cannot be sent, then its second, its third,
// until the upgrade passes unharmed. Whichever process holds the lock afterwards is the instance, and the other exits.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <list>

#include "harness//aftermath.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"
#include "harness/strace.hpp"

namespace baton::harness {
namespace {

const std::regex upgrade_over{R"(upgrade: (failed|rolled back|generation|the successor is the instance))"};

// More than one Offer can hold, and no more than two.
constexpr int clients = 38;
// Hello, Ready, Listening, Adopted, Adopted, Bye; Hello, Inherit, Listen, Offer, Offer, Done.
constexpr int messages = 6;

enum class Ending { completed, failed, superseded };
void PrintTo(Ending ending, std::ostream* out) {
  *out << (ending == Ending::completed ? "completed" : ending == Ending::failed ? "failed" : "superseded");
}

class BrokenChannel : public testing::Test {
 protected:
  void SetUp() override {
    if (!can_attach()) GTEST_SKIP() << "strace is not installed, or may not attach here";
  }

  struct Scene {
    explicit Scene(const Origin& origin) : baton(settings(origin)) {
      for (int i = 0; i < clients; ++i) idle.emplace_back(baton.address()).get("/bytes/1");
      partial.send("GET /bytes/3 HTTP/1.1\r\n");
      baton.await_number("connections.total", clients + 1);
      descriptors = descriptor_count(baton.pid());
    }
    static Settings settings(const Origin& origin) {
      Settings settings(origin.address());
      settings.own_binary = true;
      settings.workers = 1;  // so that the number of messages is constant
      settings.handoff = "ready_timeout: 15s, step_timeout: 1s, drain_timeout: 2s";
      return settings;
    }

    void await_ending() {
      line = baton.await_log(upgrade_over);
      ending = std::regex_search(line, log_lines::upgrade_failed)  ? Ending::failed
               : line.find("is the instance") != std::string::npos ? Ending::superseded
                                                                   : Ending::completed;
      if (ending == Ending::failed) return;
      EXPECT_EQ(baton.await_exit(), (Ended{0, 0})) << "the predecessor has nothing left to do";
      baton.follow_pid_file();
    }
    std::int64_t moved() const {
      std::smatch found;
      return std::regex_search(line, found, std::regex(R"(moved=(\d+))")) ? std::stoll(found[1]) : -1;
    }
    // A successor that must exit ends what it adopted cleanly. All other connections live.
    void expect_nothing_lost() {
      partial.send("Host: a\r\n\r\n");
      EXPECT_EQ(partial.response().body, pattern(3)) << "half a request is in flight, whoever has it";
      partial.close();
      expect_one_instance(baton);
      std::int64_t ended = 0;
      for (auto client = idle.begin(); client != idle.end();) {
        client->send_what_goes(get_request("/bytes/7"));
        try {
          EXPECT_EQ(client->response().body, pattern(7));
          ++client;
        } catch (const Failure&) {
          client = idle.erase(client);
          ++ended;
        }
      }
      EXPECT_LE(ended, ending == Ending::failed ? moved() : 0) << line << "\n" << baton.log();
      if (ending == Ending::failed && moved() == 0) {
        await([this] { return descriptor_count(baton.pid()) <= descriptors - 1; },
              "no more descriptors than before, but for the client that has left");
      }
    }
    void expect_that_all_goes_on() {
      replace_file(baton.binary_path(), read_file(baton_binary()), true);
      idle.emplace_back(baton.address()).get("/bytes/1");
      baton.upgrade();
      for (Client& client : idle) EXPECT_EQ(client.get("/bytes/8").body, pattern(8));
      expect_one_instance(baton);
    }

    Baton baton;
    std::size_t descriptors = 0;  // before the upgrade
    std::string line;
    Ending ending = Ending::failed;
    std::list<Client> idle;
    Client partial = baton.connect();
  };

  Origin origin;
};

TEST_F(BrokenChannel, AtAnyMessageOfTheSuccessorLeavesOneInstance) {
  for (int n = 1; n <= messages + 1; ++n) {
    SCOPED_TRACE("message " + std::to_string(n));
    Scene scene(origin);
    // The tracer must not hold the channel, or it would not end.
    replace_file(scene.baton.binary_path(),
                 "#!/bin/bash\n"
                 "(exec {BATON_HANDOFF}>&-; exec strace -f -qq -o /dev/null " +
                     injection("sendmsg", "error=EPIPE", n) +
                     " -p $$) &\n"
                     "until grep -q 'TracerPid:.*[1-9]' /proc/$$/status; do :; done\n"
                     "exec " +
                     baton_in_shell() + " \"$@\"\n",
                 true);
    scene.baton.begin_upgrade();
    scene.await_ending();
    // A lost Bye changes nothing: the successor holds the lock.
    EXPECT_EQ(scene.ending, n < messages ? Ending::failed : n == messages ? Ending::superseded : Ending::completed);
    if (scene.ending != Ending::failed) end_tracing(scene.baton.pid());
    scene.expect_nothing_lost();
    scene.expect_that_all_goes_on();
  }
}

TEST_F(BrokenChannel, AtAnyMessageOfThePredecessorLeavesOneInstance) {
  for (int n = 1; n <= messages + 1; ++n) {
    SCOPED_TRACE("message " + std::to_string(n));
    Scene scene(origin);
    const std::string predecessor = std::to_string(scene.baton.pid());
    // strace detaches from the successor at its execve.
    Process tracer(
        {{"sh", "-c",
          "exec strace -f -b execve -o /dev/null " + injection("sendmsg", "error=EPIPE", n) + " -p " + predecessor}});
    tracer.await_line(Process::Stream::err, std::regex("attached"));
    scene.baton.begin_upgrade();
    scene.await_ending();
    // When Done is lost, both try to take the lock, and either may get it.
    if (n < messages) {
      EXPECT_EQ(scene.ending, Ending::failed);
    } else if (n > messages) {
      EXPECT_EQ(scene.ending, Ending::completed);
    }
    if (scene.ending == Ending::failed) end_tracing(scene.baton.pid());
    scene.expect_nothing_lost();
    scene.expect_that_all_goes_on();
  }
}

}  // namespace
}  // namespace baton::harness
