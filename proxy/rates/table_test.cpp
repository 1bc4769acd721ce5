// Buckets in memory that threads and processes share.
#include "proxy/rates/table.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace baton::rates {
namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::int64_t hour_us = 3600 * second_us;
constexpr std::int64_t day_us = 24 * hour_us;
constexpr Rate ten_an_hour{.interval_us = hour_us / 10, .burst_us = hour_us};

struct Tables : testing::Test {
  Tables() { table.make_room(); }

  handoff::UniqueFd copy() const { return handoff::UniqueFd(::fcntl(table.to_pass_on(), F_DUPFD_CLOEXEC, 3)); }
  // How many of that many requests pass at that time.
  int count(const Table& in, std::string_view key, int requests, std::int64_t at, const Rate& rate = ten_an_hour) {
    int passed = 0;
    for (int i = 0; i < requests; ++i) passed += in.take(1, rate, key, at).passes ? 1 : 0;
    return passed;
  }

  Table table;
  std::int64_t now = 1000 * day_us;
};

TEST_F(Tables, KeepABucketForEachKeyAndRate) {
  EXPECT_EQ(count(table, "a", 20, now), 10);
  EXPECT_EQ(count(table, "b", 20, now), 10);
  EXPECT_EQ(count(table, "", 20, now), 10);
  EXPECT_TRUE(table.take(2, ten_an_hour, "a", now).passes) << "another rate";
  EXPECT_EQ(table.take(1, ten_an_hour, "a", now).wait_us, hour_us / 10);
  EXPECT_EQ(count(table, "a", 20, now + hour_us / 2), 5);
  EXPECT_EQ(count(table, "a", 20, now + 10 * hour_us), 10);
}

TEST_F(Tables, WithoutMemoryLetEverythingPass) {
  const Table none;
  EXPECT_EQ(count(none, "a", 20, now), 20);
  EXPECT_EQ(none.to_pass_on(), -1);
}

TEST_F(Tables, ShareTheirMemoryWithAnotherProcess) {
  EXPECT_EQ(count(table, "a", 7, now), 7);
  Table successor;
  successor.make_room();
  ASSERT_TRUE(successor.adopt(copy(), 0));
  EXPECT_EQ(count(successor, "a", 20, now), 3);
  EXPECT_EQ(count(successor, "b", 4, now), 4);
  EXPECT_EQ(count(table, "a", 20, now), 0);
  EXPECT_EQ(count(table, "b", 20, now), 6);
  table.make_room();
  EXPECT_EQ(count(table, "b", 20, now), 0) << "there was room already";
}

TEST_F(Tables, CountByOneClockWhateverTheProcesssIs) {
  EXPECT_EQ(count(table, "a", 20, now), 10);
  Table successor;
  ASSERT_TRUE(successor.adopt(copy(), 300 * day_us));
  EXPECT_EQ(successor.clock_us(), 300 * day_us);
  EXPECT_EQ(count(successor, "a", 20, now - 300 * day_us), 0);
  EXPECT_EQ(count(successor, "a", 20, now - 300 * day_us + hour_us / 2), 5);
}

TEST_F(Tables, TakeNoMemoryButTheirOwnKind) {
  EXPECT_EQ(count(table, "a", 20, now), 10);
  const auto strange = runtime::SharedMemory::create("strange", 4096 + 4 * 1024 * 1024);
  EXPECT_FALSE(table.adopt(handoff::UniqueFd(::fcntl(strange.descriptor(), F_DUPFD_CLOEXEC, 3)), 5)) << "no header";
  EXPECT_FALSE(table.adopt(handoff::UniqueFd(::memfd_create("empty", MFD_CLOEXEC)), 5));
  EXPECT_FALSE(table.adopt({}, 5));
  EXPECT_EQ(table.clock_us(), 0);
  EXPECT_EQ(count(table, "a", 20, now), 0) << "nothing has changed";
}

