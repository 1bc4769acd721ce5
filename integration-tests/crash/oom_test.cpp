// The kernel's OOM killer takes a worker: alone, or together with its keeper and their parent in one cgroup.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <list>
#include <optional>
#include <regex>

#include "harness/deadline.hpp"
#include "harness/origin.hpp"
#include "supervise/supervised.hpp"

namespace baton::harness {
namespace {

// A memory cgroup of this test's own, of either version of cgroups.
class MemoryCgroup {
 public:
  // Nothing if none can be made here.
  static std::unique_ptr<MemoryCgroup> make() {
    const std::string name = "/baton-test-" + std::to_string(::getpid());
    for (const auto& [root, limit, usage] :
         {std::tuple{"/sys/fs/cgroup/memory", "/memory.limit_in_bytes", "/memory.usage_in_bytes"},
          std::tuple{"/sys/fs/cgroup", "/memory.max", "/memory.current"}}) {
      const std::string path = root + name;
      if (::mkdir(path.c_str(), 0755) != 0) continue;
      auto made = std::unique_ptr<MemoryCgroup>(new MemoryCgroup(path, path + limit, path + usage));
      if (::access(made->limit_.c_str(), W_OK) == 0) return made;
    }
    return nullptr;
  }
  MemoryCgroup(const MemoryCgroup&) = delete;
  MemoryCgroup& operator=(const MemoryCgroup&) = delete;
  // Its processes have ended.
  ~MemoryCgroup() { ::rmdir(path_.c_str()); }

  std::string processes() const { return path_ + "/cgroup.procs"; }
  void add(pid_t pid) const { std::ofstream(processes()) << pid; }
  void grant(std::size_t more_bytes) const {
    std::size_t used = 0;
    std::ifstream(usage_) >> used;
    std::ofstream(limit_) << used + more_bytes;
  }

 private:
  MemoryCgroup(std::string path, std::string limit, std::string usage)
      : path_(std::move(path)), limit_(std::move(limit)), usage_(std::move(usage)) {}

  std::string path_, limit_, usage_;
};

class OutOfMemory : public testing::Test {
 protected:
  void SetUp() override {
    if (!cgroup) GTEST_SKIP() << "no memory cgroup may be made here";
    settings.own_binary = true;
    settings.arguments = {"--supervise"};
  }

  // Clients that are in the middle of a long head, until the worker has no room for another.
  std::list<Client> fill(const Baton& baton, pid_t worker) {
    std::list<Client> clients;
    constexpr std::size_t most = 8000;
    while (is_alive(worker) && clients.size() < most) {
      try {
        clients.emplace_back(baton.address()).send("GET /bytes/5?" + std::string(3000, 'x'));
      } catch (const Failure&) {  // what was just being accepted
        clients.pop_back();
      }
    }
    EXPECT_LT(clients.size(), most) << "the kernel has killed nothing";
    return clients;
  }

  const std::unique_ptr<MemoryCgroup> cgroup = MemoryCgroup::make();
  Origin origin;
  Settings settings{origin.address()};
};

TEST_F(OutOfMemory, OfAWorkerEndsNoConnectionThatItWasNotRunning) {
  Baton baton(settings);
  std::list<Client> idle;
  for (int count = 0; count < 100; ++count) idle.emplace_back(baton.address()).get("/bytes/1");
  const pid_t worker = worker_at_rest(baton);
  cgroup->grant(2 << 20);
  cgroup->add(worker);
  std::list<Client> filling = fill(baton, worker);
  await_another_worker(baton, worker);
  for (Client& client : idle) EXPECT_EQ(client.get("/bytes/5").body, pattern(5)) << baton.log();
  std::size_t lost = 0;
  for (Client& client : filling) {
    try {
      client.send(" HTTP/1.1\r\nHost: a\r\n\r\n");
      EXPECT_EQ(client.response().body, pattern(5));
    } catch (const Failure&) {
      ++lost;
    }
  }
  EXPECT_LE(lost, settings.workers) << baton.log();
}

// What the dead worker has left is charged as long as its keeper lives. If there is no room for that beside a
// successor, the keeper has to go, not the parent.
TEST_F(OutOfMemory, OfTheWholeServiceEndsConnectionsButNotTheService) {
  settings.shell = "echo $$ > " + cgroup->processes();
  Baton baton(settings);
  const pid_t worker = worker_at_rest(baton), parent = baton.pid();
  cgroup->grant(4 << 20);
  fill(baton, worker);
  const pid_t replacement = await_another_worker(baton, worker);
  EXPECT_TRUE(is_alive(parent));
  EXPECT_EQ(baton.connect().get("/bytes/5").body, pattern(5)) << baton.log();
  const auto score = [](pid_t pid) { return read_file("/proc/" + std::to_string(pid) + "/oom_score_adj"); };
  EXPECT_EQ(score(replacement), score(parent));
}

}  // namespace
}  // namespace baton::harness
