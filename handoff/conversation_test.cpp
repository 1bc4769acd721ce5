// Our predecessor and our successor complete an upgrade: everything moves exactly once.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>

#include <bit>
#include <new>
#include <numeric>
#include <stdexcept>
#include <thread>

#include "handoff/limits.hpp"
#include "handoff/predecessor.hpp"
#include "handoff/records.hpp"
#include "handoff/successor.hpp"
#include "handoff/testing/parties.hpp"

namespace baton::handoff {
namespace {

using namespace test;
using std::chrono::milliseconds;

class ConversationTest : public ::testing::Test {
 protected:
  struct Outcomes {
    HandoverOutcome predecessor;
    SuccessionOutcome successor;
  };

  Outcomes talk(FakeDonor& donor, FakeAdopter& adopter) {
    Pair pair = socket_pair();
    Outcomes outcomes;
    {
      std::jthread successor([&] { outcomes.successor = succeed(std::move(pair.other), adopter, successor_terms); });
      outcomes.predecessor = hand_over(std::move(pair.one), donor, predecessor_terms);
    }
    donor.expect_one_answer_each();
    adopter.expect_one_end_each();
    EXPECT_EQ(donor.with(&FakeDonor::Fate::adopted), adopter.with(&FakeAdopter::Fate::started));
    for (const auto& [id, fate] : donor.fates) expect_on_far_end(donor, id, fate.adopted == 1);
    return outcomes;
  }

  void expect_completed(const Outcomes& outcomes) {
    EXPECT_EQ(outcomes.predecessor.ending, Ending::completed) << outcomes.predecessor.reason;
    EXPECT_EQ(outcomes.successor.ending, Succession::completed) << outcomes.successor.reason;
  }

