#include "demo/verdict.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace baton::demo {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

Evidence good() {
  Evidence evidence{.plan = Plan{.upgrades_wanted = 2, .accepted = groups * 30}};
  evidence.upgrades.resize(2);
  evidence.plan->crash = Crash{.from_pid = 7, .to_pid = 8, .threads = 2};
  evidence.clients.fill({.started = 30, .opened = 30, .answered = 9000, .proven = 30});
  return evidence;
}

TEST(Verdict, HasNoObjectionWhenAllIsWell) {
  EXPECT_THAT(objections(good()), SizeIs(0));
}

TEST(Verdict, ObjectsToEveryKindOfTrouble) {
  for (std::size_t group = 0; group < groups; ++group) {
    for (std::size_t trouble = 0; trouble < troubles; ++trouble) {
      if (static_cast<Trouble>(trouble) == Trouble::reset_by_crash) continue;
      Evidence evidence = good();
      evidence.clients[group].trouble[trouble] = 1;
      const std::string who = fmt::format("1 of 30 {} clients", name_of(group_at(group)));
      EXPECT_THAT(objections(evidence), ElementsAre(HasSubstr(who)));
    }
  }
}

TEST(Verdict, ObjectsToAGroupThatIsMissing) {
  for (std::size_t group = 0; group < groups; ++group) {
    Evidence evidence = good();
    evidence.clients[group] = {};
    evidence.plan->accepted -= 30;
    EXPECT_THAT(objections(evidence), SizeIs(1));
  }
}

TEST(Verdict, NeedsNoPlanWhereVisitorsDecide) {
  Evidence evidence = good();
  evidence.plan.reset();
  evidence.upgrades.clear();
  EXPECT_THAT(objections(evidence), SizeIs(0));
  evidence.other = {"A page lost its WebSocket."};
  EXPECT_THAT(objections(evidence), ElementsAre("A page lost its WebSocket."));
}

TEST(Verdict, ObjectsToEachThingAlone) {
  const auto objects_to = [](auto spoil) {
    Evidence evidence = good();
    spoil(evidence);
    return !objections(evidence).empty();
  };
  EXPECT_TRUE(objects_to([](Evidence& e) { e.upgrades[1].failure = "rolled back"; }));
  EXPECT_TRUE(objects_to([](Evidence& e) { e.upgrades.pop_back(); }));
  EXPECT_TRUE(objects_to([](Evidence& e) { e.upgrades[0].report.refused = 1; }));
  EXPECT_TRUE(objects_to([](Evidence& e) { e.upgrades[0].report.taken_back = 1; }));
  EXPECT_TRUE(objects_to([](Evidence& e) {
    e.upgrades.clear();
    e.plan->upgrades_wanted = 0;
  }));
  EXPECT_TRUE(objects_to([](Evidence& e) {
    --e.clients[0].opened;
    --e.plan->accepted;
  }));
  EXPECT_TRUE(objects_to([](Evidence& e) { --e.clients[0].proven; }));
  EXPECT_TRUE(objects_to([](Evidence& e) { ++e.plan->accepted; }));
  EXPECT_TRUE(objects_to([](Evidence& e) { --e.plan->accepted; }));
  EXPECT_TRUE(objects_to([](Evidence& e) { e.broken_off = "The proxy is gone."; }));
  EXPECT_TRUE(objects_to([](Evidence& e) { e.plan->crash.reset(); }));
  EXPECT_TRUE(objects_to([](Evidence& e) { e.plan->crash->failure = "no successor answers"; }));
  EXPECT_TRUE(objects_to([](Evidence& e) { e.bad_end = "The proxy did not end."; }));
}

Evidence with_resets(unsigned resets) {
  Evidence evidence = good();
  for (unsigned i = 0; i < resets; ++i) {
    evidence.clients[i].trouble[static_cast<std::size_t>(Trouble::reset_by_crash)] = 1;
    --evidence.clients[i].proven;
  }
  return evidence;
}

TEST(Verdict, LetsACrashCostEachThreadAConnection) {
  EXPECT_THAT(objections(with_resets(2)), SizeIs(0));
  EXPECT_THAT(objections(with_resets(3)), ElementsAre("The death of a process with 2 threads cost 3 connections."));
}

TEST(Verdict, NamesTheUpgradeThatFailed) {
  Evidence evidence = good();
  evidence.upgrades[1] = {.from_generation = 2, .failure = "the old process did not end"};
  EXPECT_THAT(objections(evidence),
              ElementsAre("The upgrade from generation 2 failed: the old process did not end.", HasSubstr("1 of 2")));
}

TEST(Verdict, OfWhatWasBrokenOffBeforeItBeganIsTheReasonAlone) {
  Evidence evidence;
  evidence.broken_off = "The address is in use.";
  EXPECT_THAT(objections(evidence), testing::ElementsAre("The address is in use."));
}

}  // namespace
}  // namespace baton::demo
