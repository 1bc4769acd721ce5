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
  Canary& canary = evidence.plan->canary.emplace();
  canary.upgrade.connections = canary.lasting = 500;
  canary.upgrade.report.canary = CanaryReport{.verdict = "back", .decided_by = "comparison"};
  canary.asked = {.totals = {.started = 80, .opened = 80, .answered = 900, .proven = 80}, .served = 16, .failed = 4};
  evidence.plan->accepted += 80;
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

TEST(Verdict, ObjectsToEachThingOfACanaryAlone) {
  const auto objections_to = [](auto spoil) {
    Evidence evidence = good();
    spoil(*evidence.plan->canary);
    return objections(evidence);
  };
  EXPECT_THAT(objections_to([](Canary& c) { c.upgrade.failure = "it completed"; }),
              ElementsAre("The canary was not called back: it completed."));
  EXPECT_THAT(objections_to([](Canary& c) {
                c.upgrade.report.reason = "cancelled by command";
                c.upgrade.report.canary->decided_by = "command";
              }),
              ElementsAre("The canary was not called back by the comparison: cancelled by command."));
  for (const char* verdict : {"go_on", "doubt", "wait"}) {
    EXPECT_THAT(objections_to([=](Canary& c) { c.upgrade.report.canary->verdict = verdict; }), SizeIs(1));
  }
  EXPECT_THAT(objections_to([](Canary& c) { c.upgrade.report.canary.reset(); }), SizeIs(1));
  EXPECT_THAT(objections_to([](Canary& c) { c.asked.failed = 0; }),
              ElementsAre("No client saw a failure of the canary."));
  EXPECT_THAT(objections_to([](Canary& c) { c.asked.failed_outside = 2; }),
              ElementsAre("2 asking clients saw a failure that was not the canary's."));
  EXPECT_THAT(objections_to([](Canary& c) { c.upgrade.connections -= 3; }),
              ElementsAre("3 connections did not come back from the canary."));
  EXPECT_THAT(objections_to([](Canary& c) { c.asked.totals.trouble[0] = 1; }),
              ElementsAre("1 of 80 asking clients could not connect."));
  EXPECT_THAT(objections_to([](Canary& c) { --c.asked.totals.proven; }),
              ElementsAre("79 of 80 asking connections were alive to the end."));
  EXPECT_THAT(objections_to([](Canary& c) { ++c.asked.totals.opened; }), SizeIs(2)) << "connected, and accepted";
}

TEST(Verdict, ObjectsToACanaryThatWasNotTried) {
  Evidence evidence = good();
  evidence.plan->canary.reset();
  evidence.plan->accepted -= 80;
  EXPECT_THAT(objections(evidence), ElementsAre("No canary was tried."));
}

TEST(Verdict, TellsOfACanaryOnLinesOfATerminal) {
  Canary canary{.upgrade = {.connections = 1'000'000}, .lasting = 1'000'000};
  canary.upgrade.report.moved_total = 1'000'000;
  canary.asked = {.totals = {.started = 80}, .served = 80, .failed = 80, .seconds = 60.0};
  for (const std::string& line : describe(canary)) EXPECT_LT(line.size(), 80u) << line;
  EXPECT_LT(in_short(canary.asked).size(), 68u);
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
