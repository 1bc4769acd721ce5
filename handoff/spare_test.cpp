// A side of a conversation dies, and another process that has its descriptors goes on for it in the spare. Nothing is
// lost or there twice, wherever it died.
#include <thread>

#include "handoff/estate.hpp"
#include "handoff/predecessor.hpp"
#include "handoff/successor.hpp"
#include "handoff/testing/parties.hpp"
#include "handoff/testing/script.hpp"

namespace baton::handoff {
namespace {

using namespace test;
using std::chrono::milliseconds;

constexpr milliseconds patient{20'000};
constexpr std::size_t parcels = 10;  // 100 to 109

std::set<ParcelId> all() {
  std::set<ParcelId> ids;
  for (ParcelId id = 100; id < 100 + parcels; ++id) ids.insert(id);
  return ids;
}

// ── A predecessor that dies ───────────────────────────────────────────────────────────────────────────────────────

// How far the predecessor has come.
enum class Death {
  after_inherit,
  after_listen,
  after_an_offer,
  within_an_offer,
  with_an_answer_unread,
  after_an_answer
};
constexpr Death deaths[] = {Death::after_inherit,   Death::after_listen,          Death::after_an_offer,
                            Death::within_an_offer, Death::with_an_answer_unread, Death::after_an_answer};

class SpareOfAPredecessor : public testing::TestWithParam<Death> {
 protected:
  // Plays the predecessor up to its death. The keeper's donor freezes what that has offered, as its keeper would.
  void play(Death death, Channel& channel) {
    ASSERT_TRUE(send_record(channel, Kind::hello, make_hello({7, 1, "1"}, {}), soon()));
    expect_frame(channel, Kind::hello);
    Pair pair = socket_pair();
    spare = std::move(pair.one);
    Estate estate;
    estate.sockets.push_back({"@spare", "", pair.other.get()});
    ASSERT_TRUE(send_estate(channel, estate, soon()));
    pair.other.reset();
    if (death == Death::after_inherit) return;
    expect_frame(channel, Kind::ready);
    ASSERT_TRUE(send_record(channel, Kind::listen, wire::Listen{}, soon()));
    if (death == Death::after_listen) return;
    expect_frame(channel, Kind::listening);
    if (death == Death::within_an_offer) {
      write_raw(channel.descriptor(), RawFrame::honest(Kind::offer, std::string(100, 'x')).bytes().substr(0, 60));
      return;
    }
    send_offer(channel, donor.freeze_next({.connections = 4, .descriptors = 100, .bytes = 1 << 20}));
    donor.thaw();
    if (death == Death::after_an_offer) return;
    // It is in the channel, whether or not it is read.
    channel.wait({}, soon());
    if (death == Death::after_an_answer) expect_frame(channel, Kind::adopted);
  }

  FakeDonor donor{parcels};
  FakeAdopter adopter;
  UniqueFd spare;
};

TEST_P(SpareOfAPredecessor, BringsTheSuccessorAllOfIt) {
  Pair pair = socket_pair();
  Channel channel(std::move(pair.one));
  SuccessionOutcome succession;
  std::jthread successor(
      [&] { succession = succeed(std::move(pair.other), adopter, {.version = "2", .features = {}}); });
  play(GetParam(), channel);
  const HandoverOutcome outcome =
      resume_handover(std::move(spare), channel.descriptor(), donor,
                      {.self = {7, 1, "1"}, .features = {}, .ready_timeout = patient, .step_timeout = patient});
  successor.join();
  EXPECT_EQ(outcome.ending, Ending::completed) << outcome.reason;
  EXPECT_EQ(succession.ending, Succession::completed) << succession.reason;
  EXPECT_EQ(donor.with(&FakeDonor::Fate::adopted), all());
  donor.expect_one_answer_each();
  EXPECT_EQ(adopter.count("accept"), 1);
  for (const ParcelId id : all()) {
    EXPECT_EQ(adopter.fates[id].started, 1) << id;
    expect_on_far_end(donor, id, true);
  }
}

INSTANTIATE_TEST_SUITE_P(Each, SpareOfAPredecessor, testing::ValuesIn(deaths));

TEST(Spare, WithNothingInItIsTheEnd) {
  Pair pair = socket_pair();
  FakeAdopter adopter;
  SuccessionOutcome succession;
  {
    std::jthread successor(
        [&] { succession = succeed(std::move(pair.other), adopter, {.version = "2", .features = {}}); });
    Channel channel(std::move(pair.one));
    ASSERT_TRUE(send_record(channel, Kind::hello, make_hello({7, 1, "1"}, {}), soon()));
    expect_frame(channel, Kind::hello);
    Pair spare = socket_pair();
    Estate estate;
    estate.sockets.push_back({"@spare", "", spare.other.get()});
    ASSERT_TRUE(send_estate(channel, estate, soon()));
    expect_frame(channel, Kind::ready);
    ASSERT_TRUE(send_record(channel, Kind::listen, wire::Listen{}, soon()));
    expect_frame(channel, Kind::listening);
    channel.shut_down();
    successor.join();
  }
  EXPECT_EQ(succession.ending, Succession::orphaned);
}

// The predecessor has offers under way, and dies before it reads that everything has come back.
TEST(Spare, IsHeardByASuccessorThatHasGivenEverythingBack) {
  FakeDonor ours{parcels}, theirs{0};
  FakeAdopter adopter;
  const Probation probation{.donor = [&]() -> Donor& { return theirs; },
                            .conduct = [](bool) { return Conduct(); },
                            .called_off = [] { return std::nullopt; }};
  Pair pair = socket_pair(), spare = socket_pair();
  Channel channel(std::move(pair.one));
  SuccessionOutcome succession;
  std::jthread successor(
      [&] { succession = succeed(std::move(pair.other), adopter, {.version = "2", .features = {}}, &probation); });
  wire::Hello hello = make_hello({7, 1, "1"}, {});
  hello.set_returns(true);
  ASSERT_TRUE(send_record(channel, Kind::hello, hello, soon()));
  expect_frame(channel, Kind::hello);
  Estate estate;
  estate.sockets.push_back({"@spare", "", spare.other.get()});
  ASSERT_TRUE(send_estate(channel, estate, soon()));
  spare.other.reset();
  expect_frame(channel, Kind::ready);
  ASSERT_TRUE(send_record(channel, Kind::listen, wire::Listen{}, soon()));
  expect_frame(channel, Kind::listening);
  ASSERT_TRUE(send_record(channel, Kind::recall, wire::Recall{}, soon()));
  expect_frame(channel, Kind::returning);
  send_offer(channel, ours.freeze_next({.connections = 4, .descriptors = 100, .bytes = 1 << 20}));
  ours.thaw();
  expect_frame(channel, Kind::returned);
  const HandoverOutcome outcome = resume_handover(
      std::move(spare.one), channel.descriptor(), ours,
      {.self = {7, 1, "1"}, .features = {}, .ready_timeout = patient, .step_timeout = patient});
  successor.join();
  EXPECT_EQ(outcome.ending, Ending::completed) << outcome.reason;
  EXPECT_EQ(succession.ending, Succession::completed) << succession.reason;
  EXPECT_EQ(adopter.with(&FakeAdopter::Fate::started), all());
  EXPECT_EQ(theirs.count("accept_again"), 1);
  EXPECT_EQ(adopter.count("accept"), 2) << "it had stopped";
}

// ── A successor that dies ─────────────────────────────────────────────────────────────────────────────────────────

class SpareOfASuccessor : public testing::Test {
 protected:
  // `from_there` plays the successor after Listening up to its death; then its keeper gives back `theirs`.
  void run(const std::function<void(SuccessorScript&)>& from_there) {
    Pair pair = socket_pair();
    std::jthread successor([&] {
      SuccessorScript script(std::move(pair.other));
      script.hello(true);
      UniqueFd spare = inherit_spare(script.channel);
      script.send(Kind::ready, wire::Ready{});
      script.listening();
      from_there(script);
      given = give_back_for(std::move(spare), script.channel.descriptor(), theirs, "it died", patient);
    });
    outcome = hand_over(std::move(pair.one), ours,
                        {.self = {7, 1, "1"},
                         .features = {},
                         .ready_timeout = patient,
                         .step_timeout = patient,
                         .return_timeout = patient},
                        &returns);
    successor.join();
    EXPECT_EQ(outcome.ending, Ending::rolled_back);
    EXPECT_TRUE(given) << given.error().text;
    ours.expect_one_answer_each();
    theirs.expect_one_answer_each();
    EXPECT_EQ(theirs.with(&FakeDonor::Fate::adopted), all());
  }
  static UniqueFd inherit_spare(Channel& channel) {
    UniqueFd spare;
    for (bool last = false; !last;) {
      Frame frame = expect_frame(channel, Kind::inherit);
      const auto inherit = parse<wire::Inherit>(frame);
      last = !inherit || inherit->last();
      for (int i = 0; inherit && i < inherit->sockets_size(); ++i) {
        if (inherit->sockets(i).name() == "@spare") spare = std::move(frame.descriptors[static_cast<std::size_t>(i)]);
      }
    }
    return spare;
  }

  FakeDonor ours{parcels};    // 100 to 109, as the predecessor has them
  FakeDonor theirs{parcels};  // the same, as the successor's keeper finds them
  FakeAdopter returns;
  HandoverOutcome outcome;
  Result<void> given;
};

TEST_F(SpareOfASuccessor, GivesBackWhatItHadTaken) {
  run([](SuccessorScript& script) { script.adopt(script.offer()); });
  EXPECT_EQ(ours.with(&FakeDonor::Fate::adopted), all());
  EXPECT_EQ(returns.with(&FakeAdopter::Fate::started), all());
}

// Its keeper cannot know that the answer was never sent.
TEST_F(SpareOfASuccessor, GivesNothingTwiceThatWasOnlyPrepared) {
  run([](SuccessorScript& script) { script.offer(); });
  EXPECT_EQ(ours.with(&FakeDonor::Fate::taken_back), all());
  EXPECT_TRUE(returns.fates.empty());
}

TEST_F(SpareOfASuccessor, IsHeardAfterHalfAnAnswer) {
  run([](SuccessorScript& script) {
    script.offer();
    write_raw(script.channel.descriptor(),
              RawFrame::honest(Kind::adopted, std::string(100, 'x')).bytes().substr(0, 60));
  });
  EXPECT_EQ(ours.with(&FakeDonor::Fate::taken_back), all());
  EXPECT_TRUE(returns.fates.empty());
}

TEST_F(SpareOfASuccessor, IsHeardAfterDone) {
  run([](SuccessorScript& script) {
    script.adopt(script.offer());
    expect_frame(script.channel, Kind::done);
  });
  EXPECT_EQ(ours.calls, (std::vector<std::string>{"stop_accepting", "resign", "reclaim", "accept_again"}));
  EXPECT_EQ(returns.with(&FakeAdopter::Fate::started), all());
}

}  // namespace
}  // namespace baton::handoff
