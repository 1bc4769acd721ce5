#include "proxy/upstream/queue.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

namespace baton::upstream {
namespace {

class QueueTest : public testing::Test {
 protected:
  struct Waiting final : Waiter {
    using Waiter::Waiter;
    void on_place(Place given) override {
      if (leaves) return;
      got = given.standing().address;
      given.keep();
    }
    std::string got;
    bool leaves = false;
  };

  std::shared_ptr<Waiting> wait(std::int64_t since_ms, const Standing* only = nullptr, std::uint64_t at_most = 10) {
    auto waiter = std::make_shared<Waiting>(loop, since_ms, only);
    return queue->enter(waiter, at_most) ? waiter : nullptr;
  }
  void run() {
    while (loop.run_one(0)) {
    }
  }
  // All places are taken.
  static std::shared_ptr<Standing> full(const std::string& address, int max) {
    auto standing = std::make_shared<Standing>("app", address);
    standing->load.add(max - standing->load.here());
    return standing;
  }

  runtime::Loop loop;
  std::shared_ptr<Queue> queue = std::make_shared<Queue>();
  std::shared_ptr<Standing> a = full("a", 2);
};

TEST_F(QueueTest, APlaceGoesToWhoHasWaitedLongest) {
  const auto late = wait(300);
  const auto early = wait(100);
  queue->free_place(a, 2, 0);
  run();
  EXPECT_EQ(early->got, "a");
  EXPECT_EQ(late->got, "");
  EXPECT_EQ(a->load.here(), 2) << "it was free for nobody else";
  queue->free_place(a, 2, 0);
  run();
  EXPECT_EQ(late->got, "a");
  EXPECT_FALSE(queue->is_used());
  queue->free_place(a, 2, 0);
  EXPECT_EQ(a->load.here(), 1);
}

TEST_F(QueueTest, TakesNoMoreThanItMay) {
  EXPECT_TRUE(wait(1, nullptr, 2));
  EXPECT_TRUE(wait(2, nullptr, 2));
  EXPECT_FALSE(wait(3, nullptr, 2));
}

TEST_F(QueueTest, APlaceOnItsWayToWhoHasLeftGoesToTheNext) {
  const auto gone = wait(100);
  const auto next = wait(200);
  queue->free_place(a, 2, 0);
  gone->leaves = true;
  run();
  EXPECT_EQ(next->got, "a");
  EXPECT_EQ(a->load.here(), 2);
  const auto left = wait(300);
  queue->leave(left);
  queue->free_place(a, 2, 0);
  run();
  EXPECT_EQ(left->got, "");
  EXPECT_EQ(a->load.here(), 1);
}

TEST_F(QueueTest, WhoBelongsToAServerWaitsForItsPlaces) {
  const auto b = full("b", 1);
  const auto theirs = wait(100, b.get());
  const auto anybody = wait(200);
  queue->free_place(a, 2, 0);
  run();
  EXPECT_EQ(anybody->got, "a");
  queue->free_place(b, 1, 0);
  run();
  EXPECT_EQ(theirs->got, "b");
}

TEST_F(QueueTest, AServerThatTakesNobodyGivesNoPlace) {
  const auto waiter = wait(100);
  a->change([](state::ServerFacts& facts) { facts.health = state::Health::down; });
  queue->free_place(a, 2, 0);
  EXPECT_EQ(a->load.here(), 1);
  queue->fill(a, 2, 0);
  run();
  EXPECT_EQ(waiter->got, "");
  a->change([](state::ServerFacts& facts) { facts.health = state::Health::up; });
  queue->fill(a, 2, 0);
  run();
  EXPECT_EQ(waiter->got, "a");
  EXPECT_EQ(a->load.here(), 2);
}

// Connections that a successor adopts count beyond the limit.
TEST_F(QueueTest, APlaceBeyondTheLimitIsGivenToNobody) {
  a->load.add(2);
  const auto waiter = wait(100);
  queue->free_place(a, 2, 0);
  queue->free_place(a, 2, 0);
  run();
  EXPECT_EQ(waiter->got, "");
  queue->free_place(a, 2, 0);
  run();
  EXPECT_EQ(waiter->got, "a");
}

}  // namespace
}  // namespace baton::upstream
