// Fails every allocation that a side makes in a conversation, one at a time: the upgrade may fail, but no parcel is
// lost, none has two owners, and no exception leaves the conversation.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <system_error>
#include <thread>

#include "handoff/predecessor.hpp"
#include "handoff/successor.hpp"
#include "handoff/testing/parties.hpp"

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
auto with_memory(Task task) {
  const Spared spared;
  return task();
}

class SparedDonor final : public FakeDonor {
 public:
  using FakeDonor::FakeDonor;
  Estate estate() override { return with_memory([&] { return FakeDonor::estate(); }); }
  void stop_accepting(const std::vector<std::string>& taken) override {
    with_memory([&] { FakeDonor::stop_accepting(taken); });
  }
  void accept_again() override { with_memory([&] { FakeDonor::accept_again(); }); }
  Batch freeze_next(const Room& room) override { return with_memory([&] { return FakeDonor::freeze_next(room); }); }
  void adopted(std::span<const ParcelId> ids) override { with_memory([&] { FakeDonor::adopted(ids); }); }
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

// The number of allocations that side has made.
long talk_with_shortage(Side side, long first, long many) {
  SparedDonor donor(12, 4);
  SparedAdopter adopter;
  // One is larger than a batch and waits until it goes alone.
  donor.shape = adopter.shape = [](ParcelId id) {
    return id == 106 ? Shape{.descriptors = 9, .payload_bytes_min = limits::batch_bytes + 1} : small(id);
  };
  Pair pair = socket_pair();
  const PredecessorTerms predecessor_terms{.self = {7, 4242, "a version that is long enough to need memory"},
                                           .features = {"a feature that is long enough to need memory"},
                                           .ready_timeout = milliseconds(60'000),
                                           .step_timeout = milliseconds(60'000)};
  const SuccessorTerms successor_terms{.version = "another version that is long enough to need memory",
                                       .features = {"known", "a feature that is long enough to need memory"},
                                       .hello_timeout = milliseconds(60'000)};
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
      successor_made = with_shortage(Side::successor, [&] { succeed(std::move(pair.other), adopter, successor_terms); });
    });
    Channel channel(std::move(pair.one));
    predecessor_made =
        with_shortage(Side::predecessor, [&] { hand_over(std::move(channel), donor, predecessor_terms); });
  }
  donor.expect_one_answer_each();
  adopter.expect_one_end_each();
  EXPECT_EQ(donor.with(&FakeDonor::Fate::adopted), adopter.with(&FakeAdopter::Fate::started));
  for (const auto& [id, fate] : donor.fates) expect_on_far_end(donor, id, fate.adopted == 1);
  return std::max(successor_made, predecessor_made);
}

void try_every_allocation(Side side) {
  for (const long many : {1, 3}) {
    long first = 0;
    for (long made = 0; made >= first && !testing::Test::HasFailure();) {
      SCOPED_TRACE(testing::Message() << many << " from allocation " << ++first << " on");
      made = talk_with_shortage(side, first, many);
    }
    EXPECT_GT(first, 100) << "the shortage has not come to the conversation";
  }
}

TEST(ConversationMemory, AnyAllocationOfThePredecessorMayFail) {
  try_every_allocation(Side::predecessor);
}

TEST(ConversationMemory, AnyAllocationOfTheSuccessorMayFail) {
  try_every_allocation(Side::successor);
}

TEST(ConversationMemory, AnErrorIsToldWithoutMemory) {
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
