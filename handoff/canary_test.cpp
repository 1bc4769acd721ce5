// A successor that is a canary serves a part of the predecessor's connections, until it is promoted or called back.
#include <array>
#include <atomic>
#include <thread>

#include "handoff/predecessor.hpp"
#include "handoff/successor.hpp"
#include "handoff/testing/canary_donor.hpp"
#include "handoff/testing/script.hpp"

namespace baton::handoff {
namespace {

using namespace test;
using std::chrono::milliseconds;

// A script's part up to its first Trial.
void become_canary(SuccessorScript& script) {
  expect_frame(script.channel, Kind::hello);
  wire::Hello hello = make_hello({8, 4711, "script"}, {});
  hello.set_returns(true);
  hello.set_canary(true);
  script.send(Kind::hello, hello);
  script.ready();
  EXPECT_TRUE(expect_record<wire::Listen>(script.channel, Kind::listen).canary());
  script.send(Kind::listening, wire::Listening{});
  script.send(Kind::trial, wire::Trial{});
}

class CanaryTest : public ::testing::Test {
 protected:
  void run() {
    Pair pair = socket_pair();
    const Probation probation{[this]() -> Donor& { return theirs; },
                              [](bool) { return Conduct{3, 2, 1, "what it thinks itself", "counts"}; },
                              [this] { return called_off(); }};
    {
      std::jthread successor([&] {
        succession = succeed(std::move(pair.other), adopter, {.version = "2", .features = {"known"}},
                             can_return ? &probation : nullptr);
      });
      handover = hand_over(std::move(pair.one), ours, terms, &returns);
    }
    ours.expect_one_answer_each();
    theirs.expect_one_answer_each();
    adopter.expect_one_end_each();
    returns.expect_one_end_each();
  }
  void expect_returned(const std::string& why) {
    EXPECT_EQ(handover.ending, Ending::rolled_back);
    EXPECT_EQ(handover.reason, why);
    EXPECT_EQ(succession.ending, Succession::returned) << succession.reason;
    EXPECT_EQ(ours.calls, (std::vector<std::string>{"begin_canary", "accept_again"}));
    EXPECT_EQ(adopter.count("accept"), 0) << "it never had the sockets to itself";
    EXPECT_EQ(returns.with(&FakeAdopter::Fate::started).size(), 70u);
  }

  struct ReturningDonor : FakeDonor {
    using FakeDonor::FakeDonor;
    void stop_accepting(const std::vector<std::string>& taken) override {
      when_stopping();
      FakeDonor::stop_accepting(taken);
    }
    std::function<void()> when_stopping = [] {};
  };

