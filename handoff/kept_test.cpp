// What a keeper finds of connections that are published, changed, in a Step or gone.
#include "handoff/kept.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>
#include <string_view>

#include "handoff/fleet.hpp"

namespace baton::handoff {

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

UniqueFd any_descriptor() {
  return UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC));
}

struct KeptTest : testing::Test {
  // Another process reads it: a pointer or a number of ours would be no help to it.
  std::vector<std::string> payloads_in_another_process() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      std::string all;
      for (const Parcel& parcel : kept.find().whole) all += parcel.payload + ';';
      [[maybe_unused]] const auto written = ::write(ends[1], all.data(), all.size());
      ::_exit(0);
    }
    ::close(ends[1]);
    std::vector<std::string> payloads;
    std::string now;
    for (char byte = 0; ::read(ends[0], &byte, 1) == 1;) {
      if (byte != ';') {
        now += byte;
      } else {
        payloads.push_back(std::exchange(now, {}));
      }
    }
    ::close(ends[0]);
    ::waitpid(child, nullptr, 0);
    return payloads;
  }

  std::vector<std::string> said;
  Kept kept{[this](const std::string& line) { said.push_back(line); }};
};

TEST_F(KeptTest, AParcelIsFoundByAnotherProcess) {
  const UniqueFd socket = any_descriptor();
  kept.publish(kept.take_place(), {.descriptors = {socket.get()}, .payload = "one"});
  kept.publish(kept.take_place(), {.payload = "two"});
  EXPECT_THAT(payloads_in_another_process(), UnorderedElementsAre("one", "two"));
}

TEST_F(KeptTest, AParcelIsFoundWhole) {
  const UniqueFd socket = any_descriptor();
  kept.publish(kept.take_place(), {.label = "label",
                                   .required_features = {"a", "", "bc"},
                                   .descriptors = {socket.get()},
                                   .payload = std::string("\0x", 2),
                                   .secrets = SecretBytes(std::string_view("key"))});
  const Kept::Found found = kept.find();
  ASSERT_EQ(found.whole.size(), 1u);
  const Parcel& parcel = found.whole[0];
  EXPECT_EQ(parcel.label, "label");
  EXPECT_THAT(parcel.required_features, ElementsAre("a", "", "bc"));
  EXPECT_THAT(parcel.descriptors, ElementsAre(socket.get()));
  EXPECT_EQ(parcel.payload, std::string("\0x", 2));
  EXPECT_EQ(parcel.secrets.view(), "key");
}

TEST_F(KeptTest, ALargerOneAndASmallerOneReplaceIt) {
  const Kept::Place place = kept.take_place();
  for (const std::size_t bytes : {1u, 100'000u, 3u, 5'000'000u, 0u}) {
    kept.publish(place, {.payload = std::string(bytes, 'x')});
    ASSERT_EQ(kept.find().whole.size(), 1u);
    EXPECT_EQ(kept.find().whole[0].payload, std::string(bytes, 'x'));
  }
}

TEST_F(KeptTest, APlaceIsUsedAgain) {
  for (int i = 0; i < 10; ++i) {
    const Kept::Place place = kept.take_place();
    EXPECT_EQ(place, 0u);
    kept.publish(place, {.payload = "x"});
    kept.leave(place);
  }
  EXPECT_THAT(kept.find().whole, IsEmpty());
  EXPECT_EQ(kept.find().lost, 0u);
}

// How often the bytes are in the first 64 MiB of a shared mapping of ours.
std::size_t times_in_shared_memory(const std::string& bytes) {
  constexpr std::size_t page = 4096;
  std::size_t times = 0;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find(" rw-s ") == std::string::npos) continue;
    char* const begin = reinterpret_cast<char*>(std::stoull(line, nullptr, 16));
    std::vector<unsigned char> is_there(64 * 1024 * 1024 / page);
    if (::mincore(begin, is_there.size() * page, is_there.data()) != 0) continue;
    for (std::size_t i = 0; i < is_there.size(); ++i) {
      if ((is_there[i] & 1) != 0 && std::string_view(begin + i * page, page).find(bytes) != std::string_view::npos)
        ++times;
    }
  }
  return times;
}

TEST_F(KeptTest, SecretsAreWipedWhenTheyAreReplacedAndWhenTheirConnectionEnds) {
  const std::string secret = "a key that is nowhere else";
  const auto with_secret = [&] { return Parcel{.secrets = SecretBytes(std::string_view(secret))}; };
  const Kept::Place place = kept.take_place();
  kept.publish(place, with_secret());
  EXPECT_EQ(times_in_shared_memory(secret), 1u);
  kept.publish(place, {.payload = "x"});
  EXPECT_EQ(times_in_shared_memory(secret), 0u);
  kept.publish(place, with_secret());
  kept.leave(place);
  EXPECT_EQ(times_in_shared_memory(secret), 0u);
}

