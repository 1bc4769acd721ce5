// Conversations through a real worker in which one allocation after another is made to fail: a failure costs at most
// the connection being served, never another one and never the process.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstdlib>
#include <filesystem>
#include <new>
#include <string>

#include "proxy/worker/testing/loopback_plays.hpp"

namespace {

struct Shortage {
  bool on = false;               // while the worker works, not while its peers do
  long first = 0;                // the number of the first allocation that fails
  long many = 0;
  long count = 0;
  bool fails() { return on && ++count >= first && count < first + many; }
};
Shortage shortage;

// Memory that states own is allocated there too, each block separately.
[[maybe_unused]] const bool is_source = (baton::state::memory::set_source(baton::state::memory::each_block_by_new()), true);

}  // namespace

void* operator new(std::size_t bytes) {
  if (shortage.fails()) throw std::bad_alloc();
  void* const memory = std::malloc(bytes != 0 ? bytes : 1);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace baton::proxy {
namespace {

constexpr std::size_t body_bytes = 40'000;

std::ptrdiff_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return std::distance(begin(all), end(all));
}

bool with_shortage(runtime::Loop& loop, int timeout_ms) {
  shortage.on = true;
  const bool handled = loop.run_one(timeout_ms);
  shortage.on = false;
  return handled;
}

// Another client of the same worker.
class Bystander {
 public:
  Bystander(const Scene& scene, Stage& stage) : stage_(stage), socket_(scene.front.connect()) {
    stage.serving().take(scene.front.accept(), {.listener = "web"}, {});
    stage.serving().loop().run_one(0);
  }
  // Baton itself answers this, so no origin is needed.
  bool is_served() {
    const std::string nonsense = "nonsense\r\n\r\n";
    if (::send(socket_.get(), nonsense.data(), nonsense.size(), MSG_NOSIGNAL) < 0) return false;
    std::string answer(1024, '\0');
    for (int i = 0; i < 200; ++i) {
      const ssize_t got = ::recv(socket_.get(), answer.data(), answer.size(), MSG_DONTWAIT);
      if (got >= 0) return std::string_view(answer).starts_with("HTTP/1.1 400 ");
      if (errno != EAGAIN) return false;
      stage_.serving().loop().run_one(5);
    }
    return false;
  }

 private:
  Stage& stage_;
  const handoff::UniqueFd socket_;
};

// `many` allocations in a row fail, starting with the first, then with the second, and so on until a play has no more.
void at_every_allocation(Play play, Legs legs, long many, KernelRoom room = KernelRoom::scarce) {
  const Scene scene(legs, room);
  const Witnessed expected = Stage(play, scene).run([](std::size_t, Stage&) {});
  ASSERT_TRUE(expected.finished) << play.name;
  play.breaks = true;                      // it may
  bool reached = true;
  long at = 1;
  for (; reached; ++at) {
    SCOPED_TRACE(play.name + ", allocation " + std::to_string(at));
    const std::ptrdiff_t descriptors = open_descriptors();
    {
      Stage stage(play, scene);
      stage.run_one = with_shortage;
      Bystander bystander(scene, stage);
      shortage = {.first = at, .many = many};
      const Witnessed seen = stage.run([](std::size_t, Stage&) {});
      reached = shortage.count >= at;
      ASSERT_TRUE(seen.finished) << "the client waits for ever";
      // A truncated response must not look complete.
      const bool is_whole = seen.client == expected.client;
      const bool is_refused = seen.client.starts_with("HTTP/1.1 50") || (legs.client != 0 && seen.client.empty());
      EXPECT_TRUE(is_whole || is_refused || seen.client_was_reset) << seen.client.substr(0, 200);
      EXPECT_TRUE(bystander.is_served());
      EXPECT_EQ(stage.connections(), stage.serving().connections());
      EXPECT_LE(stage.serving().connections(), 2U);
    }
    ASSERT_EQ(open_descriptors(), descriptors);
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(at, 2) << play.name << " has hardly any allocations";
}

TEST(Memory, AnAllocationThatFailsCostsOneConnection) {
  for (const Play& play : plays(body_bytes)) at_every_allocation(play, {}, 1);
}

TEST(Memory, ManyThatFailInARowCostOneConnection) {
  for (const Play& play : plays(body_bytes)) at_every_allocation(play, {}, 1000);
}

TEST(Memory, WhileBytesPassUnseenToo) {
  for (const Play& play : bulky_plays(400'000)) at_every_allocation(play, {}, 1, KernelRoom::ample);
}

TEST(Memory, WithTlsToo) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    at_every_allocation(plays(body_bytes).front(), {.client = version, .origin = version}, 1);
    at_every_allocation(plays(body_bytes).front(), {.client = version, .origin = version}, 1000);
  }
}

// A connection that cannot be encoded continues here, and its peers notice nothing.
TEST(Memory, AConnectionThatCannotBeEncodedStays) {
  const Scene scene;
  for (const Play& play : plays(body_bytes)) {
    const Witnessed expected = Stage(play, scene).run([](std::size_t, Stage&) {});
    bool reached = true;
    for (long at = 1; reached; ++at) {
      const Witnessed seen = Stage(play, scene).run([&](std::size_t events, Stage& stage) {
        if (events != 4) return;
        Worker& worker = stage.serving();
        worker.begin_handover(0, [] {});
        handoff::Room room{.connections = 4, .descriptors = 8, .bytes = 1 << 20};
        handoff::Batch batch;
        shortage = {.on = true, .first = at, .many = 1};
        try {
          (void)worker.freeze_next(room, batch);
        } catch (const std::bad_alloc&) {
          EXPECT_TRUE(batch.parcels.empty()) << "nothing may be frozen that nobody knows of";
        }
        shortage.on = false;
        reached = shortage.count >= at;
        for (const handoff::Parcel& parcel : batch.parcels) worker.take_back(parcel.id);
        worker.end_handover();
      });
      ASSERT_TRUE(seen == expected) << play.name << ", allocation " << at;
    }
  }
}

TEST(Memory, AReloadThatFailsLeavesTheOldConfiguration) {
  const Scene scene;
  const Play play = plays(body_bytes)[4];
  const Witnessed expected = Stage(play, scene).run([](std::size_t, Stage&) {});
  bool reached = true;
  for (long at = 1; reached; ++at) {
    const Witnessed seen = Stage(play, scene).run([&](std::size_t events, Stage& stage) {
      if (events != 4) return;
      auto settings = std::make_shared<Settings>(*scene.settings);
      settings->upstreams.push_back({.name = "another", .servers = settings->upstreams.front().servers});
      shortage = {.on = true, .first = at, .many = 1};
      try {
        stage.serving().reconfigure(settings, nullptr);
      } catch (const std::bad_alloc&) {
        EXPECT_EQ(&stage.serving().settings(), scene.settings.get());
      }
      shortage.on = false;
      reached = shortage.count >= at;
    });
    ASSERT_TRUE(seen == expected) << "allocation " << at;
  }
}

}  // namespace
}  // namespace baton::proxy
