// The predecessor gives up at about the moment the successor writes Adopted, thousands of times: each parcel has
// exactly one owner, whichever is first.
#include <random>
#include <thread>

#include "handoff/limits.hpp"
#include "handoff/predecessor.hpp"
#include "handoff/successor.hpp"
#include "handoff/testing/parties.hpp"
#include "handoff/testing/script.hpp"

namespace baton::handoff {
namespace {

using namespace test;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr int races = 3000;

// When each side acts. The last winner waits longer the next time, the more so the longer its winning streak, so the
// two converge on the race however slow the machine or the sanitizer is.
class Edge {
 public:
  microseconds give_up_after() { return microseconds(60) + std::max(microseconds(0), -lead_) + jitter(); }
  microseconds answer_after() { return std::max(microseconds(0), lead_) + jitter(); }
  void adopted(bool all) {
    in_a_row_ = all == last_ ? in_a_row_ + 1 : 1;
    last_ = all;
    lead_ += microseconds(all ? in_a_row_ : -in_a_row_);
  }

 private:
  microseconds jitter() { return microseconds(std::uniform_int_distribution<int>(0, 10)(random_)); }
  std::mt19937 random_{20260101};
  microseconds lead_{50};  // the successor's; negative: the predecessor's
  bool last_ = false;
  int in_a_row_ = 0;
};

void spin(microseconds time) {
  const auto until = Clock::now() + time;
  while (Clock::now() < until) {
  }
}

struct Tally {
  int adopted = 0;
  int taken_back = 0;
};

// Two owners or none would show at the far end of each parcel and in both sides' records.
void judge(const FakeDonor& donor, const FakeAdopter& adopter, Tally& tally) {
  donor.expect_one_answer_each();
  adopter.expect_one_end_each();
  EXPECT_EQ(donor.with(&FakeDonor::Fate::adopted), adopter.with(&FakeAdopter::Fate::started));
  for (const auto& [id, fate] : donor.fates) {
    expect_on_far_end(donor, id, fate.adopted == 1);
    ++(fate.adopted == 1 ? tally.adopted : tally.taken_back);
  }
}

// Gives up a while after offering, as on TERM. Its wake descriptor is always readable, so that the predecessor polls
// the clock and never sleeps.
class HastyDonor : public FakeDonor {
 public:
  HastyDonor(std::size_t parcels, microseconds patience) : FakeDonor(parcels), patience_(patience) {
    ever_finished = false;
    call_off = [this]() -> std::optional<std::string> {
      if (offered_at_ == Clock::time_point() || Clock::now() < offered_at_ + patience_) return std::nullopt;
      return "told to stop by a signal";
    };
  }
  Batch freeze_next(const Room& room) override {
    Batch batch = FakeDonor::freeze_next(room);
    ::eventfd_write(wake.get(), 1);
    if (!batch.parcels.empty()) offered_at_ = Clock::now();
    batch.finished = any_adopted_;
    return batch;
  }
  void adopted(std::span<const ParcelId> ids) override {
    any_adopted_ = true;
    FakeDonor::adopted(ids);
  }

