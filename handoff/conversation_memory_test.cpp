// Fails every allocation that a side makes in a conversation, one at a time: the upgrade may fail, but no parcel is
// lost, none has two owners, and no exception leaves the conversation.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <optional>
#include <set>
#include <system_error>
#include <thread>

#include "handoff/predecessor.hpp"
#include "handoff/successor.hpp"
#include "handoff/testing/canary_donor.hpp"

namespace {

struct Shortage {
  bool on = false;   // while the conversation runs, not while the test's parties do
  long first = 0;    // the number of the first allocation that fails
  long many = 0;
  long count = 0;
  bool fails() { return on && ++count >= first && count < first + many; }
};
thread_local Shortage shortage;

}  // namespace

void* operator new(std::size_t bytes) {
  if (shortage.fails()) throw std::bad_alloc();
  void* const memory = std::malloc(bytes != 0 ? bytes : 1);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

// Protobuf leaks an element that it could allocate but not add to its list. Nothing else leaks here.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() {
  return "detect_leaks=0";
}

namespace baton::handoff::test {
namespace {

using std::chrono::milliseconds;

// The parties never run out of memory.
class Spared {
 public:
  Spared() { shortage.on = false; }
  ~Spared() { shortage.on = was_on_; }
  Spared(const Spared&) = delete;
  Spared& operator=(const Spared&) = delete;

 private:
  const bool was_on_ = shortage.on;
};

template <class Task>
decltype(auto) with_memory(Task task) {
  const Spared spared;
  return task();
}

class SparedDonor final : public CanaryDonor {
 public:
  using CanaryDonor::CanaryDonor;
  Estate estate() override { return with_memory([&] { return FakeDonor::estate(); }); }
  void stop_accepting(const std::vector<std::string>& taken) override {
    with_memory([&] { CanaryDonor::stop_accepting(taken); });
  }
  void begin_canary() override {
    with_memory([&] { CanaryDonor::begin_canary(); });
  }
  void end_canary() override {
    with_memory([&] { CanaryDonor::end_canary(); });
  }
  bool kill_canary() override {
    return with_memory([&] { return CanaryDonor::kill_canary(); });
  }
  void on_probation(const Conduct& conduct) override {
    with_memory([&] { CanaryDonor::on_probation(conduct); });
  }
  std::optional<std::string> called_off() override {
    return with_memory([&] { return FakeDonor::called_off(); });
  }
  void accept_again() override { with_memory([&] { FakeDonor::accept_again(); }); }
  Batch freeze_next(const Room& room) override {
    return with_memory([&] { return CanaryDonor::freeze_next(room); });
  }
  // At once, and not with the next Trial.
  void adopted(std::span<const ParcelId> ids) override {
    with_memory([&] {
      FakeDonor::adopted(ids);
      decide(*this);
    });
  }
  void refused(std::span<const ParcelId> ids) override { with_memory([&] { FakeDonor::refused(ids); }); }
  void take_back(std::span<const ParcelId> ids) override { with_memory([&] { FakeDonor::take_back(ids); }); }
  std::string resign() override { return with_memory([&] { return FakeDonor::resign(); }); }
  bool reclaim() override { return with_memory([&] { return FakeDonor::reclaim(); }); }
};

class SparedAdopter final : public FakeAdopter {
 public:
  Result<std::vector<std::string>> inherit(Inheritance inheritance) override {
    return with_memory([&] { return FakeAdopter::inherit(std::move(inheritance)); });
  }
  void expect(const Remaining& remaining) override { with_memory([&] { FakeAdopter::expect(remaining); }); }
  void accept() override { with_memory([&] { FakeAdopter::accept(); }); }
  void accept_on_own() override {
    with_memory([&] { FakeAdopter::accept_on_own(); });
  }
  std::vector<Verdict> prepare(std::vector<ReceivedParcel> parcels) override {
    return with_memory([&] { return FakeAdopter::prepare(std::move(parcels)); });
  }
  void start(std::span<const ParcelId> ids) override { with_memory([&] { FakeAdopter::start(ids); }); }
  void drop(std::span<const ParcelId> ids) override { with_memory([&] { FakeAdopter::drop(ids); }); }
  Result<void> take_over(const std::string& bytes, const Report& what) override {
    return with_memory([&] { return FakeAdopter::take_over(bytes, what); });
  }
};

enum class Side { predecessor, successor };
// The conversation, when nothing fails.
enum class Course { everything_at_once, promoted_canary, called_back_canary };

constexpr std::size_t everything = 12;
constexpr std::size_t of_canary = 8;
constexpr std::size_t per_batch = 4;

// One is larger than a batch and waits until it goes alone.
Shape shape_of(ParcelId id) {
  return id == 106 ? Shape{.descriptors = 9, .payload_bytes_min = limits::batch_bytes + 1} : small(id);
}

// Both servers. What a canary gives back is what it has adopted.
struct Servers {
  explicit Servers(Course course) : donor(of_canary, everything, per_batch) {
    donor.shape = adopter.shape = returns.shape = shape_of;
    const auto has_proved = [](const FakeDonor& one) {
      return one.with(&FakeDonor::Fate::adopted).size() >= of_canary;
    };
    if (course == Course::promoted_canary) {
      donor.decide = [=](CanaryDonor& one) { one.promoted = has_proved(one); };
    }
    if (course == Course::called_back_canary) {
      donor.call_off = [=, this] { return has_proved(donor) ? std::optional<std::string>("stop") : std::nullopt; };
    }
  }

