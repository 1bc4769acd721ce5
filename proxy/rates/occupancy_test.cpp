// The connections of each client, in one process and seen from its successor.
#include "proxy/rates/occupancy.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace baton::rates {
namespace {

struct Occupancies : testing::Test {
  Occupancies() { occupancy.make_room(); }
  handoff::UniqueFd copy() const { return handoff::UniqueFd(::fcntl(occupancy.to_pass_on(), F_DUPFD_CLOEXEC, 3)); }

  Occupancy occupancy;
};

TEST_F(Occupancies, CountUntilTheyLeave) {
  Occupancy::Entered one = occupancy.enter("a");
  Occupancy::Entered two = occupancy.enter("a");
  EXPECT_EQ(one.count, 1u);
  EXPECT_EQ(two.count, 2u);
  EXPECT_EQ(occupancy.enter("b").count, 1u);
  one.place.leave();
  one.place.leave();
  Place moved = std::move(two.place);
  EXPECT_FALSE(two.place);
  EXPECT_EQ(occupancy.enter("a").count, 2u);
  moved = {};
  EXPECT_EQ(occupancy.enter("a").count, 1u);
}

TEST_F(Occupancies, WithoutMemoryCountNobody) {
  const Occupancy none;
  EXPECT_EQ(none.enter("a").count, 0u);
  EXPECT_FALSE(none.enter("a").place);
  EXPECT_EQ(none.to_pass_on(), -1);
}

TEST_F(Occupancies, OfAPredecessorCountUntilItIsForgotten) {
  const Occupancy::Entered one = occupancy.enter("a");
  Occupancy::Entered two = occupancy.enter("a");
  Occupancy successor;
  successor.make_room();
  ASSERT_TRUE(successor.watch(copy()));
  EXPECT_EQ(successor.enter("a").count, 3u);
  EXPECT_EQ(successor.enter("b").count, 1u);
  EXPECT_EQ(occupancy.enter("a").count, 3u) << "it does not count what is the successor's";
  const Occupancy::Entered moved = successor.enter("a");
  two.place.leave();
  EXPECT_EQ(successor.enter("a").count, 3u);
  successor.forget_predecessor();
  EXPECT_EQ(successor.enter("a").count, 2u);
}

TEST_F(Occupancies, WatchNothingButTheirOwnKind) {
  EXPECT_FALSE(occupancy.watch({}));
  const auto strange = runtime::SharedMemory::create("strange", HashedLines::bytes_of(32 * 1024));
  EXPECT_FALSE(occupancy.watch(handoff::UniqueFd(::fcntl(strange.descriptor(), F_DUPFD_CLOEXEC, 3))));
  EXPECT_EQ(occupancy.enter("a").count, 1u);
}

TEST_F(Occupancies, HaveRoomForManyClients) {
  std::vector<Place> places;
  std::size_t uncounted = 0;
  for (int i = 0; i < 100'000; ++i) {
    Occupancy::Entered entered = occupancy.enter(std::to_string(i));
    if (!entered.place) ++uncounted;
    EXPECT_LE(entered.count, 1u) << i;
    places.push_back(std::move(entered.place));
  }
  EXPECT_LT(uncounted, 1'000u);
  places.clear();
  for (int i = 0; i < 100'000; ++i) ASSERT_EQ(occupancy.enter(std::to_string(i)).count, 1u) << i;
}

// Whatever a neighbour writes there.
TEST_F(Occupancies, NeverCountBelowZero) {
  const auto memory = runtime::SharedMemory::attach(copy(), HashedLines::bytes_of(32 * 1024));
  ASSERT_TRUE(memory);
  Occupancy::Entered one = occupancy.enter("a");
  std::fill_n(memory->data() + HashedLines::header_bytes, 2 * 1024 * 1024, std::byte{0});
  one.place.leave();
  const std::span after(memory->data() + HashedLines::header_bytes, 2 * 1024 * 1024);
  EXPECT_TRUE(std::ranges::all_of(after, [](std::byte b) { return b == std::byte{0}; }));
  EXPECT_EQ(occupancy.enter("a").count, 1u);
  std::fill_n(memory->data() + HashedLines::header_bytes, 2 * 1024 * 1024, std::byte{0xff});
  EXPECT_FALSE(occupancy.enter("a").place) << "no room";
}

TEST_F(Occupancies, CountExactlyForThreadsThatRunAtTheSameTime) {
  constexpr int each = 300'000;  // long enough for the threads to run at the same time
  constexpr int threads = 4;
  std::atomic<bool> go = false;
  std::vector<std::vector<Place>> places(threads);
  std::vector<std::thread> running;
  for (std::vector<Place>& mine : places) {
    mine.reserve(each);
    running.emplace_back([&] {
      while (!go) std::this_thread::yield();
      for (int i = 0; i < each; ++i) mine.push_back(occupancy.enter("a").place);
    });
  }
  go = true;
  for (std::thread& thread : running) thread.join();
  EXPECT_EQ(occupancy.enter("a").count, threads * each + 1u);
  running.clear();
  for (std::vector<Place>& mine : places) running.emplace_back([&] { mine.clear(); });
  for (std::thread& thread : running) thread.join();
  EXPECT_EQ(occupancy.enter("a").count, 1u);
}

}  // namespace
}  // namespace baton::rates
