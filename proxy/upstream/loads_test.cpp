#include "proxy/upstream/loads.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <list>
#include <string>
#include <thread>

namespace baton::upstream {
namespace {

// A process with one server.
struct Process {
  explicit Process(std::uint64_t generation, const Process* predecessor = nullptr) {
    loads.set_generation(generation);
    if (predecessor != nullptr) {
      EXPECT_TRUE(loads.adopt(handoff::UniqueFd(::fcntl(predecessor->loads.to_pass_on(), F_DUPFD_CLOEXEC, 3))));
    } else {
      loads.make_room();
    }
    settle(load);
  }
  void settle(Load& one, const std::string& address = "192.0.2.1:80") {
    loads.settle(one, "app", address,
                 [this] { return std::vector{std::shared_ptr<const Load>(std::shared_ptr<void>(), &load)}; });
  }
  // As a server with so many places.
  bool may_begin(std::int64_t most) {
    if (load.add(1) + load.elsewhere() <= most) return true;
    load.add(-1);
    return false;
  }

  Loads loads;
  Load load;
};

TEST(Loads, AreSeenByBothProcessesOfAnUpgradeAndOnlyThen) {
  Process before(4);
  before.load.add(2);
  before.loads.prepare_for_successor(before.load);
  Process after(5, &before);
  EXPECT_EQ(after.load.everywhere(), 0);
  after.loads.join_predecessor();
  before.loads.join_successor();
  after.load.add(3);
  EXPECT_EQ(after.load.here(), 3);
  EXPECT_EQ(after.load.everywhere(), 5);
  EXPECT_EQ(before.load.everywhere(), 5);
  before.load.add(-1);
  EXPECT_EQ(after.load.everywhere(), 4);
  after.loads.be_alone();
  EXPECT_EQ(after.load.everywhere(), 3) << "what a dead process counted is nothing";
  before.loads.be_alone();
  EXPECT_EQ(before.load.everywhere(), 1);
}

TEST(Loads, OfEarlierGenerationsDoNotCount) {
  std::list<Process> generations;
  generations.emplace_back(1).load.add(5);  // it crashes with these
  for (std::uint64_t generation = 2; generation < 12; ++generation) {
    Process& before = generations.back();
    before.loads.prepare_for_successor(before.load);
    before.loads.join_successor();
    EXPECT_EQ(before.load.everywhere(), before.load.here()) << "a successor of an old version counts nothing";
    Process& after = generations.emplace_back(generation, &before);
    EXPECT_EQ(after.load.here(), 0) << generation;
    after.load.add(static_cast<std::int64_t>(generation));
  }
}

TEST(Loads, TogetherNeverExceedALimit) {
  Process before(1), after(2, &before);
  before.loads.join_successor();
  after.loads.join_predecessor();
  constexpr int most = 3;
  std::atomic<int> inside = 0, at_most = 0;
  std::vector<std::thread> workers;
  for (Process* process : {&before, &before, &after, &after}) {
    workers.emplace_back([&, process] {
      for (int i = 0; i < 20'000; ++i) {
        int held = 0;
        for (; process->may_begin(most); ++held) {
          const int now = ++inside;
          int seen = at_most;
          while (now > seen && !at_most.compare_exchange_weak(seen, now)) {
          }
        }
        std::this_thread::yield();
        for (; held != 0; --held) {
          --inside;
          process->load.add(-1);
        }
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_LE(at_most, most);
  EXPECT_GE(at_most, 1);
  EXPECT_EQ(before.load.everywhere(), 0);
}

TEST(Loads, OfServersThatAreGoneMakeRoomForOthers) {
  Process process(1);
  process.load.add(1);
  for (int i = 0; i < 20'000; ++i) {
    Load other;
    process.settle(other, std::to_string(i));
    other.add(1);
  }
  Process after(2, &process);
  after.loads.join_predecessor();
  EXPECT_EQ(after.load.everywhere(), 1) << "it has kept its place, and the one that is asked for now has one";
}

TEST(Loads, WithoutMemoryAreCountedByThisProcessAlone) {
  Loads loads;
  Load load;
  loads.settle(load, "app", "a", [] { return std::vector<std::shared_ptr<const Load>>(); });
  load.add(2);
  loads.join_predecessor();
  EXPECT_EQ(load.everywhere(), 2);
  EXPECT_EQ(loads.to_pass_on(), -1);
  EXPECT_FALSE(loads.adopt(handoff::UniqueFd(::open("/dev/zero", O_RDWR | O_CLOEXEC))));
}

}  // namespace
}  // namespace baton::upstream
