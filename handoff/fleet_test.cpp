// The bookkeeping of a handover, with connections that only record what was done with them.
#include "handoff/fleet.hpp"

#include <gtest/gtest.h>

#include <set>

namespace baton::handoff {

namespace {

struct Notes {
  int frozen = 0, resumed = 0, destroyed = 0;
};

class Connection final : public Movable {
 public:
  Connection(Notes& notes, std::size_t payload_bytes = 10) : notes_(notes), payload_bytes_(payload_bytes) {}
  ~Connection() override { ++notes_.destroyed; }

  std::optional<Parcel> freeze() override {
    if (busy) return std::nullopt;
    ++notes_.frozen;
    return Parcel{.descriptors = std::vector<int>(descriptors, 0), .payload = std::string(payload_bytes_, 'x')};
  }
  void resume() override { ++notes_.resumed; }

  bool busy = false;
  std::size_t descriptors = 1;

 private:
  Notes& notes_;                     // outlives it
  const std::size_t payload_bytes_;
};

constexpr Room large{64, 250, 1 << 20};

struct FleetTest : testing::Test {
  std::shared_ptr<Connection> add(std::size_t payload_bytes = 10) {
    auto connection = std::make_shared<Connection>(notes.emplace_back(), payload_bytes);
    fleet.add(connection);
    return connection;
  }
  void begin() {
    fleet.begin_handover([this] { ++wakes; });
  }

  std::deque<Notes> notes;           // outlives the fleet
  Fleet fleet;
  int wakes = 0;
};

TEST_F(FleetTest, EachConnectionIsFrozenOnceAndThenItIsFinished) {
  for (int i = 0; i < 100; ++i) add();
  begin();
  std::set<ParcelId> ids;
  for (bool finished = false; !finished;) {
    const Batch batch = fleet.freeze_next({7, 250, 1 << 20});
    EXPECT_LE(batch.parcels.size(), 7u);
    for (const Parcel& parcel : batch.parcels) EXPECT_TRUE(ids.insert(parcel.id).second);
    finished = batch.finished;
  }
  EXPECT_EQ(ids.size(), 100u);
  EXPECT_EQ(fleet.size(), 100u);
}

TEST_F(FleetTest, ABatchEndsWhereTheRoomIsUsedUp) {
  for (int i = 0; i < 10; ++i) add(1000)->descriptors = 2;
  begin();
  EXPECT_EQ(fleet.freeze_next({64, 250, 1500}).parcels.size(), 2u);
  EXPECT_EQ(fleet.freeze_next({64, 3, 1 << 20}).parcels.size(), 2u);
  EXPECT_EQ(fleet.freeze_next({3, 250, 1 << 20}).parcels.size(), 3u);
}

TEST_F(FleetTest, AConnectionWithMoreThanTheRoomEndsItsBatch) {
  add();
  add(20 << 20)->descriptors = 101;
  add();
  begin();
  EXPECT_EQ(fleet.freeze_next(large).parcels.size(), 2u);
  EXPECT_EQ(fleet.freeze_next(large).parcels.size(), 1u);
}

TEST_F(FleetTest, WhatWasAdoptedIsDestroyedWithoutBeingResumed) {
  add();
  begin();
  const Batch batch = fleet.freeze_next(large);
  fleet.adopted(batch.parcels.at(0).id);
  EXPECT_EQ(notes[0].destroyed, 1);
  EXPECT_EQ(notes[0].resumed, 0);
  EXPECT_EQ(fleet.size(), 0u);
}

TEST_F(FleetTest, WhatIsTakenBackGoesOnAndIsNotOfferedAgainInThisHandover) {
  const auto connection = add();
  begin();
  fleet.take_back(fleet.freeze_next(large).parcels.at(0).id);
  EXPECT_EQ(notes[0].resumed, 1);
  fleet.look_again(*connection);
  const Batch batch = fleet.freeze_next(large);
  EXPECT_TRUE(batch.parcels.empty());
  EXPECT_TRUE(batch.finished);

  begin();                           // the next one asks it again
  EXPECT_EQ(fleet.freeze_next(large).parcels.size(), 1u);
}

TEST_F(FleetTest, WhoeverIsBusyIsWaitedForAndAskedAgainWhenItSaysSo) {
  const auto busy = add();
  add();
  busy->busy = true;
  begin();
  const Batch first = fleet.freeze_next(large);
  EXPECT_EQ(first.parcels.size(), 1u);
  EXPECT_FALSE(fleet.freeze_next(large).finished);
  EXPECT_EQ(wakes, 0);

  busy->busy = false;
  fleet.look_again(*busy);
  EXPECT_EQ(wakes, 1);
  EXPECT_EQ(fleet.freeze_next(large).parcels.size(), 1u);
  EXPECT_TRUE(fleet.freeze_next(large).finished);
}

TEST_F(FleetTest, ABusyConnectionThatEndsWakesWhoeverWaitsForIt) {
  auto busy = add();
  busy->busy = true;
  begin();
  EXPECT_FALSE(fleet.freeze_next(large).finished);
  fleet.remove(*busy);
  busy.reset();
  EXPECT_EQ(notes[0].destroyed, 1);
  EXPECT_EQ(wakes, 1);
  EXPECT_TRUE(fleet.freeze_next(large).finished);
}

TEST_F(FleetTest, WhatIsPreparedRunsOnlyOnceItIsStarted) {
  Notes started, dropped;
  fleet.prepare(7, std::make_shared<Connection>(started));
  fleet.prepare(8, std::make_shared<Connection>(dropped));
  EXPECT_EQ(started.resumed, 0);
  fleet.start(7);
  fleet.drop(8);
  EXPECT_EQ(started.resumed, 1);
  EXPECT_EQ(started.destroyed, 0);
  EXPECT_EQ(dropped.resumed, 0);
  EXPECT_EQ(dropped.destroyed, 1);
  EXPECT_EQ(fleet.size(), 1u);
  fleet = Fleet();                   // before the notes
}

}  // namespace

}  // namespace baton::handoff
