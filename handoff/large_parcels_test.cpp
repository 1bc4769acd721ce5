// Parcels of any size that fits into a frame, among thousands of small ones: they move, come back and stay just the
// same.
#include <atomic>
#include <thread>

#include "handoff/offering.hpp"
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
const PredecessorTerms terms{.self = {7, 4242, "1"},
                             .features = {},
                             .ready_timeout = patient,
                             .step_timeout = patient,
                             .return_timeout = patient};

// One of `every` is large.
std::function<Shape(ParcelId)> one_of(ParcelId every, Shape shape = large) {
  return [=](ParcelId id) { return id % every == every / 2 ? shape : small(id); };
}

HandoverOutcome talk(FakeDonor& donor, FakeAdopter& adopter) {
  adopter.shape = donor.shape;
  Pair pair = socket_pair();
  HandoverOutcome outcome;
  {
    std::jthread successor([&] { (void)succeed(std::move(pair.other), adopter, {.version = "2", .features = {}}); });
    outcome = hand_over(std::move(pair.one), donor, terms);
  }
  donor.expect_one_answer_each();
  adopter.expect_one_end_each();
  EXPECT_EQ(donor.with(&Fate::adopted), adopter.with(&FakeAdopter::Fate::started));
  for (const auto& [id, fate] : donor.fates) expect_on_far_end(donor, id, fate.adopted == 1);
  return outcome;
}

TEST(LargeParcels, MoveAmongThousandsOfSmallOnes) {
  raise_descriptor_limit();
  FakeDonor donor(4000);
  donor.shape = one_of(500);
  FakeAdopter adopter;
  const HandoverOutcome outcome = talk(donor, adopter);
  EXPECT_EQ(outcome.ending, Ending::completed) << outcome.reason;
  EXPECT_EQ(outcome.report.moved_total(), 4000u);
}

TEST(LargeParcels, MoveUpToTheLimitsOfAFrame) {
  const Shape shapes[] = {{.descriptors = limits::descriptors_per_frame_max},
                          {.payload_bytes_min = limits::parcel_bytes_max},
                          {.secret_bytes_min = limits::secret_bytes_max},
                          {limits::descriptors_per_frame_max, limits::parcel_bytes_max, limits::secret_bytes_max},
                          {.descriptors = 101},
                          {.payload_bytes_min = limits::batch_bytes + 1}};
  FakeDonor donor(24);
  donor.shape = [&](ParcelId id) { return id % 4 == 0 ? shapes[id / 4 % std::size(shapes)] : small(id); };
  raise_descriptor_limit();
  FakeAdopter adopter;
  const HandoverOutcome outcome = talk(donor, adopter);
  EXPECT_EQ(outcome.ending, Ending::completed) << outcome.reason;
  EXPECT_EQ(outcome.report.moved_total(), 24u);
}

// Each fits into a frame, but together they do not.
TEST(LargeParcels, ThatShareABatchDoNotOverfillAFrame) {
  raise_descriptor_limit();
  for (const Shape shape :
       {Shape{.descriptors = 101}, Shape{.secret_bytes_min = 100u << 10}, Shape{.payload_bytes_min = 200u << 10}}) {
    FakeDonor donor(30);
    donor.shape = [&](ParcelId) { return shape; };
    FakeAdopter adopter;
    const HandoverOutcome outcome = talk(donor, adopter);
    EXPECT_EQ(outcome.ending, Ending::completed) << outcome.reason;
    EXPECT_EQ(outcome.report.moved_total(), 30u);
  }
}

TEST(LargeParcels, ThatNoFrameCarriesStayAndHurtNothingElse) {
  const Shape shapes[] = {{.descriptors = limits::descriptors_per_frame_max + 1},
                          {.payload_bytes_min = limits::parcel_bytes_max + 1},
                          {.secret_bytes_min = limits::secret_bytes_max + 1}};
  FakeDonor donor(30);
  donor.shape = [&](ParcelId id) { return id % 10 == 5 ? shapes[id / 10 % std::size(shapes)] : small(id); };
  FakeAdopter adopter;
  const HandoverOutcome outcome = talk(donor, adopter);
  EXPECT_EQ(outcome.ending, Ending::completed) << outcome.reason;
  EXPECT_EQ(donor.with(&Fate::refused), (std::set<ParcelId>{105, 115, 125}));
  EXPECT_EQ(outcome.report.refused,
            (std::map<std::string, std::uint64_t>{{"it is larger than a handover message may be", 3}}));
}

