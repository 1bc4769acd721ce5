#include "demo/verdict.hpp"

#include <gmock/gmock.h>

namespace baton::demo {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

Evidence good() {
  Evidence evidence{.clients = 300, .upgrades_wanted = 2, .accepted = 300};
  evidence.upgrades.resize(2);
  evidence.totals.opened = 300;
  evidence.totals.proven = 300;
  evidence.totals.answered = 9000;
  return evidence;
}

TEST(Verdict, HasNoObjectionWhenAllIsWell) {
  EXPECT_THAT(objections(good()), SizeIs(0));
}

TEST(Verdict, ObjectsToEveryKindOfTrouble) {
  for (std::size_t kind = 0; kind < troubles; ++kind) {
    Evidence evidence = good();
    evidence.totals.trouble[kind] = 1;
    EXPECT_THAT(objections(evidence), SizeIs(1));
  }
}

TEST(Verdict, ObjectsToEachThingAlone) {
  const auto objects_to = [](auto spoil) {
    Evidence evidence = good();
    spoil(evidence);
    return !objections(evidence).empty();
  };
  EXPECT_TRUE(objects_to([](Evidence& e) { e.upgrades[1].failure = "rolled back"; }));
  EXPECT_TRUE(objects_to([](Evidence& e) { e.upgrades.pop_back(); }));
  EXPECT_TRUE(objects_to([](Evidence& e) {
    e.upgrades.clear();
    e.upgrades_wanted = 0;
  }));
  EXPECT_TRUE(objects_to([](Evidence& e) {
    e.totals.opened = 299;
    e.accepted = 299;
  }));
  EXPECT_TRUE(objects_to([](Evidence& e) { e.totals.proven = 299; }));
  EXPECT_TRUE(objects_to([](Evidence& e) { e.accepted = 301; }));
  EXPECT_TRUE(objects_to([](Evidence& e) { e.accepted = 299; }));
  EXPECT_TRUE(objects_to([](Evidence& e) { e.broken_off = "The proxy is gone."; }));
  EXPECT_TRUE(objects_to([](Evidence& e) { e.bad_end = "The proxy did not end."; }));
}

TEST(Verdict, NamesTheUpgradeThatFailed) {
  Evidence evidence = good();
  evidence.upgrades[1] = {.from_generation = 2, .failure = "the old process did not end"};
  EXPECT_THAT(objections(evidence),
              ElementsAre("The upgrade from generation 2 failed: the old process did not end.", HasSubstr("1 of 2")));
}

}  // namespace
}  // namespace baton::demo
