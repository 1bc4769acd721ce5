// A predecessor fails at each step in every way: the successor starts only what is named in an Adopted written whole to
// the channel, drops the rest once, and accepts nothing before Listen.
#include <thread>

#include "handoff/successor.hpp"
#include "handoff/testing/parties.hpp"
#include "handoff/testing/script.hpp"

namespace baton::handoff {
namespace {

using namespace test;
using std::chrono::milliseconds;
using Fate = FakeAdopter::Fate;

// The predecessor as a script that behaves correctly up to a step.
class Script {
 public:
  explicit Script(UniqueFd socket) : channel(std::move(socket)), donor(9, 3) {}

  void hello() {
    send(Kind::hello, make_hello({7, 4711, "script"}, {}));
    expect_frame(channel, Kind::hello);
  }
  void inherit() {
    wire::Inherit inherit;
    inherit.add_sockets()->set_address("127.0.0.1:80");
    inherit.set_last(true);
    const UniqueFd file = new_file();
    const int number = file.get();
    (void)send_record(channel, Kind::inherit, inherit, soon(), {&number, 1});
    expect_frame(channel, Kind::ready);
  }
  void listen() {
    send(Kind::listen, wire::Listen{});
    expect_frame(channel, Kind::listening);
  }
  // Offers three more parcels without waiting for the answer.
  void offer() {
    send_offer(channel, donor.freeze_next({3, limits::batch_descriptors_max, limits::parcel_bytes_max}));
  }
  void done() {
    wire::Done done;
    done.set_application("last counters");
    send(Kind::done, done);
  }
  void send(Kind kind, const google::protobuf::MessageLite& record) {
    (void)send_record(channel, kind, record, soon());
  }