// A neighbour may write anything at any time.
TEST_F(Tables, RefuseForNoLongerThanTheRateMeansWhateverTheyHold) {
  const auto memory = runtime::SharedMemory::attach(copy(), 4096 + 4 * 1024 * 1024);
  ASSERT_TRUE(memory);
  for (const int filling : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
    std::fill_n(memory->data() + 4096, 4 * 1024 * 1024, std::byte(filling));
    for (int i = 0; i < 1000; ++i) {
      const std::string key = std::to_string(i);
      for (const std::int64_t at : {now, now + 100 * day_us, now + 190 * day_us}) {
        const Taking taking = table.take(1, ten_an_hour, key, at);
        EXPECT_LE(taking.wait_us, ten_an_hour.interval_us);
        EXPECT_EQ(count(table, key, 20, at + hour_us), 10) << "and then it is as ever";
      }
    }
  }
}

TEST_F(Tables, KeepWhatWasUsedWhenTheNumbersChange) {
  const Rate hundred{.interval_us = hour_us / 10, .burst_us = 10 * hour_us};
  EXPECT_EQ(count(table, "a", 5, now), 5);
  EXPECT_EQ(count(table, "a", 200, now, hundred), 95);
  EXPECT_FALSE(table.take(1, ten_an_hour, "a", now).passes);
  EXPECT_EQ(table.take(1, ten_an_hour, "a", now).wait_us, hour_us / 10) << "as full as it can be, not ten times that";
  EXPECT_EQ(count(table, "a", 20, now + hour_us), 10);
}

TEST_F(Tables, AreNotConfusedByAClockThatIsALittleBehind) {
  EXPECT_EQ(count(table, "a", 20, now), 10);
  const Taking taking = table.take(1, ten_an_hour, "a", now - 5000);
  EXPECT_FALSE(taking.passes);
  EXPECT_EQ(taking.wait_us, hour_us / 10);
  EXPECT_EQ(count(table, "a", 20, now + hour_us), 10);
}

// Each of many keys. Two of them have one bucket by chance in one run of fifty; nothing else may go wrong.
constexpr int keys = 50'000;
constexpr int unlucky_max = 100;

TEST_F(Tables, ForgetNobodyWhileTheyHaveRoom) {
  // Also shortly before the time in a bucket begins again, when no bucket could be taken for one that is far ahead.
  const std::int64_t last_hour = (std::int64_t{1} << 44) - hour_us;
  for (const std::int64_t at : {now, last_hour}) {
    Table fresh;
    fresh.make_room();
    int first = 0, later = 0;
    for (int i = 0; i < keys; ++i) first += count(fresh, std::to_string(i), 1, at);
    for (int i = 0; i < keys; ++i) later += count(fresh, std::to_string(i), 20, at);
    EXPECT_EQ(first, keys);
    EXPECT_NEAR(later, 9 * keys, unlucky_max);
  }
}

// Of more clients than there is room for, those are forgotten whose buckets are nearly empty.
TEST_F(Tables, ForgetTheEmptiestBucketFirst) {
  EXPECT_EQ(count(table, "greedy", 10, now), 10);
  for (int i = 0; i < 1'500'000; ++i) ASSERT_TRUE(table.take(1, ten_an_hour, std::to_string(i), now).passes) << i;
  EXPECT_FALSE(table.take(1, ten_an_hour, "greedy", now).passes);
}

TEST_F(Tables, ReuseBucketsThatHaveBecomeEmpty) {
  for (int hour = 0; hour < 4; ++hour, now += 2 * hour_us) {
    const auto key = [hour](int i) { return std::to_string(hour * 1'000'000 + i); };
    int first = 0, later = 0;
    for (int i = 0; i < keys; ++i) first += count(table, key(i), 10, now);
    for (int i = 0; i < keys; ++i) later += count(table, key(i), 1, now);
    EXPECT_NEAR(first, 10 * keys, unlucky_max);
    EXPECT_NEAR(later, 0, unlucky_max);
  }
}

TEST_F(Tables, CountExactlyForThreadsThatRunAtTheSameTime) {
  constexpr int burst = 1'000'000;  // long enough for the threads to run at the same time
  const Rate rate{.interval_us = 10, .burst_us = 10LL * burst};
  std::atomic<int> passed = 0;
  std::atomic<bool> go = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      while (!go) std::this_thread::yield();
      int mine = 0;
      for (int n = 0; n < burst; ++n) mine += table.take(1, rate, "all", now).passes ? 1 : 0;
      passed += mine;
    });
  }
  go = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(passed, burst);
}

}  // namespace
}  // namespace baton::rates
