// A successor whose descriptor limit is too small for what it is offered adopts what arrives whole; the rest stays with
// the predecessor, and a few descriptors stay free. The successor is a child process with its own descriptor table and
// limit.
#include <signal.h>

#include <thread>

#include "handoff/predecessor.hpp"
#include "handoff/successor.hpp"
#include "handoff/testing/parties.hpp"
#include "handoff/testing/script.hpp"

namespace baton::handoff {
namespace {

using namespace test;
using std::chrono::milliseconds;
using Fate = FakeDonor::Fate;

constexpr milliseconds patient(20'000);
constexpr int spared = limits::descriptors_spared;

class LostDescriptors : public ::testing::Test {
 protected:
  // Once it serves, the successor has room for this many more descriptors. `from_there` runs in it after the limit is
  // set.
  void talk(int room, const std::function<void(FakeAdopter&)>& from_there = [](FakeAdopter&) {}) {
    Pair pair = socket_pair();
    const pid_t child = ::fork();
    if (child == 0) {
      pair.one.reset();
      ::_exit(succeed_in_child(std::move(pair.other), room, from_there));
    }
    pair.other.reset();
    outcome = hand_over(std::move(pair.one), donor,
                        {.self = {7, 1, "1"}, .features = {}, .ready_timeout = patient, .step_timeout = step_timeout});
    ::waitpid(child, &status, 0);
    donor.expect_one_answer_each();
  }
  void expect_moved_and_stayed(const std::set<ParcelId>& moved) {
    EXPECT_EQ(outcome.ending, Ending::completed) << outcome.reason;
    EXPECT_EQ(status, 0);
    EXPECT_EQ(donor.with(&Fate::adopted), moved);
    EXPECT_EQ(donor.with(&Fate::refused).size(), donor.fates.size() - moved.size());
    for (const auto& [id, fate] : donor.fates) expect_on_far_end(donor, id, fate.adopted == 1);
    ASSERT_EQ(outcome.report.refused.size(), 1u);
    EXPECT_EQ(outcome.report.refused.begin()->first, "too few descriptors are free in the successor (ulimit -n)");
  }

  FakeDonor donor{30};
  milliseconds step_timeout = patient;
  HandoverOutcome outcome;
  int status = 0;

 private:
  // 0: in the end it holds exactly what its adopter holds.
  int succeed_in_child(UniqueFd channel, int room, const std::function<void(FakeAdopter&)>& from_there) {
    FakeAdopter adopter;
    adopter.shape = donor.shape;
    std::optional<FewDescriptors> few;
    std::size_t before = 0;
    adopter.when_accepting = [&] {
      before = open_descriptors();
      few.emplace(room);
      from_there(adopter);
    };
    const bool completed =
        succeed(std::move(channel), adopter, {.version = "2", .features = {}}).ending == Succession::completed;
    few.reset();
    adopter.expect_one_end_each();
    std::size_t held = 0;
    for (const ParcelId id : adopter.with(&FakeAdopter::Fate::started)) held += donor.shape(id).descriptors;
    EXPECT_EQ(open_descriptors() + 2, before + held) << "all but the channel and its spare, which are closed";
    return completed && !HasFailure() ? 0 : 1;
  }
};

std::set<ParcelId> up_to(ParcelId last) {
  std::set<ParcelId> ids;
  for (ParcelId id = 100; id <= last; ++id) ids.insert(id);
  return ids;
}

// Even parcels have one descriptor, odd ones two: three for each pair.
TEST_F(LostDescriptors, WhatArrivesWholeIsAdopted) {
  talk(12 + spared);
  expect_moved_and_stayed(up_to(107));
}

TEST_F(LostDescriptors, OfAParcelThatHasLostOneTheOtherIsClosed) {
  talk(11 + spared);
  expect_moved_and_stayed(up_to(106));
}

TEST_F(LostDescriptors, OfALargeParcelAreClosedAsWell) {
  donor.shape = [](ParcelId id) { return id == 103 ? Shape{.descriptors = 101} : small(id); };
  talk(60 + spared);
  expect_moved_and_stayed(up_to(102));
}

TEST_F(LostDescriptors, WithoutRoomForOneNothingMovesAndTheUpgradeIsComplete) {
  talk(spared);
  expect_moved_and_stayed({});
}

TEST_F(LostDescriptors, WithoutAnyRoomNothingMovesEither) {
  talk(0);
  expect_moved_and_stayed({});
}

// Descriptors closed in the successor make room for the next Offer.
TEST_F(LostDescriptors, RoomThatComesBackIsUsed) {
  class InBatches final : public FakeDonor {
   public:
    InBatches() : FakeDonor(60, 20) {}
    // One Offer after the other.
    Batch freeze_next(const Room& room) override {
      return with_all_answered() ? FakeDonor::freeze_next(room) : Batch{};
    }
    bool with_all_answered() const {
      return std::ranges::all_of(fates, [](const auto& one) { return one.second.answers() != 0; });
    }
  };
  InBatches batches;
  Pair pair = socket_pair();
  const pid_t child = ::fork();
  if (child == 0) {
    pair.one.reset();
    FakeAdopter adopter;
    std::optional<FewDescriptors> few;
    adopter.when_accepting = [&] { few.emplace(8 + spared); };
    adopter.while_preparing = [&] { few.reset(); };
    (void)succeed(std::move(pair.other), adopter, {.version = "2", .features = {}});
    ::_exit(HasFailure() ? 1 : 0);
  }
  pair.other.reset();
  outcome = hand_over(std::move(pair.one), batches,
                      {.self = {7, 1, "1"}, .features = {}, .ready_timeout = patient, .step_timeout = patient});
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(outcome.ending, Ending::completed) << outcome.reason;
  batches.expect_one_answer_each();
  // Five need seven descriptors, and the sixth lost one of its two. The next batches find room.
  std::set<ParcelId> refused = up_to(119);
  std::erase_if(refused, [](ParcelId id) { return id < 105; });
  EXPECT_EQ(batches.with(&Fate::refused), refused);
}

TEST_F(LostDescriptors, OfASuccessorThatIsKilledBeforeItAnswersAllIsTakenBack) {
  talk(12 + spared, [](FakeAdopter& adopter) { adopter.while_preparing = [] { ::raise(SIGKILL); }; });
  EXPECT_EQ(outcome.ending, Ending::rolled_back);
  EXPECT_EQ(donor.with(&Fate::taken_back).size(), donor.fates.size());
  for (const auto& [id, fate] : donor.fates) expect_on_far_end(donor, id, false);
}

TEST_F(LostDescriptors, OfASuccessorThatIsKilledWithWhatItHasAdoptedTheRestStays) {
  donor.ever_finished = false;
  talk(12 + spared, [](FakeAdopter& adopter) {
    // When it starts the last one.
    adopter.when_started = [](ParcelId id) {
      if (id == 107) ::raise(SIGKILL);
    };
  });
  EXPECT_EQ(outcome.ending, Ending::rolled_back);
  EXPECT_EQ(donor.with(&Fate::adopted), up_to(107));
  EXPECT_EQ(donor.with(&Fate::refused).size(), 22u);
}

TEST_F(LostDescriptors, OfASuccessorWhoseAnswerCannotBeWrittenAllIsDroppedAndTakenBack) {
  talk(12 + spared, [](FakeAdopter& adopter) {
    adopter.while_preparing = [&adopter] { ::shutdown(adopter.channel, SHUT_RDWR); };
  });
  EXPECT_EQ(outcome.ending, Ending::rolled_back);
  EXPECT_EQ(donor.with(&Fate::taken_back).size(), donor.fates.size());
  for (const auto& [id, fate] : donor.fates) expect_on_far_end(donor, id, false);
}

// A successor that answers only for what arrived whole and omits the rest.
TEST_F(LostDescriptors, ThatAreNeverAnsweredForAreTakenBack) {
  step_timeout = milliseconds(300);
  outcome =
      hand_over_to(donor, {.self = {7, 1, "1"}, .features = {}, .ready_timeout = patient, .step_timeout = step_timeout},
                   [&](SuccessorScript& script) {
                     wire::Offer offer = script.offer();
                     offer.mutable_parcels()->DeleteSubrange(8, offer.parcels_size() - 8);
                     script.adopt(offer);
                     script.listen_to_the_end();
                   });
  EXPECT_EQ(outcome.ending, Ending::rolled_back);
  donor.expect_one_answer_each();
  EXPECT_EQ(donor.with(&Fate::adopted), up_to(107));
  EXPECT_EQ(donor.with(&Fate::taken_back).size(), 22u);
}

// A successor of an older version refuses a whole batch if anything in it was lost.
TEST_F(LostDescriptors, MayStayWithAllTheirBatch) {
  outcome = hand_over_to(
      donor, {.self = {7, 1, "1"}, .features = {}, .ready_timeout = patient, .step_timeout = patient},
      [&](SuccessorScript& script) {
        wire::Adopted answer;
        const wire::Offer offer = script.offer();
        for (const auto& parcel : offer.parcels()) {
          answer.add_refused()->set_id(parcel.id());
          answer.mutable_refused()->rbegin()->set_reason("too few descriptors are free in the successor (ulimit -n)");
        }
        script.send(Kind::adopted, answer);
        script.finish();
      });
  donor.expect_one_answer_each();
  expect_moved_and_stayed({});
}

}  // namespace
}  // namespace baton::handoff