  Channel channel;
  FakeDonor donor;
};

enum class Step { hello, inherit, listen, offer, done };
constexpr Kind kinds[] = {Kind::hello, Kind::inherit, Kind::listen, Kind::offer, Kind::done};

struct Row {
  Step step;
  Way way;
  bool with_large_parcel = false;
};

// Three parcels are adopted before `offer` and `done` go wrong.
void fail_at(Row row, Script& script) {
  if (row.step > Step::hello) script.hello();
  if (row.step > Step::inherit) script.inherit();
  if (row.step > Step::listen) script.listen();
  if (row.step > Step::listen) {
    script.offer();
    expect_frame(script.channel, Kind::adopted);
  }
  misbehave(std::move(script.channel), kinds[static_cast<int>(row.step)], row.way);
}

class PredecessorThat : public ::testing::TestWithParam<Row> {};

TEST_P(PredecessorThat, LeavesTheSuccessorWithWhatItHasAdopted) {
  const Row row = GetParam();
  const std::size_t before = open_descriptors();
  {
    FakeAdopter adopter;
    Pair pair = socket_pair();
    Script script(std::move(pair.one));
    if (row.with_large_parcel) adopter.shape = [](ParcelId id) { return id == 101 ? large : small(id); };
    script.donor.shape = adopter.shape;
    std::jthread running([&] { fail_at(row, script); });
    const bool hangs = row.way == Way::hangs;
    const auto outcome = succeed(std::move(pair.other), adopter,
                                 {.version = "s", .features = {}, .hello_timeout = milliseconds(hangs ? 100 : 20'000)});
    running.join();

    const bool before_ready = row.step <= Step::inherit;
    // A wrong frame in place of Listen shows that the predecessor is alive.
    const bool refused_listen = row.step == Step::listen && (row.way == Way::other_kind || row.way == Way::aborts);
    EXPECT_EQ(outcome.ending, before_ready || refused_listen ? Succession::failed : Succession::orphaned)
        << outcome.reason;
    EXPECT_FALSE(outcome.reason.empty());
    if (row.way == Way::aborts) {
      EXPECT_NE(outcome.reason.find("I do not like this"), std::string::npos);
    }

    EXPECT_EQ(adopter.count("inherit"), before_ready ? 0 : 1);
    EXPECT_EQ(adopter.count("accept"), row.step > Step::listen ? 1 : 0);
    EXPECT_EQ(adopter.count("take_over"), 0);
    adopter.expect_one_end_each();
    EXPECT_EQ(adopter.with(&Fate::started).size(), row.step > Step::listen ? 3u : 0u);
    EXPECT_EQ(adopter.with(&Fate::dropped).size(), 0u);
    for (const auto& [id, fate] : script.donor.fates)
      expect_on_far_end(script.donor, id, adopter.fates[id].started == 1);
  }
  EXPECT_EQ(open_descriptors(), before);
}

std::vector<Row> rows() {
  std::vector<Row> all;
  for (const Step step : {Step::hello, Step::inherit, Step::listen, Step::offer, Step::done}) {
    for (const Way way : all_ways) {
      // Closing without reading makes a difference only if the successor has sent something.
      if (way == Way::unreadable && step == Step::listen) continue;
      // After Ready only the predecessor has a time limit: it may wait long for a request to finish.
      if (way == Way::hangs && step > Step::inherit) continue;
      all.push_back({step, way});
    }
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Each, PredecessorThat, ::testing::ValuesIn(rows()), [](const auto& row) {
  return std::string(name_of(row.param.way)) + "InsteadOf" + kind_name(kinds[static_cast<int>(row.param.step)]);
});

std::vector<Row> rows_with_a_large_parcel() {
  std::vector<Row> all;
  for (Row row : rows()) {
    row.with_large_parcel = true;
    if (row.step > Step::listen) all.push_back(row);
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(WithALargeParcel, PredecessorThat, ::testing::ValuesIn(rows_with_a_large_parcel()),
                         [](const auto& row) {
                           return std::string(name_of(row.param.way)) + "InsteadOf" +
                                  kind_name(kinds[static_cast<int>(row.param.step)]);
                         });

// ── Giving up at the moment of an Adopted ─────────────────────────────────────────────────────────────────────────

class GivingUp : public ::testing::Test {
 protected:
  // The conversation up to Listening, then `from_there`.
  SuccessionOutcome succeed_after(const std::function<void()>& from_there) {
    std::jthread running([&] {
      script.hello();
      script.inherit();
      script.listen();
      from_there();
    });
    return succeed(std::move(pair.other), adopter, {.version = "s", .features = {}});
  }

  Pair pair = socket_pair();
  Script script{std::move(pair.one)};
  FakeAdopter adopter;
};

TEST_F(GivingUp, WhileASuccessorPreparesMakesItDropTheBatchOnce) {
  adopter.while_preparing = [&] { script.channel.shut_down(); };
  EXPECT_EQ(succeed_after([&] { script.offer(); }).ending, Succession::orphaned);
  EXPECT_EQ(adopter.with(&Fate::dropped).size(), 3u);
  EXPECT_EQ(adopter.with(&Fate::started).size(), 0u);
  adopter.expect_one_end_each();
  for (const auto& [id, fate] : script.donor.fates) expect_on_far_end(script.donor, id, false);
}

TEST_F(GivingUp, BeforeAnOfferIsReadMakesNoDifference) {
  adopter.when_accepting = [] {};
  const auto outcome = succeed_after([&] {
    script.offer();
    script.offer();
    script.channel.shut_down();
  });
  EXPECT_EQ(outcome.ending, Succession::orphaned);
  adopter.expect_one_end_each();
  for (const auto& [id, fate] : adopter.fates) expect_on_far_end(script.donor, id, fate.started == 1);
}

TEST_F(GivingUp, ABatchWithRefusalsDropsOnlyWhatWasNotRefused) {
  adopter.judge = [](ParcelId id) { return id == 101 ? Verdict("no") : std::nullopt; };
  adopter.while_preparing = [&] { script.channel.shut_down(); };
  succeed_after([&] { script.offer(); });
  EXPECT_EQ(adopter.with(&Fate::dropped), (std::set<ParcelId>{100, 102}));
}

TEST_F(GivingUp, AfterDoneIsNoMatterOnceTheLockIsTaken) {
  EXPECT_EQ(succeed_after([&] {
              script.done();
              script.channel.shut_down();
            }).ending,
            Succession::completed);
  EXPECT_EQ(adopter.application, "last counters");
}

TEST_F(GivingUp, AfterDoneWithTheLockTakenBackIsTheEndOfTheSuccession) {
  adopter.lock_is_free = false;
  EXPECT_EQ(succeed_after([&] { script.done(); }).ending, Succession::orphaned);
}

// ── False Offers and inheritances ─────────────────────────────────────────────────────────────────────────────────

struct LyingOffer {
  const char* name;
  std::vector<ParcelId> ids;
  std::uint32_t descriptors_named;   // by each parcel; one came for each
  std::uint32_t secret_bytes_named;  // by each parcel; one byte came for each
  std::size_t payload_bytes = 1;
};

class OfferThat : public ::testing::TestWithParam<LyingOffer> {};

TEST_P(OfferThat, IsBelievedInNothing) {
  const LyingOffer& lie = GetParam();
  const std::size_t before = open_descriptors();
  {
    FakeAdopter adopter;
    Pair pair = socket_pair();
    std::jthread running([&] {
      Script script(std::move(pair.one));
      script.hello();
      script.inherit();
      script.listen();
      wire::Offer offer;
      const UniqueFd file = new_file();
      for (const ParcelId id : lie.ids) {
        auto& parcel = *offer.add_parcels();
        parcel.set_id(id);
        parcel.set_descriptors(lie.descriptors_named);
        parcel.set_secret_bytes(lie.secret_bytes_named);
        parcel.set_payload(std::string(lie.payload_bytes, 'p'));
      }
      const std::vector<int> descriptors(lie.ids.size(), file.get());
      (void)send_record(script.channel, Kind::offer, offer, soon(), descriptors,
                        SecretBytes(std::string(lie.ids.size(), 's')));
      EXPECT_EQ(script.channel.receive(soon())->kind, Kind::abort) << "the predecessor hears why";
    });
    EXPECT_EQ(succeed(std::move(pair.other), adopter, {.version = "s", .features = {}}).ending, Succession::orphaned);
    EXPECT_TRUE(adopter.fates.empty());
  }
  EXPECT_EQ(open_descriptors(), before);
}

INSTANTIATE_TEST_SUITE_P(
    Each, OfferThat,
    ::testing::Values(LyingOffer{"NamesTooManyDescriptors", {1, 2}, 2, 1},
                      LyingOffer{"NamesTooFewDescriptors", {1, 2}, 0, 1},
                      LyingOffer{"NamesAlmostEndlessDescriptors", {1, 2}, UINT32_MAX, 1},
                      LyingOffer{"NamesTooManySecrets", {1, 2}, 1, 2}, LyingOffer{"NamesTooFewSecrets", {1, 2}, 1, 0},
                      LyingOffer{"NamesAlmostEndlessSecrets", {1, 2}, 1, UINT32_MAX},
                      LyingOffer{"OffersAParcelTwice", {1, 1}, 1, 1},
                      LyingOffer{"OffersAParcelOverTheLimit", {1}, 1, 1, limits::parcel_bytes_max + 1}),
    [](const auto& row) { return std::string(row.param.name); });

class LyingInheritance : public ::testing::TestWithParam<std::pair<int, bool>> {};

TEST_P(LyingInheritance, IsRefused) {
  const int sockets = GetParam().first;  // as named; one descriptor comes
  const bool executable = GetParam().second;
  FakeAdopter adopter;
  Pair pair = socket_pair();
  std::jthread running([&] {
    Script script(std::move(pair.one));
    script.hello();
    wire::Inherit inherit;
    for (int i = 0; i < sockets; ++i) inherit.add_sockets();
    inherit.set_executable(executable);
    inherit.set_last(true);
    const int number = STDIN_FILENO;
    (void)send_record(script.channel, Kind::inherit, inherit, soon(), {&number, 1});
    EXPECT_EQ(script.channel.receive(soon())->kind, Kind::abort);
  });
  EXPECT_EQ(succeed(std::move(pair.other), adopter, {.version = "s", .features = {}}).ending, Succession::failed);
  EXPECT_TRUE(adopter.calls.empty());
}

INSTANTIATE_TEST_SUITE_P(OfOneDescriptor, LyingInheritance,
                         ::testing::Values(std::pair{0, false}, std::pair{2, false}, std::pair{1, true},
                                           std::pair{2, true}));

TEST(Inheritance, WhoseDescriptorsWereLostIsRefused) {
  FakeAdopter adopter;
  Pair pair = socket_pair();
  std::optional<FewDescriptors> few;
  std::jthread running([&] {
    Script script(std::move(pair.one));
    script.hello();
    wire::Inherit inherit;
    for (int i = 0; i < 20; ++i) inherit.add_sockets();
    inherit.set_last(true);
    const std::vector<int> numbers(20, STDIN_FILENO);
    few.emplace(3);
    (void)send_record(script.channel, Kind::inherit, inherit, soon(), numbers);
    const auto abort = expect_record<wire::Abort>(script.channel, Kind::abort);
    EXPECT_NE(abort.text().find("ulimit -n"), std::string::npos);
  });
  EXPECT_EQ(succeed(std::move(pair.other), adopter, {.version = "s", .features = {}}).ending, Succession::failed);
  running.join();
  EXPECT_TRUE(adopter.calls.empty());
}

}  // namespace
}  // namespace baton::handoff