  CanaryDonor ours{30};
  FakeAdopter adopter;
  ReturningDonor theirs{70, 30};  // what the successor has by then
  FakeAdopter returns;
  std::function<std::optional<std::string>()> called_off = [] { return std::nullopt; };
  bool can_return = true;
  PredecessorTerms terms{.self = {7, 4242, "1"},
                         .features = {"known"},
                         .ready_timeout = milliseconds(20'000),
                         .step_timeout = milliseconds(20'000),
                         .probation = milliseconds(50),
                         .canary = true,
                         .return_timeout = milliseconds(20'000)};
  HandoverOutcome handover;
  SuccessionOutcome succession;
};

TEST_F(CanaryTest, ThatIsPromotedHasAPartFirstAndThenTheRest) {
  std::vector<std::string> called;
  ours.decide = [&](CanaryDonor& donor) {
    if (donor.adopted_when_seen != 30) return;
    if (called.empty()) called = adopter.calls;
    donor.promoted = true;
  };
  run();
  EXPECT_EQ(handover.ending, Ending::completed) << handover.reason;
  EXPECT_EQ(succession.ending, Succession::completed) << succession.reason;
  EXPECT_EQ(called, (std::vector<std::string>{"inherit", "accept_on_own"})) << "until then we accept";
  EXPECT_EQ(adopter.calls, (std::vector<std::string>{"inherit", "accept_on_own", "accept", "take_over"}));
  EXPECT_EQ(ours.calls, (std::vector<std::string>{"begin_canary", "stop_accepting", "resign"}));
  EXPECT_EQ(handover.report.moved_total(), 100u);
  ASSERT_FALSE(ours.seen.empty());
  EXPECT_EQ(ours.seen.back().application, "counts");
}

TEST_F(CanaryTest, ThatIsCalledBackGivesBackAllThatItHas) {
  ours.call_off = [this] {
    return ours.adopted_when_seen == 30 ? std::optional<std::string>("it is worse") : std::nullopt;
  };
  run();
  expect_returned("it is worse");
  EXPECT_EQ(ours.with(&FakeDonor::Fate::adopted).size(), 30u);
}

TEST_F(CanaryTest, ThatIsCalledBackWhileAnOfferIsUnderWayDoesTheSame) {
  std::atomic<bool> preparing = false;
  std::atomic<bool> called = false;
  adopter.while_preparing = [&] {
    preparing = true;
    while (!called) std::this_thread::yield();
  };
  ours.call_off = [&]() -> std::optional<std::string> {
    if (!preparing) return std::nullopt;
    called = true;
    return "stop";
  };
  std::jthread waker([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      ::eventfd_write(ours.wake.get(), 1);
      std::this_thread::yield();
    }
  });
  run();
  expect_returned("stop");
  EXPECT_EQ(ours.with(&FakeDonor::Fate::adopted), adopter.with(&FakeAdopter::Fate::started));
}

TEST_F(CanaryTest, ThatIsToldToStopGivesBackAllThatItHas) {
  std::atomic<bool> has_adopted = false;
  adopter.when_started = [&](ParcelId) { has_adopted = true; };
  called_off = [&] { return has_adopted ? std::optional<std::string>("told to stop by a signal") : std::nullopt; };
  run();
  expect_returned("the successor gave back what it had: told to stop by a signal");
}

// Returning and the second Listen meet.
TEST_F(CanaryTest, ThatIsToldToStopWhileItIsPromotedGivesBackAllThatItHas) {
  std::atomic<bool> is_promoted = false;
  std::atomic<bool> is_returning = false;
  ours.decide = [](CanaryDonor& donor) { donor.promoted = donor.adopted_when_seen == 30; };
  ours.when_stopping = [&] {
    is_promoted = true;
    while (!is_returning) std::this_thread::yield();
  };
  theirs.when_stopping = [&] { is_returning = true; };
  called_off = [&] { return is_promoted ? std::optional<std::string>("told to stop by a signal") : std::nullopt; };
  run();
  EXPECT_EQ(handover.ending, Ending::rolled_back);
  EXPECT_EQ(handover.reason, "the successor gave back what it had: told to stop by a signal");
  EXPECT_EQ(succession.ending, Succession::returned) << succession.reason;
  EXPECT_EQ(ours.calls, (std::vector<std::string>{"begin_canary", "stop_accepting", "accept_again"}));
  EXPECT_EQ(returns.with(&FakeAdopter::Fate::started).size(), 70u);
}

TEST(CanaryWithoutConnections, ThatIsCalledBackBeforeItAcceptsGivesBackWhatItHasAcceptedThen) {
  CanaryDonor ours(0);
  ours.ever_finished = false;  // and nothing to move
  ours.decide = [](CanaryDonor& donor) { donor.promoted = true; };
  ours.call_off = [&] { return ours.count("stop_accepting") != 0 ? std::optional<std::string>("stop") : std::nullopt; };
  FakeAdopter adopter;
  FakeAdopter returns;
  FakeDonor theirs(20);
  Pair pair = socket_pair();
  SuccessionOutcome succession;
  HandoverOutcome handover;
  {
    const Probation probation{.donor = [&]() -> Donor& { return theirs; }, .conduct = [](bool) { return Conduct{}; }};
    std::jthread successor(
        [&] { succession = succeed(std::move(pair.other), adopter, {.version = "2", .features = {}}, &probation); });
    handover = hand_over(std::move(pair.one), ours, {.self = {7, 1, "p"}, .features = {}, .canary = true}, &returns);
  }
  EXPECT_EQ(handover.reason, "stop");
  EXPECT_EQ(succession.ending, Succession::returned) << succession.reason;
  EXPECT_EQ(adopter.count("accept"), 1);
  EXPECT_EQ(returns.with(&FakeAdopter::Fate::started).size(), 20u);
}

TEST(BusyCanary, IsCalledBackAlthoughTheDonorAlwaysHasMore) {
  raise_descriptor_limit();
  CanaryDonor ours(0, 5'000);
  ours.always_has_more = true;
  ours.call_off = [&] { return ours.seen.empty() ? std::nullopt : std::optional<std::string>("stop"); };
  FakeAdopter adopter;
  FakeAdopter returns;
  FakeDonor theirs(0);
  Pair pair = socket_pair();
  HandoverOutcome handover;
  {
    const Probation probation{.donor = [&]() -> Donor& { return theirs; }, .conduct = [](bool) { return Conduct{}; }};
    std::jthread successor(
        [&] { (void)succeed(std::move(pair.other), adopter, {.version = "2", .features = {}}, &probation); });
    handover = hand_over(std::move(pair.one), ours, {.self = {7, 1, "p"}, .features = {}, .canary = true}, &returns);
  }
  EXPECT_EQ(handover.reason, "stop");
  EXPECT_LT(ours.fates.size(), 5'000u);
}

// A Trial that was sent before the second Listen was read.
TEST(PromotedCanary, MayHaveSaidMoreBeforeItHeardOfIt) {
  CanaryDonor ours(0);
  ours.decide = [](CanaryDonor& donor) { donor.promoted = true; };
  FakeAdopter returns;
  Pair pair = socket_pair();
  std::jthread successor([&] {
    SuccessorScript script(std::move(pair.other));
    become_canary(script);
    expect_frame(script.channel, Kind::listen);
    for (int i = 0; i < 3; ++i) script.send(Kind::trial, wire::Trial{});
    script.send(Kind::listening, wire::Listening{});
    script.adopt(100);
    expect_frame(script.channel, Kind::done);
    script.send(Kind::bye, wire::Bye{});
  });
  const auto outcome =
      hand_over(std::move(pair.one), ours, {.self = {7, 1, "p"}, .features = {}, .canary = true}, &returns);
  EXPECT_EQ(outcome.ending, Ending::completed) << outcome.reason;
}

TEST_F(CanaryTest, IsNotJudgedByItself) {
  ours.decide = [](CanaryDonor& donor) { donor.promoted = donor.seen.size() > 3; };
  run();
  EXPECT_EQ(handover.ending, Ending::completed) << handover.reason;
}

TEST_F(CanaryTest, IsRefusedByAVersionThatCannotBeOne) {
  can_return = false;
  run();
  EXPECT_EQ(handover.ending, Ending::rolled_back);
  EXPECT_EQ(handover.reason, "its version cannot be a canary; upgrade to it without one");
  EXPECT_FALSE(handover.had_begun_to_move);
  EXPECT_EQ(succession.ending, Succession::failed);
  EXPECT_TRUE(ours.calls.empty()) << "nothing has begun";
  EXPECT_TRUE(adopter.calls.empty());
}

// ── A canary that fails ───────────────────────────────────────────────────────────────────────────────────────────

class CanaryThat : public ::testing::TestWithParam<Way> {};

TEST_P(CanaryThat, LeavesThePredecessorWithAllThatItDidNotAdopt) {
  const Way way = GetParam();
  CanaryDonor ours(30);
  FakeAdopter returns;
  Pair pair = socket_pair();
  std::jthread successor([&] {
    SuccessorScript script(std::move(pair.other));
    become_canary(script);
    const auto offer = expect_record<wire::Offer>(script.channel, Kind::offer);
    EXPECT_EQ(offer.parcels_size(), 30);
    wire::Adopted adopted;
    for (int i = 0; i < 10; ++i) adopted.add_taken(offer.parcels(i).id());
    script.send(Kind::adopted, adopted);
    misbehave(std::move(script.channel), Kind::trial, way);
  });
  const milliseconds patience(way == Way::hangs ? 1'000 : 20'000);
  const HandoverOutcome outcome = hand_over(
      std::move(pair.one), ours,
      {.self = {7, 1, "p"}, .features = {}, .step_timeout = patience, .canary = true, .return_timeout = patience},
      &returns);
  successor.join();
  EXPECT_EQ(outcome.ending, Ending::rolled_back);
  EXPECT_TRUE(outcome.had_begun_to_move);
  EXPECT_EQ(ours.with(&FakeDonor::Fate::adopted).size(), 10u);
  EXPECT_EQ(ours.with(&FakeDonor::Fate::taken_back).size(), 20u);
  EXPECT_EQ(ours.count("kill_canary"), way == Way::hangs ? 1 : 0);
  EXPECT_EQ(ours.count("accept_again"), 1);
  EXPECT_EQ(ours.count("stop_accepting"), 0);
}

INSTANTIATE_TEST_SUITE_P(Each, CanaryThat, ::testing::ValuesIn(all_ways),
                         [](const auto& row) { return std::string(name_of(row.param)); });

// ── A predecessor that fails ──────────────────────────────────────────────────────────────────────────────────────

class PredecessorOfACanaryThat : public ::testing::TestWithParam<Way> {};

TEST_P(PredecessorOfACanaryThat, LeavesItWithWhatItHasAdopted) {
  FakeAdopter adopter;
  FakeDonor theirs(0);
  Pair pair = socket_pair();
  SuccessionOutcome outcome;
  {
    const Probation probation{.donor = [&]() -> Donor& { return theirs; }, .conduct = [](bool) { return Conduct{}; }};
    std::jthread successor(
        [&] { outcome = succeed(std::move(pair.other), adopter, {.version = "2", .features = {}}, &probation); });
    Channel channel(std::move(pair.one));
    const auto say = [&](Kind kind, const google::protobuf::MessageLite& record) {
      (void)send_record(channel, kind, record, soon());
    };
    wire::Hello hello = make_hello({7, 1, "p"}, {});
    hello.set_returns(true);
    say(Kind::hello, hello);
    EXPECT_TRUE(expect_record<wire::Hello>(channel, Kind::hello).canary());
    wire::Inherit inherit;
    inherit.set_last(true);
    say(Kind::inherit, inherit);
    expect_frame(channel, Kind::ready);
    wire::Listen listen;
    listen.set_canary(true);
    say(Kind::listen, listen);
    expect_frame(channel, Kind::listening);
    expect_frame(channel, Kind::trial);
    misbehave(std::move(channel), Kind::offer, GetParam());
  }
  EXPECT_EQ(outcome.ending, Succession::orphaned) << outcome.reason;
  EXPECT_EQ(adopter.calls, (std::vector<std::string>{"inherit", "accept_on_own"}));
}

// It waits for one that hangs, as always.
INSTANTIATE_TEST_SUITE_P(Each, PredecessorOfACanaryThat,
                         ::testing::Values(Way::closes, Way::closes_without_reading, Way::garbage, Way::other_kind,
                                           Way::truncated, Way::unreadable, Way::aborts),
                         [](const auto& row) { return std::string(name_of(row.param)); });

}  // namespace
}  // namespace baton::handoff