TEST_F(KeptTest, AClosedDescriptorOrOneOfTwoConnectionsIsNotHandedOver) {
  UniqueFd closed = any_descriptor();
  const UniqueFd twice = any_descriptor();
  kept.publish(kept.take_place(), {.descriptors = {closed.get()}, .payload = "closed"});
  kept.publish(kept.take_place(), {.descriptors = {twice.get()}, .payload = "one of two"});
  kept.publish(kept.take_place(), {.descriptors = {twice.get()}, .payload = "the other"});
  closed.reset();
  EXPECT_THAT(kept.find().whole, IsEmpty());
  EXPECT_EQ(kept.find().lost, 3u);
}

TEST(CrashesInARow, AreCountedAsLongAsTheyFollowEachOtherAndGoOnAsAText) {
  CrashesInARow crashes;
  EXPECT_EQ(CrashesInARow::from(crashes.text()).number, 0u);
  crashes = crashes.and_one_at(1'000'000'000);
  crashes = crashes.and_one_at(1'005'000'000);
  EXPECT_EQ(crashes.number, 2u);
  crashes = CrashesInARow::from(crashes.text());
  EXPECT_EQ(crashes.and_one_at(1'014'000'000).number, 3u);
  EXPECT_EQ(crashes.and_one_at(1'015'000'000).number, 1u);
  EXPECT_EQ(CrashesInARow::from("another server's").number, 0u);
}

class Counter final : public Movable {
 public:
  std::optional<Parcel> freeze() override { return parcel(); }
  void resume() override { ++number; }
  std::optional<Parcel> parcel() const override {
    if (number < 0) return std::nullopt;
    return Parcel{.payload = std::to_string(number)};
  }

  int number = 0;
};

struct FleetThatIsKept : KeptTest {
  FleetThatIsKept() { fleet.keep_in(&kept); }
  std::shared_ptr<Counter> add() {
    auto counter = std::make_shared<Counter>();
    fleet.add(counter);
    return counter;
  }
  std::vector<std::string> whole() {
    std::vector<std::string> payloads;
    for (const Parcel& parcel : kept.find().whole) payloads.push_back(parcel.payload);
    return payloads;
  }

  Fleet fleet;
};

TEST_F(FleetThatIsKept, AConnectionIsWholeBeforeAndAfterAStepAndNotInIt) {
  const auto one = add();
  const auto other = add();
  other->number = 0;
  EXPECT_THAT(whole(), ElementsAre("0", "0"));
  {
    const Step step(fleet, *one);
    one->number = 1;
    EXPECT_THAT(whole(), ElementsAre("0"));
    {
      const Step inner(fleet, *one);
      const Step another(fleet, *other);
      EXPECT_THAT(whole(), IsEmpty());
    }
    EXPECT_THAT(whole(), ElementsAre("0"));
    EXPECT_EQ(kept.find().lost, 1u);
  }
  EXPECT_THAT(whole(), ElementsAre("1", "0"));
}

TEST_F(FleetThatIsKept, AConnectionMayEndInItsStep) {
  auto one = add();
  {
    const Step step(fleet, *one);
    fleet.remove(*one);
    one.reset();
  }
  EXPECT_THAT(whole(), IsEmpty());
  EXPECT_EQ(kept.find().lost, 0u);
}

TEST_F(FleetThatIsKept, AfterAnExceptionAConnectionIsNotWholeUntilItsNextStep) {
  const auto one = add();
  try {
    const Step step(fleet, *one);
    one->number = 1;
    throw std::runtime_error("in the middle");
  } catch (const std::runtime_error&) {
  }
  EXPECT_THAT(whole(), IsEmpty());
  {
    const Step step(fleet, *one);
  }
  EXPECT_THAT(whole(), ElementsAre("1"));
}

TEST_F(FleetThatIsKept, AConnectionThatHasNoParcelNowIsNotWhole) {
  const auto one = add();
  {
    const Step step(fleet, *one);
    one->number = -1;
  }
  EXPECT_THAT(whole(), IsEmpty());
  EXPECT_EQ(kept.find().lost, 1u);
}

TEST_F(FleetThatIsKept, WhatIsTakenBackIsPublishedAfterItHasResumed) {
  add();
  fleet.begin_handover([] {});
  const Batch batch = fleet.freeze_next({64, 250, 1 << 20});
  EXPECT_THAT(whole(), IsEmpty());
  fleet.take_back(batch.parcels.at(0).id);
  EXPECT_THAT(whole(), ElementsAre("1"));
}

TEST_F(FleetThatIsKept, AConnectionThatChangesOutsideOfAStepIsNoticedSoon) {
  const auto one = add();
  const auto other = add();
  one->number = 1;
  for (int i = 0; i < 15; ++i) const Step step(fleet, *other);
  EXPECT_THAT(said, IsEmpty());
  {
    const Step step(fleet, *one);
  }
  EXPECT_THAT(said, ElementsAre(HasSubstr("outside of a Step")));
  EXPECT_TRUE(kept.control().is_wrong);
}

TEST_F(FleetThatIsKept, AConnectionThatChangesOutsideOfAStepIsNoticedInAnUpgrade) {
  add()->number = 1;
  fleet.begin_handover([] {});
  (void)fleet.freeze_next({64, 250, 1 << 20});
  EXPECT_TRUE(kept.control().is_wrong);
}

}  // namespace

}  // namespace baton::handoff
