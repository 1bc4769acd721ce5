// A successor on probation gives everything back by its own judgement or because the predecessor calls the upgrade off.
// The same two messages go the other way, and the same rule says who owns what.
#include <array>
#include <atomic>
#include <thread>

#include "handoff/predecessor.hpp"
#include "handoff/successor.hpp"
#include "handoff/testing/parties.hpp"
#include "handoff/testing/script.hpp"

namespace baton::handoff {
namespace {

using namespace test;
using std::chrono::milliseconds;

class TriedDonor : public FakeDonor {
 public:
  using FakeDonor::FakeDonor;
  void on_probation(const Conduct& conduct) override {
    seen.push_back(conduct);
    calls_before_seen = calls;
  }
  std::vector<Conduct> seen;
  std::vector<std::string> calls_before_seen;
};

class ProbationTest : public ::testing::Test {
 protected:
  void run() {
    Pair pair = socket_pair();
    const Probation probation{[this]() -> Donor& { return theirs; }, [this](bool at_end) { return conduct(at_end); },
                              [this] { return called_off(); }, wake_descriptor};
    {
      std::jthread successor([&] {
        succession = succeed(std::move(pair.other), adopter, {.version = "2", .features = {"known"}}, can_return ? &probation : nullptr);
      });
      handover = hand_over(std::move(pair.one), ours, terms, &returns);
    }
    ours.expect_one_answer_each();
    theirs.expect_one_answer_each();
    adopter.expect_one_end_each();
    returns.expect_one_end_each();
    EXPECT_EQ(theirs.with(&FakeDonor::Fate::adopted), returns.with(&FakeAdopter::Fate::started));
    for (const auto& [id, fate] : theirs.fates) expect_on_far_end(theirs, id, fate.adopted == 1);
  }
  void expect_rolled_back(const std::string& why) {
    EXPECT_EQ(handover.ending, Ending::rolled_back);
    EXPECT_EQ(handover.reason, why);
    EXPECT_EQ(succession.ending, Succession::returned) << succession.reason;
    EXPECT_EQ(ours.calls, (std::vector<std::string>{"stop_accepting", "accept_again"}));
    EXPECT_EQ(theirs.calls, (std::vector<std::string>{"stop_accepting"}));
    EXPECT_EQ(theirs.taken_addresses, ours.taken_addresses) << "where both listen nothing is emptied";
  }

