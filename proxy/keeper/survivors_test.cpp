#include "proxy/keeper/survivors.hpp"

#include <gtest/gtest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <vector>

namespace baton::keeper {
namespace {

handoff::UniqueFd new_file() { return handoff::UniqueFd(::memfd_create("file", MFD_CLOEXEC)); }

// Three connections without descriptors.
class SurvivorsOfThree : public testing::Test {
 protected:
  SurvivorsOfThree() {
    for (int i = 0; i < 3; ++i) {
      states_[i].id = static_cast<std::uint64_t>(i) + 1;
      states_[i].protocol = state::Raw{};
      roster().enter(i, states_[i]);
    }
    survivors.sort_out(roster(), Survive::all);
  }

  std::vector<handoff::ParcelId> offered() {
    std::vector<handoff::ParcelId> ids;
    for (const handoff::Parcel& parcel :
         survivors.freeze_next({.connections = 9, .descriptors = 9, .bytes = 1 << 20}).parcels)
      ids.push_back(parcel.id);
    return ids;
  }

  Control control;
  Survivors survivors{control, 1};

 private:
  static constexpr std::size_t descriptors = 3;
  Roster& roster() { return *roster_; }

  std::array<state::ConnectionState, 3> states_;
  std::vector<std::byte> memory_ = std::vector<std::byte>(Roster::bytes_for(descriptors) + alignof(Roster));
  Roster* roster_ = [this] {
    void* at = memory_.data();
    std::size_t room = memory_.size();
    return new (std::align(alignof(Roster), Roster::bytes_for(descriptors), at, room)) Roster(descriptors);
  }();
};

using Ids = std::vector<handoff::ParcelId>;

TEST_F(SurvivorsOfThree, AreOfferedOneAtATimeToTheNextSuccessorAndTheCulpritIsDropped) {
  EXPECT_EQ(offered(), (Ids{1, 2, 3}));
  survivors.take_back(Ids{1, 2, 3});
  EXPECT_TRUE(survivors.may_try_again());
  EXPECT_EQ(offered(), Ids{1});
  EXPECT_EQ(offered(), Ids{}) << "the first has no answer";
  survivors.adopted(Ids{1});
  EXPECT_EQ(offered(), Ids{2});
  survivors.take_back(Ids{2});
  EXPECT_EQ(survivors.crash().lost, 1u) << "the successor has died of it";
  EXPECT_TRUE(survivors.may_try_again());
  EXPECT_EQ(offered(), Ids{3});
  survivors.adopted(Ids{3});
  EXPECT_EQ(survivors.remaining().connections, 0u);
}

TEST_F(SurvivorsOfThree, AreNotOfferedAgainIfASuccessorDiesWithoutHavingGotOne) {
  EXPECT_FALSE(survivors.may_try_again());
  EXPECT_EQ(offered(), (Ids{1, 2, 3}));
}

TEST(Survivors, HaveTheLockOfTheirWorker) {
  handoff::UniqueFd file = new_file();
  Control control;
  control.set_lock(file.get());
  Survivors survivors(control, 1);
  EXPECT_TRUE(survivors.take_lock());
  (void)file.release();  // the survivors close it
}

TEST(Survivors, HaveItNoMoreWhenTheWorkerHasResigned) {
  handoff::UniqueFd file = new_file();
  handoff::UniqueFd heirs(::open(("/proc/self/fd/" + std::to_string(file.get())).c_str(), O_RDWR | O_CLOEXEC));
  Control control;
  control.set_lock(file.get());
  control.has_resigned = true;
  ASSERT_EQ(::flock(heirs.get(), LOCK_EX | LOCK_NB), 0);
  Survivors survivors(control, 1);
  EXPECT_FALSE(survivors.take_lock());
  (void)file.release();
}

// The lock was closed, and its number is that of a log.
TEST(Survivors, TakeNoOtherFileForTheLock) {
  handoff::UniqueFd file = new_file();
  const handoff::UniqueFd other = new_file();
  Control control;
  control.set_lock(file.get());
  ASSERT_GE(::dup2(other.get(), file.get()), 0);
  Survivors survivors(control, 1);
  EXPECT_FALSE(survivors.take_lock());
  handoff::UniqueFd again(::open(("/proc/self/fd/" + std::to_string(other.get())).c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_EQ(::flock(again.get(), LOCK_EX | LOCK_NB), 0) << "it was locked";
}

}  // namespace
}  // namespace baton::keeper
