#include "proxy/canary/tally.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace baton::canary {
namespace {

// The hash of a client with a slot of its own.
constexpr std::uint64_t client(std::uint64_t number) {
  return number << 48 | number;
}

struct CanaryTally : testing::Test {
  void expect(std::uint64_t exchanges, std::uint64_t exposures, std::uint64_t clients_failed) const {
    const state::CanarySide counts = tally.counts();
    EXPECT_EQ(counts.exchanges, exchanges);
    EXPECT_EQ(counts.exposures, exposures);
    EXPECT_EQ(counts.clients_failed, clients_failed);
  }

  Tally tally;
  std::int64_t now = 1'000'000;  // a tick begins
};

TEST_F(CanaryTally, ExposesAClientOnceInATick) {
  expect(0, 0, 0);
  for (int i = 0; i < 5; ++i) tally.note(client(1), false, now + 20 * i);
  expect(5, 1, 0);
  tally.note(client(2), false, now);
  expect(6, 2, 0);
  tally.note(client(1), false, now + tick_ms);
  expect(7, 3, 0);
}

TEST_F(CanaryTally, CountsTheFirstFailureOfAClientAndThenExposesItNoMore) {
  tally.note(client(1), true, now);
  expect(1, 1, 1);
  for (int i = 0; i < 2000; ++i) tally.note(client(1), i % 2 == 0, now + 10 * i);
  tally.note_open(client(1), now + 50'000);
  expect(2001, 1, 1);
  tally.note(client(2), true, now);
  expect(2002, 2, 2);
}

TEST_F(CanaryTally, TakesAFailureForAnExposureUnlessTheTickHasIt) {
  tally.note(client(1), false, now);
  tally.note(client(1), true, now + 1);
  expect(2, 1, 1);
  tally.note(client(2), false, now);
  tally.note(client(2), true, now + tick_ms);
  expect(4, 3, 2);
}

TEST_F(CanaryTally, ExposesAClientWithATunnelWithoutAnExchange) {
  tally.note_open(client(1), now);
  tally.note_open(client(1), now + 10);
  tally.note_open(client(1), now + 1000);
  expect(0, 2, 0);
}

TEST_F(CanaryTally, TakesClientsOfASlotForOne) {
  tally.note(client(1), true, now);
  tally.note(client(1) ^ 0xff, true, now + 1000);
  expect(2, 1, 1);
}

TEST_F(CanaryTally, CountsNoTickTwiceForAThreadWhoseClockIsBehind) {
  for (int i = 0; i < 10; ++i) {
    tally.note(client(1), false, now);
    tally.note(client(1), false, now - 1);
  }
  tally.note(client(1), true, now - 1);
  expect(21, 1, 1);
}

TEST_F(CanaryTally, CountsWhateverTheClockShows) {
  tally.note(client(1), false, 0);
  for (const std::int64_t at : {std::int64_t{0}, 0xffff'fffe * tick_ms, 0xffff'ffff * tick_ms, INT64_MAX}) {
    Tally fresh;
    fresh.note(client(1), false, at);
    fresh.note(client(1), true, at);
    EXPECT_EQ(fresh.counts(), (state::CanarySide{.exchanges = 2, .exposures = 1, .clients_failed = 1})) << at;
  }
}

TEST_F(CanaryTally, LosesNothingBetweenThreadsAndNeverShowsMoreFailuresThanExposures) {
  constexpr int threads_count = 3;
  constexpr std::uint64_t clients = 3000;
  constexpr int ticks = 20;
  std::atomic<int> running = threads_count;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < threads_count; ++thread) {
    threads.emplace_back([&] {
      for (int tick = 0; tick < ticks; ++tick) {
        // One in three fails in one of the ticks, and all threads hit each client in the same order.
        for (std::uint64_t i = 0; i < clients; ++i) {
          tally.note(client(i), i % 3 == 0 && tick == static_cast<int>(i % ticks), now + tick * tick_ms);
        }
      }
      --running;
    });
  }
  state::CanarySide before;
  while (running > 0) {
    const state::CanarySide counts = tally.counts();
    ASSERT_LE(counts.clients_failed, counts.exposures);
    ASSERT_GE(counts.exchanges, before.exchanges);
    ASSERT_GE(counts.exposures, before.exposures);
    ASSERT_GE(counts.clients_failed, before.clients_failed);
    before = counts;
  }
  for (std::thread& thread : threads) thread.join();
  const state::CanarySide counts = tally.counts();
  EXPECT_EQ(counts.exchanges, threads_count * clients * ticks);
  EXPECT_EQ(counts.clients_failed, clients / 3);
  EXPECT_GE(counts.exposures, clients);
  EXPECT_LE(counts.exposures, clients * ticks);
}

// The window between a tick that one thread has set and its exposure: every exchange fails, in all threads at once.
TEST_F(CanaryTally, CountsEveryClientOfAnOutageOnceWhicheverThreadMeetsItFirst) {
  std::vector<std::thread> threads;
  for (const bool fails : {false, true, true}) {
    threads.emplace_back([&, fails] {
      for (std::uint64_t i = 0; i < slot_count; ++i) tally.note(client(i), fails, now);
    });
  }
  std::atomic<bool> done = false;
  std::thread reader([&] {
    while (!done) {
      const state::CanarySide counts = tally.counts();
      ASSERT_LE(counts.clients_failed, counts.exposures);
    }
  });
  for (std::thread& thread : threads) thread.join();
  done = true;
  reader.join();
  expect(3 * slot_count, slot_count, slot_count);
}

}  // namespace
}  // namespace baton::canary
