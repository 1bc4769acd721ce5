// A successor fails at each step in every way: the predecessor owns exactly what was not adopted, accepts again iff it
// had stopped, and reports why.
#include <sys/timerfd.h>

#include <future>
#include <thread>

#include "handoff/predecessor.hpp"
#include "handoff/testing/parties.hpp"
#include "handoff/testing/script.hpp"

namespace baton::handoff {
namespace {

using namespace test;
using std::chrono::milliseconds;
using Fate = FakeDonor::Fate;

enum class Step { hello, ready, listening, adopted, bye };
constexpr Kind kinds[] = {Kind::hello, Kind::ready, Kind::listening, Kind::adopted, Kind::bye};

struct Row {
  Step step;
  Way way;
  ParcelId large = 0;  // this one and the next are; the first five go with the first batch
  bool reads(Step other) const { return step > other || (step == other && way != Way::closes_without_reading); }
};

// Ten parcels in two batches. At `adopted` the first five are adopted, and the failure comes at the next Offer.
void fail_at(Row row, UniqueFd socket) {
  SuccessorScript script(std::move(socket));
  Channel& channel = script.channel;
  if (row.step > Step::hello) {
    script.hello();
  } else if (row.reads(Step::hello)) {
    expect_frame(channel, Kind::hello);
  }
  if (row.step > Step::ready) {
    script.ready();
  } else if (row.step == Step::ready && row.reads(Step::ready)) {
    expect_frame(channel, Kind::inherit);
  }
  if (row.step > Step::listening) {
    script.listening();
  } else if (row.step == Step::listening && row.reads(Step::listening)) {
    expect_frame(channel, Kind::listen);
  }
  if (row.step >= Step::adopted) {
    script.adopt(5);
    if (row.step > Step::adopted) {
      script.adopt(5);
    } else if (row.reads(Step::adopted)) {
      script.offer();
    }
  }
  if (row.step == Step::bye && row.reads(Step::bye)) expect_frame(channel, Kind::done);
  misbehave(std::move(channel), kinds[static_cast<int>(row.step)], row.way);
}

PredecessorTerms terms_for(Row row) {
  const bool hangs = row.way == Way::hangs;
  const milliseconds patient(20'000), impatient(1'000);
  return {.self = {7, 1, "p"},
          .features = {},
          .ready_timeout = hangs && row.step <= Step::ready ? impatient : patient,
          .step_timeout = hangs && row.step > Step::ready ? impatient : patient};
}

class SuccessorThat : public ::testing::TestWithParam<Row> {};

TEST_P(SuccessorThat, LeavesThePredecessorWithAllThatWasNotAdopted) {
  const Row row = GetParam();
  const std::size_t before = open_descriptors();
  for (const bool lock_is_free : {true, false}) {
    if (!lock_is_free && row.step != Step::bye) continue;
    FakeDonor donor(10, 5);
    donor.lock_is_free = lock_is_free;
    donor.shape = [&](ParcelId id) { return row.large != 0 && id - row.large < 2 ? large : small(id); };
    Pair pair = socket_pair();
    std::jthread script([&] { fail_at(row, std::move(pair.other)); });
    const HandoverOutcome outcome = hand_over(std::move(pair.one), donor, terms_for(row));
    script.join();

    EXPECT_EQ(outcome.ending, lock_is_free ? Ending::rolled_back : Ending::superseded) << outcome.reason;
    EXPECT_FALSE(outcome.reason.empty());
    if (row.way == Way::aborts) {
      EXPECT_NE(outcome.reason.find("I do not like this"), std::string::npos);
    }

    donor.expect_one_answer_each();
    const std::size_t adopted = row.step < Step::adopted ? 0 : row.step == Step::adopted ? 5 : 10;
    EXPECT_EQ(donor.with(&Fate::adopted).size(), adopted);
    EXPECT_EQ(donor.with(&Fate::taken_back).size(), donor.fates.size() - adopted);
    EXPECT_EQ(outcome.report.taken_back, donor.fates.size() - adopted);
    EXPECT_EQ(outcome.report.moved_total(), adopted);
    EXPECT_EQ(outcome.successor_serves, adopted != 0);

    const int stopped = row.step > Step::ready ? 1 : 0;
    const int resigned = row.step == Step::bye ? 1 : 0;
    EXPECT_EQ(outcome.had_begun_to_move, stopped == 1);
    EXPECT_EQ(donor.count("stop_accepting"), stopped);
    EXPECT_EQ(donor.count("accept_again"), lock_is_free ? stopped : 0);
    EXPECT_EQ(donor.count("resign"), resigned);
    EXPECT_EQ(donor.count("reclaim"), resigned);
  }
  EXPECT_EQ(open_descriptors(), before);
}

std::vector<Row> rows() {
  std::vector<Row> all;
  for (const Step step : {Step::hello, Step::ready, Step::listening, Step::adopted, Step::bye}) {
    for (const Way way : all_ways) {
      // Listening and Bye have no content.
      if (way == Way::unreadable && (step == Step::listening || step == Step::bye)) continue;
      all.push_back({step, way});
    }
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Each, SuccessorThat, ::testing::ValuesIn(rows()), [](const auto& row) {
  return std::string(name_of(row.param.way)) + "InsteadOf" + kind_name(kinds[static_cast<int>(row.param.step)]);
});

// One large parcel is in flight, or waits until nothing is; a second one waits for the first.
std::vector<Row> rows_with_large_parcels() {
  std::vector<Row> all;
  for (const Row& row : rows()) {
    if (row.step < Step::adopted) continue;
    for (const ParcelId large : {ParcelId{105}, ParcelId{106}}) all.push_back({row.step, row.way, large});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(WithLargeParcels, SuccessorThat, ::testing::ValuesIn(rows_with_large_parcels()),
                         [](const auto& row) {
                           return std::string(name_of(row.param.way)) + "InsteadOf" +
                                  kind_name(kinds[static_cast<int>(row.param.step)]) +
                                  (row.param.large == 105 ? "InFlight" : "Waiting");
                         });

// ── Successors that answer wrongly ────────────────────────────────────────────────────────────────────────────────

class LyingSuccessor : public ::testing::Test {
 protected:
  // Everything up to the first Offer goes well; `from_there` is the rest.
  HandoverOutcome hand_over_to(const std::function<void(SuccessorScript&)>& from_there) {
    return test::hand_over_to(donor, terms, from_there);
  }

  FakeDonor donor{10, 5};
  PredecessorTerms terms{
      .self = {7, 1, "p"}, .features = {}, .ready_timeout = milliseconds(20'000), .step_timeout = milliseconds(20'000)};
};

TEST_F(LyingSuccessor, AnswersForAConnectionThatWasNeverOffered) {
  const auto outcome = hand_over_to([&](SuccessorScript& script) {
    wire::Adopted lie;
    lie.add_taken(999);
    lie.add_taken(script.offer().parcels(0).id());
    script.send(Kind::adopted, lie);
    script.listen_to_the_end();
  });
  EXPECT_EQ(outcome.ending, Ending::rolled_back);
  donor.expect_one_answer_each();
  EXPECT_EQ(donor.with(&Fate::adopted), (std::set<ParcelId>{100})) << "what it says truly counts";
}

TEST_F(LyingSuccessor, RefusesAConnectionThatWasNeverOffered) {
  const auto outcome = hand_over_to([&](SuccessorScript& script) {
    script.offer();
    wire::Adopted lie;
    lie.add_refused()->set_id(999);
    script.send(Kind::adopted, lie);
    script.listen_to_the_end();
  });
  EXPECT_EQ(outcome.ending, Ending::rolled_back);
  donor.expect_one_answer_each();
}

TEST_F(LyingSuccessor, TakesAConnectionTwice) {
  const auto outcome = hand_over_to([](SuccessorScript& script) {
    wire::Adopted lie;
    const ParcelId id = script.offer().parcels(0).id();
    lie.add_taken(id);
    lie.add_taken(id);
    script.send(Kind::adopted, lie);
    script.listen_to_the_end();
  });
  EXPECT_EQ(outcome.ending, Ending::rolled_back);
  donor.expect_one_answer_each();
}

TEST_F(LyingSuccessor, TakesAndRefusesAConnection) {
  const auto outcome = hand_over_to([](SuccessorScript& script) {
    wire::Adopted lie;
    const ParcelId id = script.offer().parcels(0).id();
    lie.add_taken(id);
    lie.add_refused()->set_id(id);
    script.send(Kind::adopted, lie);
    script.listen_to_the_end();
  });
  EXPECT_EQ(outcome.ending, Ending::rolled_back);
  donor.expect_one_answer_each();
  EXPECT_EQ(donor.with(&Fate::adopted).size(), 1u);
}

TEST_F(LyingSuccessor, AnswersBeforeAnythingWasOffered) {
  FakeDonor slow(0);
  slow.ever_finished = false;
  const auto outcome = test::hand_over_to(slow, terms, [](SuccessorScript& script) {
    wire::Adopted early;
    early.add_taken(100);
    script.send(Kind::adopted, early);
    script.listen_to_the_end();
  });
  EXPECT_EQ(outcome.ending, Ending::rolled_back);
}

// An empty Adopted must not extend the deadline forever: the clients in flight wait.
TEST_F(LyingSuccessor, AnswersForNothingAgainAndAgain) {
  terms.step_timeout = milliseconds(200);
  const auto outcome = hand_over_to([](SuccessorScript& script) {
    while (send_record(script.channel, Kind::adopted, wire::Adopted{}, soon())) script.channel.wait({}, Clock::now());
  });
  EXPECT_EQ(outcome.ending, Ending::rolled_back);
  donor.expect_one_answer_each();
  EXPECT_EQ(donor.with(&Fate::taken_back).size(), donor.fates.size());
}

// The time runs from the first Offer, however many more follow.
TEST_F(LyingSuccessor, AnswersForNothingWhileConnectionsKeepComing) {
  class SteadyDonor : public FakeDonor {
   public:
    SteadyDonor() : FakeDonor(100'000, 1) {
      wake.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
      const itimerspec often{{0, 50'000'000}, {0, 1}};
      ::timerfd_settime(wake.get(), 0, &often, nullptr);
    }
    Batch freeze_next(const Room& room) override { return is_its_turn() ? FakeDonor::freeze_next(room) : Batch{}; }

   private:
    bool is_its_turn() const {
      std::uint64_t expired = 0;
      return ::read(wake.get(), &expired, sizeof expired) > 0;
    }
  };
  SteadyDonor steady;
  terms.step_timeout = milliseconds(300);
  const auto outcome = test::hand_over_to(steady, terms, [&](SuccessorScript& script) { script.listen_to_the_end(); });
  EXPECT_EQ(outcome.ending, Ending::rolled_back);
  EXPECT_LT(steady.fates.size(), 30u);
  steady.expect_one_answer_each();
}

TEST_F(LyingSuccessor, AdoptsEverythingAndIsGoneBeforeItIsHeard) {
  const auto outcome = hand_over_to([](SuccessorScript& script) {
    const wire::Offer first = script.offer(), second = script.offer();
    script.adopt(first);
    script.adopt(second);
  });
  EXPECT_EQ(outcome.ending, Ending::rolled_back) << "the lock is free again";
  EXPECT_EQ(donor.with(&Fate::adopted).size(), 10u) << "the channel decides, not who is alive";
}

// The predecessor found no answer and gives up, but the answer arrives at that very moment.
TEST_F(LyingSuccessor, AdoptsWhileThePredecessorGivesUp) {
  std::promise<void> giving_up, adopted;
  donor.call_off = [&]() -> std::optional<std::string> {
    if (donor.fates.size() < 10) return std::nullopt;
    giving_up.set_value();
    adopted.get_future().wait();
    return "told to stop by a signal";
  };
  const auto outcome = hand_over_to([&](SuccessorScript& script) {
    const wire::Offer first = script.offer();
    script.offer();
    giving_up.get_future().wait();
    script.adopt(first);
    adopted.set_value();
    script.listen_to_the_end();
  });
  EXPECT_EQ(outcome.ending, Ending::rolled_back);
  EXPECT_EQ(donor.with(&Fate::adopted).size(), 5u) << "their Adopted stood in the channel";
  EXPECT_EQ(donor.with(&Fate::taken_back).size(), 5u);
  donor.expect_one_answer_each();
}

TEST_F(LyingSuccessor, SpeaksNoProtocolThatWeSpeak) {
  for (const auto& [least, most] : {std::pair{2u, 9u}, std::pair{0u, 0u}, std::pair{9u, 1u}}) {
    FakeDonor untouched(10);
    Pair pair = socket_pair();
    std::jthread running([&] {
      SuccessorScript script(std::move(pair.other));
      auto hello = make_hello({8, 4711, "script"}, {});
      hello.set_protocol_min(least);
      hello.set_protocol_max(most);
      script.send(Kind::hello, hello);
      script.listen_to_the_end();
    });
    const auto outcome = hand_over(std::move(pair.one), untouched, terms);
    EXPECT_EQ(outcome.ending, Ending::rolled_back);
    EXPECT_NE(outcome.reason.find(std::to_string(least) + " to " + std::to_string(most)), std::string::npos);
    EXPECT_TRUE(untouched.calls.empty());
  }
}

// ── The window ────────────────────────────────────────────────────────────────────────────────────────────────────

struct Window {
  rlim_t descriptor_limit;
  std::size_t parcels;
  std::size_t descriptors_each;
};

class WindowOf : public ::testing::TestWithParam<Window> {};

TEST_P(WindowOf, WhatIsUnderWayIsFilledAndNeverExceeded) {
  const auto [descriptor_limit, parcels, descriptors_each] = GetParam();
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit changed{std::min(descriptor_limit, before.rlim_max), before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &changed);
  const std::size_t most = std::min<std::size_t>(limits::descriptors_in_flight_max, changed.rlim_cur / 2);

  FakeDonor donor(parcels);
  donor.shape = [each = descriptors_each](ParcelId) { return Shape{.descriptors = each}; };
  const milliseconds patient(20'000);
  const PredecessorTerms patient_terms{.self = {}, .features = {}, .ready_timeout = patient, .step_timeout = patient};
  std::size_t most_under_way = 0;
  const auto outcome = hand_over_to(donor, patient_terms, [&](SuccessorScript& script) {
    // Answers nothing while Offers come: they stop when no whole batch of connections is free, or less than a quarter
    // of the descriptors.
    std::vector<wire::Offer> offers;
    std::size_t connections = 0;
    for (std::size_t offered = 0; offered < parcels;) {
      offers.push_back(script.offer());
      const auto count = static_cast<std::size_t>(offers.back().parcels_size());
      EXPECT_LE(count, limits::batch_connections_max);
      connections += count;
      offered += count;
      if (offered < parcels && script.channel.wait({}, Clock::now() + milliseconds(200))) continue;
      for (const wire::Offer& offer : offers) script.adopt(offer);
      const std::size_t descriptors = connections * descriptors_each;
      EXPECT_LE(connections, limits::connections_in_flight_max);
      EXPECT_LE(descriptors, most);
      EXPECT_TRUE(offered == parcels || descriptors + most / 4 > most ||
                  connections + limits::batch_connections_max > limits::connections_in_flight_max)
          << connections << " with " << descriptors << " descriptors";
      most_under_way = std::max(most_under_way, connections);
      offers.clear();
      connections = 0;
    }
    script.finish();
  });
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(outcome.ending, Ending::completed) << outcome.reason;
  EXPECT_GT(most_under_way, std::min(limits::connections_in_flight_max, most / descriptors_each) / 2);
}

INSTANTIATE_TEST_SUITE_P(Each, WindowOf,
                         ::testing::Values(Window{560, 200, 8}, Window{4000, 800, 8}, Window{4000, 800, 1}));

}  // namespace
}  // namespace baton::handoff
