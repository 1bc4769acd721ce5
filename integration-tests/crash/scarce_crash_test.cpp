// A worker crashes while something has run out: its descriptors, or its keeper's memory.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>

#include <filesystem>
#include <list>
#include <new>
#include <regex>

#include "harness/baton.hpp"
#include "harness/origin.hpp"
#include "harness/pids.hpp"
#include "memory/scarcity.hpp"

namespace baton::harness {
namespace {

class ScarceCrash : public testing::Test {
 protected:
  ScarceCrash() {
    settings.own_binary = true;
    settings.arguments = {"--supervise"};
    settings.handoff += ", survive: all";
  }

  static pid_t worker_at_rest(const Baton& baton) {
    const auto worker = static_cast<pid_t>(baton.number("pid"));
    const std::regex known("supervisor: PID " + std::to_string(worker) + " is the instance");
    await([&] { return baton.count_log_lines(known) != 0; }, "the parent to know its worker\n" + baton.log());
    await_rest(worker);
    return worker;
  }
  static void await_another(const Baton& baton, pid_t before) {
    await(
        [&] {
          try {
            return baton.number("pid") != before;
          } catch (const Failure&) {
            return false;
          }
        },
        "another worker to serve\n" + baton.log());
  }

  Origin origin;
  Settings settings{origin.address()};
};

// Those that clients may not take are enough for a keeper and what it starts.
TEST_F(ScarceCrash, OfAWorkerWithAllTheDescriptorsThatItMayHaveEndsNone) {
  constexpr std::int64_t full = 40;  // each with a server, beside what is reserved
  settings.descriptors_max = 160;
  Baton baton(settings);
  std::list<Client> busy;
  constexpr std::size_t more_than_it_may_have = 100;  // the rest wait in the queue
  while (busy.size() < more_than_it_may_have) {
    busy.emplace_back(baton.address()).send(get_request("/held", "Connection: close\r\n"));
  }
  baton.await_number("connections.exchange", full);
  origin.gate().await_arrivals(full);
  const pid_t worker = worker_at_rest(baton);
  ::kill(worker, SIGKILL);
  await_another(baton, worker);
  baton.await_log(std::regex("crashed: " + std::to_string(full) + " connections go on, 0 were lost"));
  origin.gate().open();
  for (Client& client : busy) EXPECT_EQ(client.response().body, "held");
}

// Each of its allocations fails once, or some of them; it goes on all the same.
TEST_F(ScarceCrash, WhoseKeeperLacksMemoryOnceEndsNone) {
  const TempDir directory;
  const std::string path = directory / "scarcity";
  const std::string module = directory / "scarce_memory.so";
  std::filesystem::copy_file(SCARCE_MEMORY, module);
  const Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::ftruncate(file.get(), sizeof(Scarcity)), 0);
  void* const shared = ::mmap(nullptr, sizeof(Scarcity), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  ASSERT_NE(shared, MAP_FAILED);
  auto* const scarcity = new (shared) Scarcity();
  settings.shell = "export LD_PRELOAD=" + module + " SCARCITY=" + path;
  long made = 1;
  int crashes = 0;
  for (long failing = 1; failing <= made; failing += 1 + failing / 4, ++crashes) {
    SCOPED_TRACE("allocation " + std::to_string(failing) + " fails");
    Baton baton(settings);
    Client idle = baton.connect(), tunnel = baton.connect();
    idle.get("/bytes/1");
    tunnel.send(get_request("/websocket", "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
    EXPECT_EQ(read_head(tunnel).start_line, "HTTP/1.1 101 Switching Protocols");
    const pid_t worker = worker_at_rest(baton);
    scarcity->pid = children_of(worker).at(0);
    scarcity->failing = failing;
    scarcity->count = 0;
    scarcity->in = ScarceIn::main_thread;
    ::kill(worker, SIGKILL);
    await_another(baton, worker);
    scarcity->in = ScarceIn::nothing;
    made = scarcity->count;
    try {
      tunnel.send("still there");
      EXPECT_EQ(tunnel.read_exactly(11), "still there");
      EXPECT_EQ(idle.get("/bytes/7").body, pattern(7));
    } catch (const Failure& failure) {
      ADD_FAILURE() << failure.what() << "\n" << baton.log();
    }
    baton.signal(SIGKILL);
    if (HasFailure()) break;
  }
  EXPECT_GT(crashes, 10);
  ::munmap(shared, sizeof(Scarcity));
}

}  // namespace
}  // namespace baton::harness
