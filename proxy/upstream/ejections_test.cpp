// Which servers are ejected, for how long, and that never too many are.
#include "proxy/upstream/ejections.hpp"

#include <gtest/gtest.h>

namespace baton::upstream {
namespace {

using namespace std::chrono_literals;

std::vector<std::shared_ptr<Standing>> servers(int count) {
  std::vector<std::shared_ptr<Standing>> list;
  for (int i = 0; i < count; ++i) list.push_back(std::make_shared<Standing>("app", "server" + std::to_string(i)));
  return list;
}

constexpr std::int64_t start_ms = 1'000'000;

TEST(NextEjection, DoublesAndEndsAtTenMinutes) {
  state::ServerFacts facts;
  std::int64_t now_ms = start_ms;
  for (const std::int64_t seconds : {30, 60, 120, 240, 480, 600, 600}) {
    const Ejection next = next_ejection(facts, 30'000, now_ms);
    EXPECT_EQ(next.ms, seconds * 1'000);
    facts.ejections = next.in_a_row;
    facts.ejected_until_ms = now_ms += next.ms;
  }
  EXPECT_EQ(next_ejection({}, 3'600'000, 0).ms, 3'600'000) << "a longer first one stays as it is";
}

TEST(NextEjection, FallsBackWithGoodTime) {
  const state::ServerFacts facts{.ejected_until_ms = start_ms, .ejections = 3};
  EXPECT_EQ(next_ejection(facts, 30'000, start_ms).in_a_row, 4u);
  EXPECT_EQ(next_ejection(facts, 30'000, start_ms + 119'999).in_a_row, 4u);
  EXPECT_EQ(next_ejection(facts, 30'000, start_ms + 120'000).in_a_row, 3u);
  EXPECT_EQ(next_ejection(facts, 30'000, start_ms + 240'000).in_a_row, 2u);
  EXPECT_EQ(next_ejection(facts, 30'000, start_ms + 3'600'000).in_a_row, 1u);
}

TEST(Ejections, AServerIsOutUntilItsTimeIsOver) {
  const auto list = servers(2);
  Ejections ejections("app", {.failures = 2, .within = 10s, .eject = 30s}, list);
  ejections.note_failure(*list[0], 1, start_ms, "refused");
  EXPECT_TRUE(list[0]->takes_requests(start_ms));
  ejections.note_failure(*list[0], 1, start_ms + 1, "refused");
  EXPECT_FALSE(list[0]->takes_requests(start_ms + 1));
  EXPECT_FALSE(list[0]->takes_requests(start_ms + 30'000));
  EXPECT_TRUE(list[0]->takes_requests(start_ms + 30'001));
  EXPECT_EQ(list[0]->facts().ejected_why, "refused");
  EXPECT_EQ(list[0]->slow_since_ms(), start_ms + 30'001);
}

TEST(Ejections, WhatHadBegunBeforeDoesNotProlongIt) {
  const auto list = servers(2);
  Ejections ejections("app", {.failures = 1, .eject = 30s}, list);
  ejections.note_failure(*list[0], 1, start_ms, "refused");
  ejections.note_failure(*list[0], 1, start_ms + 29'000, "reset");
  EXPECT_TRUE(list[0]->takes_requests(start_ms + 30'000));
  EXPECT_EQ(list[0]->facts().ejections, 1u);
}

TEST(Ejections, NeverMoreThanTheirShareOfTheServers) {
  for (const auto& [count, percent, most] :
       {std::tuple(1, 50, 0), {2, 50, 1}, {3, 50, 1}, {4, 50, 2}, {3, 34, 1}, {10, 9, 0}, {2, 100, 2}, {1, 100, 1}}) {
    const auto list = servers(count);
    Ejections ejections("app", {.failures = 1, .at_most_percent = static_cast<unsigned>(percent)}, list);
    int out = 0;
    for (const auto& server : list) {
      ejections.note_failure(*server, 1, start_ms, "refused");
      out += server->takes_requests(start_ms) ? 0 : 1;
    }
    EXPECT_EQ(out, most) << percent << "% of " << count;
  }
}

TEST(Ejections, AServerThatIsDownCountsAsOut) {
  const auto list = servers(2);
  Ejections ejections("app", {.failures = 1}, list);
  list[1]->change([](state::ServerFacts& facts) { facts.health = state::Health::down; });
  ejections.note_failure(*list[0], 1, start_ms, "refused");
  EXPECT_TRUE(list[0]->takes_requests(start_ms));
}

TEST(Ejections, JudgesStatusesOnlyOnRequest) {
  EXPECT_FALSE(Ejections("app", {}, {}).is_failure(503));
  const Ejections some("app", {.status = {{502, 504}}}, {});
  EXPECT_TRUE(some.is_failure(502));
  EXPECT_TRUE(some.is_failure(504));
  EXPECT_FALSE(some.is_failure(500));
}

}  // namespace
}  // namespace baton::upstream