TEST(LargeParcels, ThatAreAllTooLargeAreAllRefused) {
  FakeDonor donor(9, 3);
  donor.shape = [](ParcelId) { return Shape{.descriptors = limits::descriptors_per_frame_max + 1}; };
  FakeAdopter adopter;
  EXPECT_EQ(talk(donor, adopter).ending, Ending::completed);
  EXPECT_EQ(donor.with(&Fate::refused).size(), 9u);
}

TEST(LargeParcels, HaveMoreTimeThanSmallOnes) {
  EXPECT_EQ(step_time(milliseconds(2000), 100), milliseconds(2000));
  EXPECT_EQ(step_time(milliseconds(2000), limits::batch_bytes), milliseconds(2000));
  EXPECT_EQ(step_time(milliseconds(2000), 20u << 20), milliseconds(12'000));
  EXPECT_EQ(step_time(milliseconds(2000), limits::parcel_bytes_max), milliseconds(14'000));
}

// ── Alone ─────────────────────────────────────────────────────────────────────────────────────────────────────────

// A parcel larger than any batch, or than the window of a process with few descriptors, is offered when nothing is in
// flight, and nothing else is offered until it has been answered.
class LargeParcelAlone : public ::testing::TestWithParam<std::pair<rlim_t, Shape>> {};

TEST_P(LargeParcelAlone, GoesWhenNothingIsInFlightAndNothingGoesBesideIt) {
  const auto& [descriptor_limit, shape] = GetParam();
  constexpr std::size_t parcels = 30;
  FakeDonor donor(parcels, 4);
  donor.shape = one_of(10, shape);
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit changed{std::min(descriptor_limit, before.rlim_max), before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &changed);
  std::set<ParcelId> alone;
  const HandoverOutcome outcome = hand_over_to(donor, terms, [&](SuccessorScript& script) {
    std::vector<wire::Offer> unanswered;
    for (std::size_t offered = 0; offered < parcels;) {
      unanswered.push_back(script.offer());
      const wire::Offer& offer = unanswered.back();
      offered += static_cast<std::size_t>(offer.parcels_size());
      for (const auto& parcel : offer.parcels()) {
        if (parcel.id() % 10 != 5) continue;
        EXPECT_EQ(offer.parcels_size(), 1);
        alone.insert(parcel.id());
      }
      EXPECT_TRUE(!alone.contains(offer.parcels(0).id()) || unanswered.size() == 1) << "something is in flight";
      EXPECT_FALSE(unanswered.size() > 1 && alone.contains(unanswered[0].parcels(0).id()))
          << "something goes beside it";
      // Answers none while offers keep coming.
      if (offered < parcels && script.channel.wait({}, Clock::now() + milliseconds(50))) continue;
      for (const wire::Offer& one : unanswered) script.adopt(one);
      unanswered.clear();
    }
    script.finish();
  });
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(outcome.ending, Ending::completed) << outcome.reason;
  EXPECT_EQ(alone, (std::set<ParcelId>{105, 115, 125}));
  donor.expect_one_answer_each();
}

INSTANTIATE_TEST_SUITE_P(Of, LargeParcelAlone,
                         ::testing::Values(std::pair{rlim_t{20'000}, large},
                                           std::pair{rlim_t{20'000}, Shape{.payload_bytes_min = 300u << 10}},
                                           std::pair{rlim_t{190}, Shape{.descriptors = 101}}));

// Places are kept for it as for connections not frozen yet.
TEST(LargeParcels, ThatWaitAreStillToCome) {
  FakeDonor donor(2);
  donor.shape = [](ParcelId id) { return id == 101 ? large : small(id); };
  Pair pair = socket_pair();
  Channel channel(std::move(pair.one));
  Channel successor(std::move(pair.other));
  Offering offering(channel, donor, patient);
  std::vector<Remaining> waiting;
  std::jthread reading;
  const auto adopt = [&](ParcelId id) {
    wire::Adopted adopted;
    adopted.add_taken(id);
    EXPECT_TRUE(send_record(successor, Kind::adopted, adopted, soon()));
  };
  const auto answer_when_it_waits = [&]() -> Result<Deadline> {
    waiting.push_back(offering.waiting());
    if (waiting.size() > 1) return no_deadline;
    expect_frame(successor, Kind::offer);
    adopt(100);
    reading = std::jthread([&] {
      expect_frame(successor, Kind::offer);
      adopt(101);
    });
    return no_deadline;
  };
  const auto finished = offering.run(answer_when_it_waits, [](const Frame&) { return Result<void>(); });
  EXPECT_TRUE(finished) << finished.error().text;
  ASSERT_FALSE(waiting.empty());
  EXPECT_EQ(waiting[0], (Remaining{.connections = 1, .descriptors = 101}));
  EXPECT_EQ(offering.waiting(), Remaining{});
  donor.expect_one_answer_each();
}

TEST(LargeParcels, ThatWaitCannotBeAnsweredFor) {
  FakeDonor donor(2);
  donor.shape = [](ParcelId id) { return id == 101 ? large : small(id); };
  const auto outcome = hand_over_to(donor, terms, [](SuccessorScript& script) {
    script.offer();
    wire::Adopted lie;
    lie.add_taken(101);
    script.send(Kind::adopted, lie);
    script.listen_to_the_end();
  });
  EXPECT_EQ(outcome.ending, Ending::rolled_back);
  donor.expect_one_answer_each();
  EXPECT_EQ(donor.with(&Fate::taken_back), (std::set<ParcelId>{100, 101}));
}

// ── Neighbours of older versions ──────────────────────────────────────────────────────────────────────────────────

// Reads as the first version did: its limits, and at most two descriptors per connection.
TEST(LargeParcels, StayWhereTheSuccessorIsOfAVersionThatKnowsNone) {
  constexpr std::size_t old_record_bytes_max = 32u << 20, old_parcel_bytes_max = 24u << 20,
                        old_secret_bytes_max = 1u << 20;
  constexpr std::size_t old_descriptors_per_frame_max = 250;
  raise_descriptor_limit();
  FakeDonor donor(600);
  donor.shape = one_of(100);
  const HandoverOutcome outcome = hand_over_to(donor, terms, [&](SuccessorScript& script) {
    for (std::size_t answered = 0; answered < 600;) {
      const Frame frame = expect_frame(script.channel, Kind::offer);
      EXPECT_LE(frame.record.size(), old_record_bytes_max);
      EXPECT_LE(frame.secrets.size(), old_secret_bytes_max);
      EXPECT_LE(frame.descriptors.size(), old_descriptors_per_frame_max);
      const auto offer = parse<wire::Offer>(frame);
      wire::Adopted adopted;
      for (const auto& parcel : offer->parcels()) {
        EXPECT_LE(parcel.payload().size(), old_parcel_bytes_max);
        if (parcel.descriptors() <= 2) {
          adopted.add_taken(parcel.id());
        } else {
          adopted.add_refused()->set_id(parcel.id());
        }
      }
      answered += static_cast<std::size_t>(offer->parcels_size());
      script.send(Kind::adopted, adopted);
    }
    script.finish();
  });
  EXPECT_EQ(outcome.ending, Ending::completed) << outcome.reason;
  donor.expect_one_answer_each();
  for (const auto& [id, fate] : donor.fates) EXPECT_EQ(fate.refused, id % 100 == 50 ? 1 : 0) << id;
}

// ── Either side ends, and giving back ─────────────────────────────────────────────────────────────────────────────

// The channel ends at each point where a side handles a parcel, one point after the other.
TEST(LargeParcels, HaveOneOwnerWheneverAnEndComes) {
  class Moments {
   public:
    Moments(int end_at, int socket) : end_at_(end_at), socket_(socket) {}
    void pass() {
      if (count_++ == end_at_) ::shutdown(socket_, SHUT_RDWR);
    }
    int count() const { return count_; }

   private:
    const int end_at_;
    const int socket_;
    std::atomic<int> count_ = 0;
  };
  class Donor final : public FakeDonor {
   public:
    Donor() : FakeDonor(12, 3) { shape = one_of(5); }
    Batch freeze_next(const Room& room) override {
      moments->pass();
      Batch batch = FakeDonor::freeze_next(room);
      moments->pass();
      return batch;
    }
    void adopted(std::span<const ParcelId> ids) override { moments->pass(), FakeDonor::adopted(ids); }
    Moments* moments = nullptr;
  };
  class Adopter final : public FakeAdopter {
   public:
    std::vector<Verdict> prepare(std::vector<ReceivedParcel> parcels) override {
      moments->pass();
      auto verdicts = FakeAdopter::prepare(std::move(parcels));
      moments->pass();
      return verdicts;
    }
    void start(std::span<const ParcelId> ids) override { moments->pass(), FakeAdopter::start(ids); }
    Moments* moments = nullptr;
  };
  const std::size_t before = open_descriptors();
  int taken_back = 0;
  bool ended = true;
  for (int end_at = 0; ended && !::testing::Test::HasFailure(); ++end_at) {
    SCOPED_TRACE(end_at);
    Donor donor;
    Adopter adopter;
    adopter.shape = donor.shape;
    Pair pair = socket_pair();
    const UniqueFd socket(::dup(pair.one.get()));
    Moments moments(end_at, socket.get());
    donor.moments = adopter.moments = &moments;
    {
      std::jthread successor([&] { (void)succeed(std::move(pair.other), adopter, {.version = "2", .features = {}}); });
      (void)hand_over(std::move(pair.one), donor, terms);
    }
    donor.expect_one_answer_each();
    adopter.expect_one_end_each();
    EXPECT_EQ(donor.with(&Fate::adopted), adopter.with(&FakeAdopter::Fate::started));
    for (const auto& [id, fate] : donor.fates) expect_on_far_end(donor, id, fate.adopted == 1);
    for (const ParcelId id : donor.with(&Fate::taken_back)) taken_back += id % 5 == 2 ? 1 : 0;
    ended = moments.count() > end_at;
  }
  EXPECT_GT(taken_back, 10) << "large ones";
  EXPECT_EQ(open_descriptors(), before);
}

// The predecessor dies while it writes one.
TEST(LargeParcels, OfWhichAPartHasComeAreClosed) {
  const std::size_t before = open_descriptors();
  for (const std::size_t part : {std::size_t{20}, std::size_t{1u << 20}, large.payload_bytes_min}) {
    FakeAdopter adopter;
    Pair pair = socket_pair();
    std::jthread running([&] {
      Channel channel(std::move(pair.one));
      (void)send_record(channel, Kind::hello, make_hello({7, 1, "p"}, {}), soon());
      expect_frame(channel, Kind::hello);
      wire::Inherit inherit;
      inherit.set_last(true);
      (void)send_record(channel, Kind::inherit, inherit, soon());
      expect_frame(channel, Kind::ready);
      (void)send_record(channel, Kind::listen, wire::Listen{}, soon());
      expect_frame(channel, Kind::listening);
      wire::Offer offer;
      auto& parcel = *offer.add_parcels();
      parcel.set_id(100);
      parcel.set_descriptors(static_cast<std::uint32_t>(large.descriptors));
      parcel.set_payload(payload_of(100, large));
      const UniqueFd file = new_file();
      const std::vector<int> numbers(large.descriptors, file.get());
      const std::string bytes =
          RawFrame::honest(Kind::offer, offer.SerializeAsString(), "", large.descriptors).bytes().substr(0, part);
      const ssize_t first = write_raw(channel.descriptor(), bytes.substr(0, 20), numbers);
      EXPECT_EQ(first, 20);
      ::fcntl(channel.descriptor(), F_SETFL, 0);
      for (std::size_t written = 20; written < part;) {
        written += static_cast<std::size_t>(write_raw(channel.descriptor(), std::string_view(bytes).substr(written)));
      }
    });
    EXPECT_EQ(succeed(std::move(pair.other), adopter, {.version = "2", .features = {}}).ending, Succession::orphaned);
    EXPECT_TRUE(adopter.fates.empty());
  }
  EXPECT_EQ(open_descriptors(), before);
}

// Both directions in one conversation: after some parcels were adopted, the successor gives everything back.
TEST(LargeParcels, ComeBackAmongSmallOnes) {
  raise_descriptor_limit();
  FakeDonor ours(300), theirs(1000);
  FakeAdopter adopter, returns;
  ours.shape = theirs.shape = adopter.shape = returns.shape = one_of(100);
  ours.ever_finished = false;
  const UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  std::atomic<bool> has_adopted = false;
  adopter.while_preparing = [&] {
    has_adopted = true;
    ::eventfd_write(wake.get(), 1);
  };
  const Probation probation{
      .donor = [&]() -> Donor& { return theirs; },
      .conduct = [](bool) { return Conduct{}; },
      .called_off = [&] { return has_adopted ? std::optional<std::string>("told to stop by a signal") : std::nullopt; },
      .wake_descriptor = wake.get()};
  Pair pair = socket_pair();
  SuccessionOutcome succession;
  HandoverOutcome outcome;
  {
    std::jthread successor([&] {
      succession = succeed(std::move(pair.other), adopter, {.version = "2", .features = {}, .step_timeout = patient},
                           &probation);
    });
    outcome = hand_over(std::move(pair.one), ours, terms, &returns);
  }
  EXPECT_EQ(outcome.ending, Ending::rolled_back);
  EXPECT_EQ(succession.ending, Succession::returned) << succession.reason;
  ours.expect_one_answer_each();
  theirs.expect_one_answer_each();
  EXPECT_EQ(ours.with(&Fate::adopted), adopter.with(&FakeAdopter::Fate::started));
  EXPECT_EQ(theirs.with(&Fate::adopted), returns.with(&FakeAdopter::Fate::started));
  EXPECT_EQ(theirs.with(&Fate::adopted).size(), 1000u);
  for (const FakeDonor* donor : {&ours, &theirs}) {
    for (const auto& [id, fate] : donor->fates) expect_on_far_end(*donor, id, fate.adopted == 1);
  }
}

}  // namespace
}  // namespace baton::handoff
