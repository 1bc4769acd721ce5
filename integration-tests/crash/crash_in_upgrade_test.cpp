// One side of an upgrade dies at its first message, then at its second, its third, until the upgrade passes unharmed:
// before the call that sends or receives it, and after it. No client notices.
#include <fcntl.h>
#include <sys/mman.h>

#include <list>
#include <new>
#include <regex>

#include "crash/death.hpp"
#include "harness/aftermath.hpp"
#include "harness/log_lines.hpp"
#include "supervise/supervised.hpp"

namespace baton::harness {
namespace {

enum class Side { predecessor, successor };

struct Row {
  const char* name;
  Side side;
  Death::Call call;
  bool after;
};

// The messages that each side sends at least: Hello, Ready, Listening, Adopted, Bye; Hello, Inherit, Listen, Offer,
// Done.
constexpr int messages_at_least = 5;

// The file is made before Baton starts, which maps it.
class SharedDeath {
 public:
  SharedDeath() {
    replace_file(path(), std::string(sizeof(Death), '\0'));
    const int file = ::open(path().c_str(), O_RDWR | O_CLOEXEC);
    void* const shared = ::mmap(nullptr, sizeof(Death), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ::close(file);
    if (shared == MAP_FAILED) throw Failure("mmap");
    death_ = new (shared) Death;
  }
  ~SharedDeath() { ::munmap(death_, sizeof(Death)); }
  SharedDeath(const SharedDeath&) = delete;
  SharedDeath& operator=(const SharedDeath&) = delete;

  std::string path() const { return directory_ / "death"; }
  Death* operator->() { return death_; }
  bool has_come() const { return death_->count >= death_->at; }

 private:
  TempDir directory_;
  Death* death_;
};

// Parts of a connection's life in which bytes are under way.
class Scene {
 public:
  explicit Scene(Origin& origin) : baton(settings(origin, death)) {
    for (int i = 0; i < 3; ++i) idle_.emplace_back(baton.address()).get("/bytes/1");
    head_.send("GET /bytes/3 HTTP/1.1\r\n");
    tunnel_.send(get_request("/websocket", "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
    EXPECT_EQ(read_head(tunnel_).start_line, "HTTP/1.1 101 Switching Protocols");
    upload_.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n" + pattern(20).substr(0, 10));
    baton.await_number("connections.exchange", 1);
    baton.await_number("connections.idle", 3);
  }
  ~Scene() {
    ::kill(baton.pid(), SIGKILL);
  }

  static Settings settings(Origin& origin, const SharedDeath& death) {
    Settings settings(origin.address());
    settings.own_binary = true;
    settings.arguments = {"--supervise"};
    settings.handoff = "ready_timeout: 15s, step_timeout: 15s, finish_timeout: 50ms, survive: all";
    settings.shell = "export LD_PRELOAD=" + in_shell(SUDDEN_DEATH) + " DEATH=" + in_shell(death.path());
    return settings;
  }

  void expect_all_to_go_on() {
    for (Client& client : idle_) EXPECT_EQ(client.get("/bytes/7").body, pattern(7)) << baton.log();
    head_.send("Host: a\r\n\r\n");
    EXPECT_EQ(head_.response().body, pattern(3)) << baton.log();
    tunnel_.send("still there");
    EXPECT_EQ(tunnel_.read_exactly(11), "still there") << baton.log();
    upload_.send(pattern(20).substr(10));
    EXPECT_NE(upload_.response().body.find("20 as sent"), std::string::npos) << baton.log();
    EXPECT_EQ(baton.connect().get("/bytes/4").body, pattern(4)) << baton.log();
  }

  SharedDeath death;
  Baton baton;

 private:
  std::list<Client> idle_;
  Client head_ = baton.connect(), tunnel_ = baton.connect(), upload_ = baton.connect();
};

class CrashInAnUpgrade : public testing::TestWithParam<Row> {
 protected:
  Origin origin;
};

// The upgrade has ended, or one of its sides has; a process serves.
void await_end(Scene& scene, Side side) {
  await([&] { return scene.death.has_come() || scene.baton.count_log_lines(log_lines::upgrade_report) != 0; }, "an end");
  if (!scene.death.has_come()) return;
  const std::regex next(side == Side::successor ? "upgrade: failed|serving: .* generation 3" : "serving: .* generation 2");
  scene.baton.await_log(next);
}

TEST_P(CrashInAnUpgrade, AtAnyMessageIsNothingThatAClientSees) {
  const Row& row = GetParam();
  int deaths = 0;
  for (bool passed = false; !passed && deaths < 60; ++deaths) {
    SCOPED_TRACE("death " + std::to_string(deaths + 1));
    Scene scene(origin);
    const auto worker = static_cast<pid_t>(scene.baton.number("pid"));
    await_rest(worker);
    scene.death->call = row.call;
    scene.death->after = row.after;
    scene.death->at = deaths + 1;
    if (row.side == Side::predecessor) {
      scene.death->pid = worker;
    } else {
      replace_file(scene.baton.binary_path(),
                   "#!/bin/sh\nDEATH_IS_OURS=1 exec " + baton_in_shell() + " \"$@\"\n", true);
    }
    scene.baton.begin_upgrade();
    await_end(scene, row.side);
    passed = !scene.death.has_come();
    if (passed) --deaths;
    scene.expect_all_to_go_on();
    if (testing::Test::HasFailure()) {
      std::fprintf(stderr, "%s\n", scene.baton.log().c_str());
      break;
    }
  }
  EXPECT_GE(deaths, messages_at_least);
}

constexpr Row rows[] = {
    {"PredecessorBeforeItSends", Side::predecessor, Death::Call::sendmsg, false},
    {"PredecessorAfterItHasSent", Side::predecessor, Death::Call::sendmsg, true},
    {"PredecessorBeforeItReceives", Side::predecessor, Death::Call::recvmsg, false},
    {"PredecessorAfterItHasReceived", Side::predecessor, Death::Call::recvmsg, true},
    {"SuccessorBeforeItSends", Side::successor, Death::Call::sendmsg, false},
    {"SuccessorAfterItHasSent", Side::successor, Death::Call::sendmsg, true},
    {"SuccessorBeforeItReceives", Side::successor, Death::Call::recvmsg, false},
    {"SuccessorAfterItHasReceived", Side::successor, Death::Call::recvmsg, true},
};

INSTANTIATE_TEST_SUITE_P(Of, CrashInAnUpgrade, testing::ValuesIn(rows), [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace baton::harness
