#include "proxy/runtime/deadlines.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <random>
#include <vector>

namespace baton::runtime {
namespace {

constexpr std::int64_t late_ms_max = 2 * 64;      // two slots

struct Alarm final : DeadlineEntry {
  explicit Alarm(std::function<void()> called) : on_call(std::move(called)) {}
  ~Alarm() override = default;
  void on_deadline() override {
    ++calls;
    on_call();
  }
  std::function<void()> on_call;
  int calls = 0;
};

TEST(Deadlines, NeverComeEarlyAndHardlyLate) {
  std::mt19937_64 random(1);
  std::int64_t now = 1'000'003;
  Deadlines deadlines(now);
  struct Waiting {
    std::unique_ptr<Alarm> alarm;
    std::int64_t at = 0;
  };
  std::vector<Waiting> all(500);
  for (auto& one : all) {
    one.alarm = std::make_unique<Alarm>([&] {
      EXPECT_GE(now, one.at);
      EXPECT_LE(now - one.at, late_ms_max);
    });
    one.at = now + static_cast<std::int64_t>(random() % 120'000);      // some beyond one turn of the wheel
    deadlines.set(*one.alarm, one.at);
  }
  for (const std::int64_t end = now + 121'000; now < end;) {
    now += static_cast<std::int64_t>(random() % 50);
    deadlines.advance(now);
  }
  for (const auto& one : all) EXPECT_EQ(one.alarm->calls, 1);
}

TEST(Deadlines, ThatHavePassedAlreadyComeWithTheNextTurn) {
  Deadlines deadlines(10'000);
  Alarm alarm([] {});
  deadlines.set(alarm, 5);
  deadlines.advance(10'000);
  EXPECT_EQ(alarm.calls, 0);
  deadlines.advance(10'000 + late_ms_max);
  EXPECT_EQ(alarm.calls, 1);
}

TEST(Deadlines, CanBeMovedLaterAndEarlierAndTakenAway) {
  Deadlines deadlines(0);
  Alarm later([] {});
  Alarm earlier([] {});
  Alarm cleared([] {});
  for (Alarm* alarm : {&later, &earlier, &cleared}) deadlines.set(*alarm, 1'000);
  for (std::int64_t at = 1'001; at <= 5'000; ++at) deadlines.set(later, at);
  deadlines.set(earlier, 200);
  deadlines.clear(cleared);
  for (std::int64_t now = 0; now < 5'000; now += 10) {
    deadlines.advance(now);
    EXPECT_EQ(later.calls, 0);
    EXPECT_EQ(earlier.calls, now < 200 ? 0 : now > 200 + late_ms_max ? 1 : earlier.calls);
  }
  deadlines.advance(5'000 + late_ms_max);
  EXPECT_EQ(later.calls, 1);
  EXPECT_EQ(cleared.calls, 0);
}

TEST(Deadlines, NeverMeansNever) {
  Deadlines deadlines(0);
  Alarm alarm([] {});
  deadlines.set(alarm, 500);
  deadlines.set(alarm, no_deadline);
  deadlines.advance(100'000'000);
  EXPECT_EQ(alarm.calls, 0);
  deadlines.set(alarm, 100'000'500);
  deadlines.advance(100'001'000);
  EXPECT_EQ(alarm.calls, 1);
}

TEST(Deadlines, MaySetThemselvesAgainWhenTheyCome) {
  Deadlines deadlines(0);
  std::int64_t now = 0;
  Alarm alarm([&] { deadlines.set(alarm, now); });
  deadlines.set(alarm, 0);
  for (; now < 10'000; now += 50) deadlines.advance(now);
  EXPECT_GT(alarm.calls, 10'000 / 64 / 2);
}

TEST(Deadlines, MayDestroyOthersWhenTheyCome) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    Deadlines deadlines(0);
    std::vector<std::unique_ptr<Alarm>> alarms(50);
    int calls = 0;
    for (auto& alarm : alarms) {
      alarm = std::make_unique<Alarm>([&alarms, &alarm, &random, &calls] {
        ++calls;
        auto& victim = alarms[random() % alarms.size()];
        if (&victim != &alarm) victim.reset();
      });
      deadlines.set(*alarm, 100 + static_cast<std::int64_t>(random() % 3));
    }
    deadlines.advance(1'000);
    EXPECT_GT(calls, 0);
  }
}

TEST(Deadlines, CanBeDestroyedInAnyOrderAndAfterTheWheel) {
  std::mt19937 random(7);
  auto deadlines = std::make_unique<Deadlines>(0);
  std::vector<std::unique_ptr<Alarm>> alarms;
  for (int i = 0; i < 100; ++i) {
    alarms.push_back(std::make_unique<Alarm>([] {}));
    deadlines->set(*alarms.back(), static_cast<std::int64_t>(random() % 300));
  }
  std::shuffle(alarms.begin(), alarms.end(), random);
  alarms.resize(40);
  deadlines.reset();
  alarms.clear();
}

}  // namespace
}  // namespace baton::runtime