 private:
  const microseconds patience_;
  bool any_adopted_ = false;
  Clock::time_point offered_at_;
};

TEST(OwnershipRace, CallingOffAgainstAdopted) {
  Edge edge;
  Tally tally;
  for (int race = 0; race < races && !::testing::Test::HasFailure(); ++race) {
    HastyDonor donor(3, edge.give_up_after());
    FakeAdopter adopter;
    const auto answer_after = edge.answer_after();
    adopter.while_preparing = [=] { spin(answer_after); };
    Pair pair = socket_pair();
    std::jthread successor([&] { (void)succeed(std::move(pair.other), adopter, {.version = "s", .features = {}}); });
    (void)hand_over(
        std::move(pair.one), donor,
        {.self = {}, .features = {}, .ready_timeout = milliseconds(20'000), .step_timeout = milliseconds(20'000)});
    successor.join();
    judge(donor, adopter, tally);
    edge.adopted(!adopter.with(&FakeAdopter::Fate::started).empty());
  }
  EXPECT_GT(tally.adopted, 0) << "none was adopted: this was no race";
  EXPECT_GT(tally.taken_back, 0) << "none was taken back: this was no race";
}

TEST(OwnershipRace, TheStepTimeoutAgainstAdopted) {
  constexpr milliseconds step_timeout(3);
  Tally tally;
  std::mt19937 random(7);
  for (int race = 0; race < races / 10 && !::testing::Test::HasFailure(); ++race) {
    FakeDonor donor(3);
    FakeAdopter adopter;
    const microseconds answer_after(std::uniform_int_distribution<int>(2'500, 3'300)(random));
    adopter.while_preparing = [=] { spin(answer_after); };
    Pair pair = socket_pair();
    std::jthread successor([&] { (void)succeed(std::move(pair.other), adopter, {.version = "s", .features = {}}); });
    (void)hand_over(std::move(pair.one), donor,
                    {.self = {}, .features = {}, .ready_timeout = milliseconds(20'000), .step_timeout = step_timeout});
    successor.join();
    judge(donor, adopter, tally);
  }
  EXPECT_GT(tally.taken_back, 0);
}

// The successor dies or gives up at about the time of its answer.
TEST(OwnershipRace, TheSuccessorsDeathAgainstItsOwnAdopted) {
  std::mt19937 random(11);
  Tally tally;
  for (int race = 0; race < races / 2 && !::testing::Test::HasFailure(); ++race) {
    FakeDonor donor(3);
    FakeAdopter adopter;
    Pair pair = socket_pair();
    const int channel = pair.other.get();
    const microseconds dies_after(std::uniform_int_distribution<int>(0, 60)(random));
    std::jthread killer;
    adopter.while_preparing = [&] {
      killer = std::jthread([=] {
        spin(dies_after);
        ::shutdown(channel, SHUT_RDWR);
      });
    };
    std::jthread successor([&] { (void)succeed(UniqueFd(::dup(channel)), adopter, {.version = "s", .features = {}}); });
    (void)hand_over(
        std::move(pair.one), donor,
        {.self = {}, .features = {}, .ready_timeout = milliseconds(20'000), .step_timeout = milliseconds(20'000)});
    successor.join();
    if (killer.joinable()) killer.join();
    judge(donor, adopter, tally);
  }
  EXPECT_GT(tally.adopted + tally.taken_back, 0);
}

// Writes Adopted after Adopted as fast as possible while the predecessor gives up: those that were written are the
// successor's; the first that was not and all later ones are not.
TEST(OwnershipRace, AStreamOfAdoptedAgainstGivingUp) {
  constexpr std::size_t parcels = 90;  // so many are offered before the first is answered
  static_assert(parcels <= limits::connections_in_flight_max);
  std::mt19937 random(13);
  std::size_t cut_short = 0;
  for (int race = 0; race < races / 20 && !::testing::Test::HasFailure(); ++race) {
    FakeDonor donor(parcels);
    const std::size_t abort_after = std::uniform_int_distribution<std::size_t>(0, 20)(random);
    std::set<ParcelId> written;
    Pair pair = socket_pair();
    std::jthread successor([&] {
      SuccessorScript script(std::move(pair.other));
      script.hello();
      script.ready();
      script.listening();
      std::vector<ParcelId> ids;
      while (ids.size() < parcels && !::testing::Test::HasFailure()) {
        const wire::Offer offer = script.offer();
        for (const auto& parcel : offer.parcels()) ids.push_back(parcel.id());
      }
      for (const ParcelId id : ids) {
        if (ids.size() > abort_after && id == ids[abort_after]) script.send(Kind::abort, wire::Abort{});
        wire::Adopted adopted;
        adopted.add_taken(id);
        if (!send_record(script.channel, Kind::adopted, adopted, soon())) break;
        written.insert(id);
        if (race % 2 == 0) std::this_thread::yield();      // give the predecessor a chance even on one core
      }
    });
    (void)hand_over(
        std::move(pair.one), donor,
        {.self = {}, .features = {}, .ready_timeout = milliseconds(20'000), .step_timeout = milliseconds(20'000)});
    successor.join();
    EXPECT_EQ(donor.with(&FakeDonor::Fate::adopted), written);
    donor.expect_one_answer_each();
    cut_short += written.size() < parcels ? 1 : 0;
  }
  EXPECT_GT(cut_short, 0u) << "the predecessor was never in time for this to be a race";
}

}  // namespace
}  // namespace baton::handoff