  TriedDonor ours{100};            // the predecessor's connections
  FakeAdopter adopter;             // the successor's role
  FakeDonor theirs{70, 30};        // what the successor has accepted by then
  FakeAdopter returns;             // the predecessor's role when that comes back
  std::function<Conduct(bool)> conduct = [](bool) { return Conduct{3, 2, 1, {}}; };
  std::function<std::optional<std::string>()> called_off = [] { return std::nullopt; };
  bool theirs_listens() const { return adopter.count("accept") != 0; }
  int wake_descriptor = -1;
  bool can_return = true;
  PredecessorTerms terms{.self = {7, 4242, "1"},
                         .features = {"known"},
                         .ready_timeout = milliseconds(20'000),
                         .step_timeout = milliseconds(20'000),
                         .probation = milliseconds(50),
                         .return_timeout = milliseconds(20'000)};
  HandoverOutcome handover;
  SuccessionOutcome succession;
};

TEST_F(ProbationTest, ThatIsPassedComesBeforeAnythingMoves) {
  bool touched_before_the_end = false;
  conduct = [&](bool at_end) {
    if (!at_end) touched_before_the_end = touched_before_the_end || !adopter.fates.empty();
    return Conduct{3, 2, 1, {}};
  };
  run();
  EXPECT_EQ(handover.ending, Ending::completed) << handover.reason;
  EXPECT_EQ(succession.ending, Succession::completed) << succession.reason;
  ASSERT_FALSE(ours.seen.empty());
  EXPECT_EQ(ours.seen.back().accepted, 3u);
  EXPECT_EQ(ours.seen.back().served, 2u);
  EXPECT_EQ(ours.seen.back().failed, 1u);
  EXPECT_FALSE(touched_before_the_end);
  EXPECT_EQ(handover.report.moved_total(), 100u);
  EXPECT_TRUE(theirs.fates.empty());
}

TEST_F(ProbationTest, ThatIsFailedGivesEverythingBack) {
  ours.listening.push_back(new_file());
  terms.probation = milliseconds(20'000);
  int looks = 0;
  conduct = [&](bool) { return Conduct{70, 9, 9, ++looks == 3 ? std::optional<std::string>("nine of nine failed") : std::nullopt}; };
  run();
  expect_rolled_back("the successor gave back what it had: nine of nine failed");
  EXPECT_EQ(returns.with(&FakeAdopter::Fate::started).size(), 70u);
  EXPECT_TRUE(ours.fates.empty()) << "the live ones were never touched";
  EXPECT_EQ(handover.report.moved_total(), 0u);
}

TEST_F(ProbationTest, MayFailInItsLastMoment) {
  conduct = [](bool at_end) { return Conduct{1, 1, 1, at_end ? std::optional<std::string>("the only one failed") : std::nullopt}; };
  run();
  expect_rolled_back("the successor gave back what it had: the only one failed");
}

TEST_F(ProbationTest, WhatThePredecessorRefusesStaysWithTheSuccessor) {
  conduct = [](bool) { return Conduct{1, 1, 1, "no good"}; };
  returns.judge = [](ParcelId id) { return id % 3 == 0 ? Verdict("no memory") : std::nullopt; };
  run();
  expect_rolled_back("the successor gave back what it had: no good");
  for (const auto& [id, fate] : theirs.fates) EXPECT_EQ(fate.refused, id % 3 == 0 ? 1 : 0);
  EXPECT_TRUE(handover.successor_serves);
}

TEST_F(ProbationTest, CanBeCalledOff) {
  terms.probation = milliseconds(20'000);
  ours.call_off = [this] { return ours.seen.empty() ? std::nullopt : std::optional<std::string>("the operator cancelled"); };
  run();
  expect_rolled_back("the operator cancelled");
  EXPECT_EQ(returns.with(&FakeAdopter::Fate::started).size(), 70u);
}

TEST_F(ProbationTest, WithoutOneACallBeforeAnythingHasMovedBringsBackWhatTheSuccessorAccepted) {
  terms.probation = milliseconds(0);
  std::atomic<bool> accepting = false;
  adopter.when_accepting = [&] { accepting = true; };
  ours.call_off = [&] { return accepting ? std::optional<std::string>("stop") : std::nullopt; };
  ours.ever_finished = false;
  adopter.judge = [](ParcelId) { return Verdict("not one"); };      // an answer that moves nothing
  run();
  EXPECT_EQ(handover.ending, Ending::rolled_back);
  EXPECT_EQ(handover.reason, "stop");
  EXPECT_EQ(succession.ending, Succession::returned);
  EXPECT_EQ(returns.with(&FakeAdopter::Fate::started).size(), 70u);
}

TEST_F(ProbationTest, ACallWhileAnOfferIsUnderWayIsTheSame) {
  terms.probation = milliseconds(0);
  std::atomic<bool> preparing = false;
  std::atomic<bool> called = false;
  adopter.while_preparing = [&] {
    preparing = true;
    while (!called) std::this_thread::yield();      // the predecessor has not read our Adopted
  };
  ours.ever_finished = false;
  ours.call_off = [&] {
    if (!preparing) return std::optional<std::string>();
    called = true;
    return std::optional<std::string>("stop");
  };
  // The predecessor notices when something wakes it.
  std::jthread waker([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      ::eventfd_write(ours.wake.get(), 1);
      std::this_thread::yield();
    }
  });
  run();
  EXPECT_EQ(handover.ending, Ending::rolled_back);
  EXPECT_EQ(handover.reason, "stop");
  EXPECT_EQ(succession.ending, Succession::returned);
  EXPECT_EQ(ours.with(&FakeDonor::Fate::adopted), adopter.with(&FakeAdopter::Fate::started));
}

// The successor is stopped: it is not the instance yet and gives everything back, at any stage of the handover.
TEST_F(ProbationTest, ASuccessorThatIsCalledOffGivesEverythingBack) {
  terms.probation = milliseconds(20'000);
  called_off = [this] { return theirs_listens() ? std::optional<std::string>("told to stop by a signal") : std::nullopt; };
  run();
  expect_rolled_back("the successor gave back what it had: told to stop by a signal");
}

TEST_F(ProbationTest, ASuccessorThatIsCalledOffWhileConnectionsMoveGivesThoseBackToo) {
  terms.probation = milliseconds(0);
  ours.ever_finished = false;
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  wake_descriptor = wake.get();
  std::atomic<bool> has_adopted = false;
  adopter.while_preparing = [&] {
    has_adopted = true;
    ::eventfd_write(wake.get(), 1);
  };
  called_off = [&] { return has_adopted ? std::optional<std::string>("told to stop by a signal") : std::nullopt; };
  run();
  expect_rolled_back("the successor gave back what it had: told to stop by a signal");
  EXPECT_EQ(ours.with(&FakeDonor::Fate::adopted), adopter.with(&FakeAdopter::Fate::started));
  EXPECT_EQ(returns.with(&FakeAdopter::Fate::started).size(), 70u);
}

TEST_F(ProbationTest, IsNotForASuccessorThatCannotGiveBack) {
  can_return = false;
  run();
  EXPECT_EQ(handover.ending, Ending::completed) << handover.reason;
  EXPECT_TRUE(ours.seen.empty());
}

// ── A successor that fails on probation or while giving back ──────────────────────────────────────────────────────

enum class Point { trial, returning, offer, returned };
constexpr Kind kinds[] = {Kind::trial, Kind::returning, Kind::offer, Kind::returned};

struct Row {
  Point point;
  Way way;
};
void PrintTo(const Row& row, std::ostream* out) { *out << kind_name(kinds[static_cast<int>(row.point)]) << name_of(row.way); }

class TriedSuccessorThat : public ::testing::TestWithParam<Row> {};

TEST_P(TriedSuccessorThat, LeavesThePredecessorWithItsOwnAndWhatHasComeBack) {
  const auto [point, way] = GetParam();
  const std::size_t before = open_descriptors();
  {
    TriedDonor ours(10);
    FakeAdopter returns;
    Pair pair = socket_pair();
    UniqueFd client;
    std::jthread successor([&] {
      SuccessorScript script(std::move(pair.other));
      expect_frame(script.channel, Kind::hello);
      wire::Hello hello = make_hello({8, 4711, "script"}, {});
      hello.set_returns(true);
      script.send(Kind::hello, hello);
      script.ready();
      EXPECT_EQ(expect_record<wire::Listen>(script.channel, Kind::listen).probation_ms(), 20'000u);
      script.send(Kind::listening, wire::Listening{});
      script.send(Kind::trial, wire::Trial{});
      if (point > Point::returning) script.send(Kind::returning, wire::Returning{});
      if (point > Point::offer) {
        Pair returned = socket_pair();
        client = std::move(returned.other);
        wire::Offer offer;
        offer.add_parcels()->set_id(100);
        offer.mutable_parcels(0)->set_descriptors(1);
        offer.mutable_parcels(0)->set_payload(payload_of(100));
        (void)send_record(script.channel, Kind::offer, offer, soon(), std::array{returned.one.get()});
        expect_frame(script.channel, Kind::adopted);
      }
      misbehave(std::move(script.channel), kinds[static_cast<int>(point)], way);
    });
    const milliseconds patience(way == Way::hangs ? 300 : 20'000);
    const HandoverOutcome outcome = hand_over(std::move(pair.one), ours,
                                              {.self = {7, 1, "p"},
                                               .features = {},
                                               .step_timeout = patience,
                                               .probation = milliseconds(20'000),
                                               .return_timeout = patience},
                                              &returns);
    successor.join();
    EXPECT_EQ(outcome.ending, Ending::rolled_back);
    EXPECT_FALSE(outcome.reason.empty());
    const bool is_sane = way == Way::closes || way == Way::closes_without_reading || way == Way::truncated || way == Way::aborts;
    EXPECT_EQ(outcome.successor_serves, is_sane) << "who is silent or talks nonsense may be killed at once";
    EXPECT_EQ(ours.calls, (std::vector<std::string>{"stop_accepting", "accept_again"}));
    EXPECT_TRUE(ours.fates.empty());
    EXPECT_EQ(returns.with(&FakeAdopter::Fate::started).size(), point == Point::returned ? 1u : 0u);
    returns.expect_one_end_each();
  }
  EXPECT_EQ(open_descriptors(), before);
}

std::vector<Row> rows() {
  std::vector<Row> all;
  for (const Point point : {Point::trial, Point::returning, Point::offer, Point::returned}) {
    for (const Way way : all_ways) {
      if (way == Way::unreadable && point == Point::returned) continue;      // it has no content
      all.push_back({point, way});
    }
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Each, TriedSuccessorThat, ::testing::ValuesIn(rows()), [](const auto& row) {
  return std::string(name_of(row.param.way)) + "InsteadOf" + kind_name(kinds[static_cast<int>(row.param.point)]);
});

TEST(TriedSuccessor, MayNotOfferBeforeItSaysThatItReturns) {
  TriedDonor ours(10);
  FakeAdopter returns;
  Pair pair = socket_pair();
  std::jthread successor([&] {
    SuccessorScript script(std::move(pair.other));
    script.hello(true);
    script.ready();
    script.listening();
    script.send(Kind::offer, wire::Offer{});
    script.listen_to_the_end();
  });
  const auto outcome = hand_over(std::move(pair.one), ours, {.self = {7, 1, "p"}, .features = {}, .probation = milliseconds(20'000)}, &returns);
  EXPECT_EQ(outcome.ending, Ending::rolled_back);
  EXPECT_NE(outcome.reason.find("Offer where Trial belongs"), std::string::npos) << outcome.reason;
}

// ── A predecessor that fails while the successor gives back ───────────────────────────────────────────────────────

class PredecessorToldOfReturns : public ::testing::TestWithParam<Way> {};

TEST_P(PredecessorToldOfReturns, LeavesTheSuccessorWithWhatItDidNotAdopt) {
  const Way way = GetParam();
  FakeAdopter adopter;
  FakeDonor theirs(20, 10);
  Pair pair = socket_pair();
  SuccessionOutcome outcome;
  {
    const Probation probation{.donor = [&]() -> Donor& { return theirs; }, .conduct = [](bool) { return Conduct{1, 1, 1, "no good"}; }};
    std::jthread successor([&] {
      outcome = succeed(std::move(pair.other), adopter,
                        {.version = "2", .features = {}, .step_timeout = milliseconds(way == Way::hangs ? 300 : 20'000)}, &probation);
    });
    Channel channel(std::move(pair.one));
    const auto say = [&](Kind kind, const google::protobuf::MessageLite& record) { (void)send_record(channel, kind, record, soon()); };
    say(Kind::hello, make_hello({7, 1, "p"}, {}));
    EXPECT_TRUE(expect_record<wire::Hello>(channel, Kind::hello).returns());
    wire::Inherit inherit;
    inherit.set_last(true);
    say(Kind::inherit, inherit);
    expect_frame(channel, Kind::ready);
    wire::Listen listen;
    listen.set_probation_ms(20'000);
    say(Kind::listen, listen);
    expect_frame(channel, Kind::listening);
    EXPECT_EQ(expect_record<wire::Returning>(channel, Kind::returning).text(), "no good");
    auto offer = expect_record<wire::Offer>(channel, Kind::offer);
    wire::Adopted adopted;
    for (const auto& parcel : offer.parcels()) adopted.add_taken(parcel.id());
    say(Kind::adopted, adopted);
    if (way != Way::closes_without_reading) expect_frame(channel, Kind::offer);
    misbehave(std::move(channel), Kind::adopted, way);
  }
  EXPECT_EQ(outcome.ending, Succession::orphaned) << outcome.reason;
  theirs.expect_one_answer_each();
  EXPECT_EQ(theirs.with(&FakeDonor::Fate::adopted).size(), 10u);
  EXPECT_EQ(theirs.with(&FakeDonor::Fate::taken_back).size(), theirs.fates.size() - 10);
  EXPECT_EQ(theirs.calls, (std::vector<std::string>{"stop_accepting", "accept_again"}));
  EXPECT_EQ(adopter.count("take_over"), 0);
}

INSTANTIATE_TEST_SUITE_P(Each, PredecessorToldOfReturns, ::testing::ValuesIn(all_ways),
                         [](const auto& way) { return std::string(name_of(way.param)); });

}  // namespace
}  // namespace baton::handoff
