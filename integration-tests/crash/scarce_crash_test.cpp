// A worker crashes while something has run out: its descriptors, or its keeper's memory.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <list>
#include <regex>

#include "harness/origin.hpp"
#include "harness/shared_memory.hpp"
#include "memory/scarcity.hpp"
#include "supervise/supervised.hpp"

namespace baton::harness {
namespace {

class ScarceCrash : public testing::Test {
 protected:
  ScarceCrash() {
    settings.own_binary = true;
    settings.arguments = {"--supervise"};
    settings.handoff += ", survive: all";
  }

  Origin origin;
  Settings settings{origin.address()};
};

// The descriptors that are reserved from clients are enough for a keeper and the successor that it starts.
TEST_F(ScarceCrash, OfAWorkerWithAllTheDescriptorsThatItMayHaveEndsNone) {
  constexpr std::int64_t full = 40;  // each with a server, beside what is reserved
  settings.descriptors_max = 160;
  Baton baton(settings);
  std::list<Client> busy;
  constexpr std::size_t more_than_it_may_have = 100;  // the rest wait in the queue
  while (busy.size() < more_than_it_may_have) {
    busy.emplace_back(baton.address()).send(get_request("/held", "Connection: close\r\n"));
    // One after the other: of many that it accepts at once, some might get no descriptor for their server.
    if (busy.size() <= full) origin.gate().await_arrivals(busy.size());
  }
  EXPECT_EQ(baton.number("connections.exchange"), full);
  const pid_t worker = worker_at_rest(baton);
  ::kill(worker, SIGKILL);
  await_another_worker(baton, worker);
  baton.await_log(std::regex("crashed: " + std::to_string(full) + " connections go on, 0 were lost"));
  origin.gate().open();
  for (Client& client : busy) EXPECT_EQ(client.response().body, "held") << baton.log();
}

// One allocation of the keeper fails: the first, then a later one. No connection is lost.
TEST_F(ScarceCrash, WhoseKeeperLacksMemoryOnceEndsNone) {
  const TempDir directory;
  const std::string path = directory / "scarcity";
  const std::string module = directory / "scarce_memory.so";
  std::filesystem::copy_file(SCARCE_MEMORY, module);
  const SharedWithModule<Scarcity> scarcity(path);
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
    await_another_worker(baton, worker);
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
}

}  // namespace
}  // namespace baton::harness