  PredecessorTerms predecessor_terms{.self = {7, 4242, "1.2.3"},
                                     .features = {},
                                     .ready_timeout = milliseconds(20'000),
                                     .step_timeout = milliseconds(20'000)};
  SuccessorTerms successor_terms{.version = "1.2.4", .features = {"known"}, .hello_timeout = milliseconds(20'000)};
};

TEST_F(ConversationTest, EverythingMovesExactlyOnce) {
  FakeDonor donor(100);
  FakeAdopter adopter;
  for (int i = 0; i < 3; ++i) donor.listening.push_back(new_file());
  const auto outcomes = talk(donor, adopter);
  expect_completed(outcomes);

  EXPECT_EQ(donor.with(&FakeDonor::Fate::adopted).size(), 100u);
  EXPECT_EQ(donor.calls, (std::vector<std::string>{"stop_accepting", "resign"}));
  EXPECT_EQ(adopter.calls, (std::vector<std::string>{"inherit", "accept", "take_over"}));
  EXPECT_EQ(donor.taken_addresses, (std::vector<std::string>{"127.0.0.1:0", "127.0.0.1:1", "127.0.0.1:2"}));

  EXPECT_EQ(adopter.inherited.generation, 7u);
  EXPECT_EQ(adopter.inherited.application, "counters");
  EXPECT_EQ(adopter.inherited.configuration, "version: 1");
  EXPECT_EQ(adopter.inherited.clock_offset_us, 0);
  EXPECT_TRUE(same_file(adopter.inherited.executable.get(), donor.estate().executable));
  ASSERT_EQ(adopter.inherited.sockets.size(), 3u);
  EXPECT_EQ(adopter.inherited.sockets[1].name, "web");
  EXPECT_TRUE(same_file(adopter.inherited.sockets[1].descriptor.get(), donor.listening[1].get()));
}

TEST_F(ConversationTest, BothSidesKnowTheReport) {
  FakeDonor donor(10);
  FakeAdopter adopter;
  adopter.judge = [](ParcelId id) { return id == 105 ? Verdict("no thanks") : std::nullopt; };
  const auto outcomes = talk(donor, adopter);
  expect_completed(outcomes);
  EXPECT_TRUE(outcomes.predecessor.successor_serves);
  EXPECT_EQ(adopter.application, "last counters");
  for (const Report& report : {outcomes.predecessor.report, adopter.report}) {
    EXPECT_EQ(report.from.generation, 7u);
    EXPECT_EQ(report.from.pid, 4242);
    EXPECT_EQ(report.from.version, "1.2.3");
    EXPECT_EQ(report.to.generation, 8u);
    EXPECT_EQ(report.to.pid, ::getpid());
    EXPECT_EQ(report.to.version, "1.2.4");
    EXPECT_EQ(report.moved, (std::map<std::string, std::uint64_t>{{"idle", 5}, {"tunnel", 4}}));
    EXPECT_EQ(report.refused, (std::map<std::string, std::uint64_t>{{"no thanks", 1}}));
    EXPECT_EQ(report.taken_back, 0u);
    EXPECT_GE(report.pauses.max_us, report.pauses.p50_us);
    const auto& by_log2 = report.pauses.by_log2;
    EXPECT_EQ(std::accumulate(by_log2.begin(), by_log2.end(), std::uint64_t{0}), report.moved_total());
    EXPECT_EQ(by_log2.size(), static_cast<std::size_t>(std::bit_width(report.pauses.max_us)) + 1);
  }
}

TEST_F(ConversationTest, WhatTheSuccessorRefusesStaysAndHurtsNothingElse) {
  FakeDonor donor(200);
  FakeAdopter adopter;
  adopter.judge = [](ParcelId id) { return id % 3 == 0 ? Verdict("no memory") : std::nullopt; };
  expect_completed(talk(donor, adopter));
  for (const auto& [id, fate] : donor.fates) EXPECT_EQ(fate.refused, id % 3 == 0 ? 1 : 0);
}

TEST_F(ConversationTest, ASuccessorThatRefusesEveryParcelStillSucceeds) {
  FakeDonor donor(70);
  FakeAdopter adopter;
  adopter.judge = [](ParcelId) { return Verdict("none at all"); };
  const auto outcomes = talk(donor, adopter);
  expect_completed(outcomes);
  EXPECT_EQ(outcomes.predecessor.report.moved_total(), 0u);
  EXPECT_EQ(donor.with(&FakeDonor::Fate::refused).size(), 70u);
}

TEST_F(ConversationTest, AParcelWithAnUnknownRequiredFeatureIsRefusedAlone) {
  FakeDonor donor(5);
  donor.with_unknown_feature = {101, 104};
  FakeAdopter adopter;
  const auto outcomes = talk(donor, adopter);
  expect_completed(outcomes);
  EXPECT_EQ(donor.with(&FakeDonor::Fate::refused), (std::set<ParcelId>{101, 104}));
  EXPECT_EQ(adopter.fates.size(), 3u) << "the adopter never sees them";
  EXPECT_NE(outcomes.predecessor.report.refused.begin()->first.find("from-the-future"), std::string::npos);
}

TEST_F(ConversationTest, AParcelMovesWhenAllItsFeaturesAreKnown) {
  successor_terms.features = {"known", "from-the-future"};
  FakeDonor donor(5);
  donor.with_unknown_feature = {101, 104};
  FakeAdopter adopter;
  expect_completed(talk(donor, adopter));
  EXPECT_EQ(donor.with(&FakeDonor::Fate::adopted).size(), 5u);
}

TEST_F(ConversationTest, FiveThousandParcelsMove) {
  raise_descriptor_limit();
  FakeDonor donor(5000);
  FakeAdopter adopter;
  const auto outcomes = talk(donor, adopter);
  expect_completed(outcomes);
  EXPECT_EQ(outcomes.predecessor.report.moved_total(), 5000u);
  EXPECT_LE(donor.most_frozen, 2 * limits::connections_in_flight_max);
}

TEST_F(ConversationTest, ManyListeningSocketsTakeSeveralFrames) {
  raise_descriptor_limit();
  for (const std::size_t sockets : {249u, 250u, 498u, 600u}) {
    FakeDonor donor(1);
    FakeAdopter adopter;
    for (std::size_t i = 0; i < sockets; ++i) donor.listening.push_back(new_file());
    expect_completed(talk(donor, adopter));
    ASSERT_EQ(adopter.inherited.sockets.size(), sockets);
    for (std::size_t i = 0; i < sockets; ++i) {
      EXPECT_TRUE(same_file(adopter.inherited.sockets[i].descriptor.get(), donor.listening[i].get())) << i;
    }
    EXPECT_TRUE(same_file(adopter.inherited.executable.get(), donor.estate().executable));
  }
}

// Only a successor that says so takes more than 4096; for an older one the upgrade fails with a reason and no effect.
TEST_F(ConversationTest, MoreListeningSocketsThanOlderVersionsTakeMoveToOneThatTakesThem) {
  raise_descriptor_limit();
  FakeDonor donor(3);
  FakeAdopter adopter;
  const UniqueFd file = new_file();
  for (std::size_t i = 0; i < limits::sockets_inherited_of_old + 900; ++i) {
    donor.listening.emplace_back(::fcntl(file.get(), F_DUPFD_CLOEXEC, 3));
    ASSERT_TRUE(donor.listening.back());
  }
  expect_completed(talk(donor, adopter));
  ASSERT_EQ(adopter.inherited.sockets.size(), donor.listening.size());
  EXPECT_EQ(adopter.inherited.sockets.back().address, "127.0.0.1:" + std::to_string(donor.listening.size() - 1));
}

TEST_F(ConversationTest, ASuccessorOfBeforeIsToldThatThereAreTooManyListeningSockets) {
  raise_descriptor_limit();
  FakeDonor donor(3);
  const UniqueFd file = new_file();
  for (std::size_t i = 0; i <= limits::sockets_inherited_of_old; ++i) {
    donor.listening.emplace_back(::fcntl(file.get(), F_DUPFD_CLOEXEC, 3));
  }
  Pair pair = socket_pair();
  std::string told;
  std::jthread successor([&] {
    Channel channel(std::move(pair.other));
    (void)channel.receive(soon());
    wire::Hello hello = make_hello({8, 4243, "0.1.0"}, {});
    hello.clear_sockets_max();
    (void)send_record(channel, Kind::hello, hello, soon());
    if (auto frame = channel.receive(soon())) told = unexpected_frame(*frame, Kind::inherit).text;
  });
  const HandoverOutcome outcome = hand_over(std::move(pair.one), donor, predecessor_terms);
  successor.join();
  EXPECT_EQ(outcome.ending, Ending::rolled_back);
  EXPECT_EQ(outcome.reason, "the successor takes at most 4096 listening sockets, and there are 4097");
  EXPECT_EQ(told, outcome.reason);
  EXPECT_EQ(donor.calls, std::vector<std::string>());
}

// Places are kept for what is still to come, and the report says what stayed.
TEST_F(ConversationTest, TheSuccessorKnowsHowMuchIsStillToComeAndThePredecessorHowMuchDidNot) {
  FakeDonor donor(10);
  donor.still_there = {.connections = 10, .descriptors = 15};
  donor.stays = {.connections = 2, .at_most = milliseconds(1500)};
  FakeAdopter adopter;
  const auto outcomes = talk(donor, adopter);
  expect_completed(outcomes);
  EXPECT_EQ(adopter.expectations, (std::vector<Remaining>{{10, 15}, {}, {}})) << "nothing after Done, and at the end";
  EXPECT_EQ(adopter.calls_before_first_expectation, 1u) << "inherit, but not accept";
  for (const Report& report : {outcomes.predecessor.report, adopter.report}) {
    EXPECT_EQ(report.left_behind, 2u);
    EXPECT_EQ(report.left_behind_ms, 1500u);
  }
}

TEST_F(ConversationTest, NothingToMoveIsACompleteHandover) {
  FakeDonor donor(0);
  FakeAdopter adopter;
  expect_completed(talk(donor, adopter));
}

// One connection can be frozen long after all others; the donor signals it by its wake descriptor.
TEST_F(ConversationTest, TheDonorIsAskedAgainWhenItWakes) {
  class SlowDonor : public FakeDonor {
   public:
    using FakeDonor::FakeDonor;
    Batch freeze_next(const Room& room) override {
      if (turn_++ % 2 == 0) {
        (void)FakeDonor::freeze_next({0, 0, 0});
        waker_ = std::jthread([this] { ::eventfd_write(wake.get(), 1); });
        return {};
      }
      return FakeDonor::freeze_next(room);
    }

   private:
    int turn_ = 0;
    std::jthread waker_;
  };
  SlowDonor donor(20, 4);
  FakeAdopter adopter;
  expect_completed(talk(donor, adopter));
  EXPECT_EQ(donor.with(&FakeDonor::Fate::adopted).size(), 20u);
}

TEST_F(ConversationTest, WhatIsCalledOffBeforeAnythingIsAdoptedIsRolledBack) {
  FakeDonor donor(3);
  donor.call_off = [] { return std::optional<std::string>("told to stop by a signal"); };
  FakeAdopter adopter;
  const auto outcomes = talk(donor, adopter);
  EXPECT_EQ(outcomes.predecessor.ending, Ending::rolled_back);
  EXPECT_EQ(outcomes.predecessor.reason, "told to stop by a signal");
  EXPECT_EQ(outcomes.successor.ending, Succession::failed);
  EXPECT_EQ(donor.calls.size(), 0u);
}

TEST_F(ConversationTest, ALaterCallIsTooLate) {
  FakeDonor donor(30, 5);
  donor.call_off = [&]() -> std::optional<std::string> {
    return donor.with(&FakeDonor::Fate::adopted).empty() ? std::nullopt : std::optional<std::string>("too late");
  };
  FakeAdopter adopter;
  expect_completed(talk(donor, adopter));
}

TEST_F(ConversationTest, WhyTheSuccessorRefusesIsThePredecessorsReason) {
  FakeDonor donor(3);
  FakeAdopter adopter;
  adopter.refusal = Error{Fault::refused, "baton.yaml:3:5: unknown key"};
  const auto outcomes = talk(donor, adopter);
  EXPECT_EQ(outcomes.predecessor.ending, Ending::rolled_back);
  EXPECT_NE(outcomes.predecessor.reason.find("baton.yaml:3:5: unknown key"), std::string::npos);
  EXPECT_EQ(outcomes.successor.ending, Succession::failed);
  EXPECT_EQ(donor.count("stop_accepting"), 0);
  EXPECT_EQ(adopter.count("accept"), 0);
}

TEST_F(ConversationTest, ASuccessorThatCannotGetTheLockGivesTheRoleBack) {
  FakeDonor donor(10);
  FakeAdopter adopter;
  adopter.lock_is_free = false;
  const auto outcomes = talk(donor, adopter);
  EXPECT_EQ(outcomes.predecessor.ending, Ending::rolled_back);
  EXPECT_EQ(outcomes.successor.ending, Succession::orphaned);
  EXPECT_EQ(donor.calls, (std::vector<std::string>{"stop_accepting", "resign", "reclaim", "accept_again"}));
  EXPECT_TRUE(outcomes.predecessor.successor_serves) << "what was adopted stays the successor's";
}

// ── Exceptions from the parties ───────────────────────────────────────────────────────────────────────────────────

// Fails once for lack of memory, a thread or a descriptor.
class Shortage {
 public:
  explicit Shortage(std::string at) : at_(std::move(at)) {}
  void come_to(const char* call) {
    if (at_ != call) return;
    at_.clear();
    throw std::bad_alloc();
  }

 private:
  std::string at_;
};

class ThrowingDonor final : public FakeDonor {
 public:
  explicit ThrowingDonor(std::string at) : FakeDonor(20, 5), shortage_(std::move(at)) {}
  Estate estate() override { return shortage_.come_to("estate"), FakeDonor::estate(); }
  void stop_accepting(const std::vector<std::string>& taken) override {
    shortage_.come_to("stop_accepting");
    FakeDonor::stop_accepting(taken);
  }
  Batch freeze_next(const Room& room) override {
    if (!fates.empty()) shortage_.come_to("freeze_next");
    return FakeDonor::freeze_next(room);
  }
  void adopted(std::span<const ParcelId> ids) override { shortage_.come_to("adopted"), FakeDonor::adopted(ids); }
  void take_back(std::span<const ParcelId> ids) override { shortage_.come_to("take_back"), FakeDonor::take_back(ids); }
  void accept_again() override { shortage_.come_to("accept_again"), FakeDonor::accept_again(); }
  std::string resign() override { return shortage_.come_to("resign"), FakeDonor::resign(); }

 private:
  Shortage shortage_;
};

class ThrowingAdopter final : public FakeAdopter {
 public:
  explicit ThrowingAdopter(std::string at) : shortage_(std::move(at)) {}
  Result<std::vector<std::string>> inherit(Inheritance inheritance) override {
    return shortage_.come_to("inherit"), FakeAdopter::inherit(std::move(inheritance));
  }
  void accept() override { shortage_.come_to("accept"), FakeAdopter::accept(); }
  std::vector<Verdict> prepare(std::vector<ReceivedParcel> parcels) override {
    auto verdicts = FakeAdopter::prepare(std::move(parcels));
    return shortage_.come_to("prepare"), verdicts;
  }
  void start(std::span<const ParcelId> ids) override { shortage_.come_to("start"), FakeAdopter::start(ids); }
  void drop(std::span<const ParcelId> ids) override { shortage_.come_to("drop"), FakeAdopter::drop(ids); }
  Result<void> take_over(const std::string& bytes, const Report& what) override {
    return shortage_.come_to("take_over"), FakeAdopter::take_over(bytes, what);
  }

 private:
  Shortage shortage_;
};

TEST_F(ConversationTest, WhatTheDonorThrowsEndsTheAttemptAndNothingElse) {
  for (const char* at : {"estate", "stop_accepting", "freeze_next", "resign"}) {
    SCOPED_TRACE(at);
    ThrowingDonor donor(at);
    FakeAdopter adopter;
    const Outcomes outcomes = talk(donor, adopter);
    EXPECT_EQ(outcomes.predecessor.ending, Ending::rolled_back);
    EXPECT_EQ(outcomes.predecessor.reason, std::bad_alloc().what());
    EXPECT_NE(outcomes.successor.ending, Succession::completed);
    EXPECT_EQ(outcomes.predecessor.successor_serves,
              at != std::string("estate") && at != std::string("stop_accepting"));
  }
}

TEST_F(ConversationTest, WhatTheAdopterThrowsEndsTheAttemptAndNothingElse) {
  for (const char* at : {"inherit", "accept", "prepare", "take_over"}) {
    SCOPED_TRACE(at);
    FakeDonor donor(20, 5);
    ThrowingAdopter adopter(at);
    const Outcomes outcomes = talk(donor, adopter);
    EXPECT_EQ(outcomes.predecessor.ending, Ending::rolled_back);
    EXPECT_THAT(outcomes.predecessor.reason, testing::HasSubstr(std::bad_alloc().what()));
    EXPECT_NE(outcomes.successor.ending, Succession::completed);
  }
}

// What is frozen, adopted or prepared while memory is briefly short is not forgotten.
TEST_F(ConversationTest, WhatMustBeDoneIsDoneOnceThereIsMemoryAgain) {
  for (const char* at : {"adopted", "start"}) {
    SCOPED_TRACE(at);
    ThrowingDonor donor(at);
    ThrowingAdopter adopter(at);
    expect_completed(talk(donor, adopter));
  }
  for (const char* at : {"take_back", "accept_again", "drop"}) {
    SCOPED_TRACE(at);
    ThrowingDonor donor(at);
    ThrowingAdopter adopter(at);
    adopter.while_preparing = [] { throw std::runtime_error("no thread"); };
    const Outcomes outcomes = talk(donor, adopter);
    EXPECT_EQ(donor.with(&FakeDonor::Fate::taken_back).size(), donor.fates.size());
    EXPECT_EQ(donor.count("accept_again"), 1);
  }
}

}  // namespace
}  // namespace baton::handoff
