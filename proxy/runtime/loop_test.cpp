#include "proxy/runtime/loop.hpp"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "proxy/runtime/testing/pipe.hpp"

namespace baton::runtime {
namespace {

struct Handler final : EventHandler {
  explicit Handler(std::function<void(std::uint32_t)> called) : on_call(std::move(called)) {}
  ~Handler() override {
    if (gone != nullptr) *gone = true;
  }
  void on_events(std::uint32_t events) override { on_call(events); }
  std::function<void(std::uint32_t)> on_call;
  bool* gone = nullptr;
};

class LoopThread {
 public:
  ~LoopThread() {
    loop.stop();
    thread_.join();
  }
  Loop loop;

 private:
  std::thread thread_{[this] { loop.run(); }};
};

TEST(Loop, RunsWhatIsPostedFromAnyThreadInOrder) {
  constexpr int per_thread = 1000;
  std::vector<std::vector<int>> seen(4);
  {
    LoopThread running;
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < seen.size(); ++i) {
      threads.emplace_back([&, i] {
        for (int task = 0; task < per_thread; ++task) running.loop.post([&, i, task] { seen[i].push_back(task); });
      });
    }
    for (auto& thread : threads) thread.join();
    running.loop.call([] {});
  }
  for (const auto& tasks : seen) {
    ASSERT_EQ(tasks.size(), std::size_t{per_thread});
    for (int task = 0; task < per_thread; ++task) EXPECT_EQ(tasks[static_cast<std::size_t>(task)], task);
  }
}

TEST(Loop, CallWaitsUntilTheTaskHasRunInTheLoopsThread) {
  LoopThread running;
  std::thread::id where;
  running.loop.call([&] { where = std::this_thread::get_id(); });
  EXPECT_NE(where, std::thread::id());
  EXPECT_NE(where, std::this_thread::get_id());
}

TEST(Loop, RunOneHandlesOneEventOrSaysThatNoneCame) {
  Loop loop;
  EXPECT_FALSE(loop.run_one(0));
  TestPipe first;
  TestPipe second;
  int calls = 0;
  Handler handler([&](std::uint32_t events) {
    EXPECT_TRUE(events & EPOLLIN);
    ++calls;
  });
  for (const TestPipe* pipe : {&first, &second}) {
    ASSERT_TRUE(loop.add(pipe->reading.get(), EPOLLIN | EPOLLET, handler));
    ASSERT_EQ(::write(pipe->writing.get(), "x", 1), 1);
  }
  EXPECT_TRUE(loop.run_one(0));
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(loop.run_one(0));
  EXPECT_EQ(calls, 2);
  EXPECT_FALSE(loop.run_one(0));
  loop.remove(first.reading.get());
  ASSERT_EQ(::write(first.writing.get(), "x", 1), 1);
  EXPECT_FALSE(loop.run_one(0)) << "it was removed";
}

TEST(Loop, CallsAgainAfterOthersHadTheirTurn) {
  Loop loop;
  TestPipe pipe;
  std::string order;
  Handler greedy([&](std::uint32_t events) {
    EXPECT_EQ(events, 0U);
    order += 'g';
    if (order.size() < 6) loop.again(greedy);
  });
  Handler other([&](std::uint32_t) { order += 'o'; });
  ASSERT_TRUE(loop.add(pipe.reading.get(), EPOLLIN | EPOLLET, other));
  loop.again(greedy);
  ASSERT_EQ(::write(pipe.writing.get(), "x", 1), 1);
  while (loop.run_one(0)) {
  }
  EXPECT_EQ(order, "oggggg");
}

TEST(Loop, ThoseThatAskAgainKeepTheirOrder) {
  Loop loop;
  std::string order;
  Handler a([&](std::uint32_t) { order += 'a'; });
  Handler b([&](std::uint32_t) { order += 'b'; });
  Handler c([&](std::uint32_t) { order += 'c'; });
  for (Handler* one : {&a, &b, &c}) loop.again(*one);
  while (loop.run_one(0)) {
  }
  EXPECT_EQ(order, "abc");
}

TEST(Loop, AnEventWaitsOnlyForAFewOfThoseThatAskAgain) {
  constexpr int many = 100;
  Loop loop;
  TestPipe pipe;
  int turns = 0;
  bool called = false;
  std::vector<std::unique_ptr<Handler>> greedy;
  for (int i = 0; i < many; ++i) {
    greedy.push_back(std::make_unique<Handler>(nullptr));
    greedy.back()->on_call = [&, self = greedy.back().get()](std::uint32_t) {
      ++turns;
      loop.again(*self);
    };
    loop.again(*greedy.back());
  }
  Handler newcomer([&](std::uint32_t) { called = true; });
  ASSERT_TRUE(loop.add(pipe.reading.get(), EPOLLIN | EPOLLET, newcomer));
  for (int i = 0; i < many + 1; ++i) loop.run_one(0);
  ASSERT_EQ(::write(pipe.writing.get(), "x", 1), 1);
  turns = 0;
  while (!called && turns < 10 * many) loop.run_one(0);
  EXPECT_LE(turns, Loop::turns_per_round);
}

TEST(Loop, DestroysAfterTheRoundSoThatAnEventWhichIsHereFindsItsHandler) {
  Loop loop;
  TestPipe first;
  TestPipe second;
  bool gone = false;
  bool called = false;
  // The handler that is called first disposes of the other, whose event arrived in the same round.
  auto victim = std::make_unique<Handler>([&](std::uint32_t) { called = true; });
  victim->gone = &gone;
  Handler killer([&](std::uint32_t) {
    if (victim == nullptr) return;
    loop.remove(second.reading.get());
    loop.dispose(std::move(victim));
    EXPECT_FALSE(gone);
  });
  ASSERT_TRUE(loop.add(first.reading.get(), EPOLLIN | EPOLLET, killer));
  ASSERT_TRUE(loop.add(second.reading.get(), EPOLLIN | EPOLLET, *victim));
  ASSERT_EQ(::write(first.writing.get(), "x", 1), 1);
  ASSERT_EQ(::write(second.writing.get(), "x", 1), 1);
  EXPECT_TRUE(loop.run_one(0));
  EXPECT_FALSE(gone);
  EXPECT_TRUE(loop.run_one(0));
  EXPECT_TRUE(called);
  EXPECT_FALSE(loop.run_one(0));
  EXPECT_TRUE(gone);
}

TEST(Loop, ForgetsWhatAskedForAnotherCallAndIsDisposedOf) {
  Loop loop;
  bool gone = false;
  auto handler = std::make_unique<Handler>([](std::uint32_t) { ADD_FAILURE() << "it is gone"; });
  handler->gone = &gone;
  loop.again(*handler);
  loop.dispose(std::move(handler));
  EXPECT_FALSE(loop.run_one(0));
  EXPECT_TRUE(gone);
}

TEST(Loop, TicksWhileNothingHappens) {
  std::atomic<int> ticks = 0;
  {
    Loop loop;
    loop.on_tick = [&](std::int64_t now_ms) {
      EXPECT_EQ(now_ms, loop.now_ms());
      if (++ticks == 3) loop.stop();
    };
    loop.run();
  }
  EXPECT_GE(ticks, 3);
}

}  // namespace
}  // namespace baton::runtime