  Donor& to_give_back() {
    return with_memory([this]() -> Donor& {
      if (!returner) {
        returner.emplace(0, adopter.with(&FakeAdopter::Fate::started).size(), per_batch);
        returner->shape = shape_of;
      }
      return *returner;
    });
  }

  std::set<ParcelId> given_back() const {
    return returner ? returner->with(&FakeDonor::Fate::adopted) : std::set<ParcelId>{};
  }
  // Each connection is served by one of both, and touched by nobody else.
  void expect_one_owner_each() const {
    donor.expect_one_answer_each();
    adopter.expect_one_end_each();
    returns.expect_one_end_each();
    EXPECT_EQ(donor.with(&FakeDonor::Fate::adopted), adopter.with(&FakeAdopter::Fate::started));
    for (const auto& [id, fate] : donor.fates) expect_on_far_end(donor, id, fate.adopted == 1);
    EXPECT_EQ(given_back(), returns.with(&FakeAdopter::Fate::started));
    if (!returner) return;
    returner->expect_one_answer_each();
    for (const auto& [id, fate] : returner->fates) {
      EXPECT_EQ(adopter.with(&FakeAdopter::Fate::started).count(id), 1U) << "parcel " << id << " was not its own";
      expect_on_far_end(*returner, id, fate.adopted == 1);
    }
  }
  // Those that are the successor's.
  std::size_t moved() const { return adopter.with(&FakeAdopter::Fate::started).size() - given_back().size(); }

  SparedDonor donor;
  SparedAdopter adopter;
  std::optional<SparedDonor> returner;
  SparedAdopter returns;
};

// The number of allocations that side has made.
long talk_with_shortage(Side side, long first, long many, Course course) {
  Servers servers(course);
  const bool has_canary = course != Course::everything_at_once;
  Pair pair = socket_pair();
  const PredecessorTerms predecessor_terms{.self = {7, 4242, "a version that is long enough to need memory"},
                                           .features = {"a feature that is long enough to need memory"},
                                           .ready_timeout = milliseconds(60'000),
                                           .step_timeout = milliseconds(60'000),
                                           .canary = has_canary,
                                           .return_timeout = milliseconds(60'000)};
  const SuccessorTerms successor_terms{.version = "another version that is long enough to need memory",
                                       .features = {"known", "a feature that is long enough to need memory"},
                                       .hello_timeout = milliseconds(60'000),
                                       .step_timeout = milliseconds(60'000)};
  const Probation probation{
      .donor = [&]() -> Donor& { return servers.to_give_back(); },
      .conduct = [](bool) { return Conduct{.application = "counts that are long enough to need memory"}; }};
  const auto with_shortage = [&](Side of, auto task) {
    if (of == side) shortage = {.on = true, .first = first, .many = many, .count = 0};
    task();
    shortage.on = false;
    return of == side ? shortage.count : 0;
  };
  long successor_made = 0;
  long predecessor_made = 0;
  {
    std::jthread successor([&] {
      successor_made = with_shortage(Side::successor, [&] {
        succeed(std::move(pair.other), servers.adopter, successor_terms, has_canary ? &probation : nullptr);
      });
    });
    Channel channel(std::move(pair.one));
    predecessor_made = with_shortage(Side::predecessor, [&] {
      hand_over(std::move(channel), servers.donor, predecessor_terms, has_canary ? &servers.returns : nullptr);
    });
  }
  servers.expect_one_owner_each();
  const long made = std::max(successor_made, predecessor_made);
  if (made < first) {
    EXPECT_EQ(servers.moved(), course == Course::called_back_canary ? 0 : everything);
  }
  return made;
}

struct Row {
  const char* name;
  Side side;
  Course course;
};

class ConversationMemory : public testing::TestWithParam<Row> {};

TEST_P(ConversationMemory, MayRunOutAtAnyAllocation) {
  const auto& [name, side, course] = GetParam();
  for (const long many : {1, 3}) {
    long first = 0;
    for (long made = 0; made >= first && !testing::Test::HasFailure();) {
      SCOPED_TRACE(testing::Message() << many << " from allocation " << ++first << " on");
      made = talk_with_shortage(side, first, many, course);
    }
    EXPECT_GT(first, 100) << "the shortage has not come to the conversation";
  }
}

constexpr Row rows[] = {
    {"OfThePredecessor", Side::predecessor, Course::everything_at_once},
    {"OfTheSuccessor", Side::successor, Course::everything_at_once},
    {"OfThePredecessorOfAPromotedCanary", Side::predecessor, Course::promoted_canary},
    {"OfAPromotedCanary", Side::successor, Course::promoted_canary},
    {"OfThePredecessorOfACalledBackCanary", Side::predecessor, Course::called_back_canary},
    {"OfACalledBackCanary", Side::successor, Course::called_back_canary},
};

INSTANTIATE_TEST_SUITE_P(Each, ConversationMemory, testing::ValuesIn(rows),
                         [](const auto& row) { return row.param.name; });

TEST(Shortage, IsToldWithoutMemory) {
  const std::system_error no_thread(std::make_error_code(std::errc::resource_unavailable_try_again));
  const auto outcome = as_result([&]() -> Result<void> {
    shortage = {.on = true, .first = 1, .many = 1'000'000};
    throw no_thread;
  });
  shortage.on = false;
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().text, "out of memory");
}

}  // namespace
}  // namespace baton::handoff::test
