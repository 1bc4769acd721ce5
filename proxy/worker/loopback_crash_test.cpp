// The process of a worker ends between any two events of a conversation. Its keeper offers what it finds in shared
// memory, and with that another worker goes on: each side must see the same bytes.
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <string>

#include "proxy/keeper/arena.hpp"
#include "proxy/keeper/survivors.hpp"
#include "proxy/worker/testing/loopback_plays.hpp"

namespace baton::proxy {
namespace {

using keeper::Arena;
using keeper::Survive;
using keeper::Survivors;

constexpr std::size_t body_bytes = 30'000;
constexpr std::size_t descriptors_max = 1024;

enum class Fate { same_bytes, lost_in_handshake, other, past_the_end };

// What the keeper finds goes on in the other worker. False: there was a connection, but it is not among this.
bool recover(const Arena& arena, Stage& stage) {
  const bool is_there = stage.serving().connections() != 0;
  Worker& successor = stage.lose_serving();
  Survivors survivors(arena.control(), ::getppid());
  survivors.sort_out(arena.roster(), Survive::all);
  if (survivors.is_empty()) return !is_there;
  const handoff::Batch batch = survivors.freeze_next({.connections = 1, .descriptors = 64, .bytes = 1 << 20});
  EXPECT_TRUE(batch.finished);
  for (const handoff::Parcel& parcel : batch.parcels) {
    EXPECT_TRUE(adopt_copy(successor, parcel));
    survivors.adopted(std::array{parcel.id});
  }
  return true;
}

class LoopbackCrash : public testing::TestWithParam<Legs> {
 protected:
  LoopbackCrash() { ::prctl(PR_SET_CHILD_SUBREAPER, 1); }

  // Plays in a process that ends after the event `at`, as a worker's does. A child of it goes on: it has the peers, the
  // descriptors and the shared memory.
  Fate fate_after(const Play& play, std::size_t at) {
    std::fflush(nullptr);
    if (::fork() == 0) {
      Fate fate = Fate::other;
      try {
        fate = play_with_a_crash(play, at);
      } catch (const std::exception& error) {
        ADD_FAILURE() << error.what();
      }
      std::fflush(nullptr);
      ::_exit(static_cast<int>(HasFailure() ? Fate::other : fate));
    }
    int worst = 0;
    for (int status = 0; ::wait(&status) > 0;) {
      worst = std::max(worst, WIFEXITED(status) ? WEXITSTATUS(status) : static_cast<int>(Fate::other));
    }
    return static_cast<Fate>(worst);
  }

  void at_every_event(const std::vector<Play>& plays) {
    for (const Play& play : plays) {
      std::map<Fate, int> fates;
      for (std::size_t at = 1; fates[Fate::past_the_end] + fates[Fate::other] == 0; ++at) ++fates[fate_after(play, at)];
      EXPECT_EQ(fates[Fate::other], 0) << play.name;
      EXPECT_GT(fates[Fate::same_bytes], 0) << play.name;
      EXPECT_LE(fates[Fate::lost_in_handshake], GetParam().client == 0 ? 0 : 2) << play.name;
      if (HasFailure()) return;
    }
  }

  KernelRoom room = KernelRoom::scarce;

 private:
  Fate play_with_a_crash(const Play& play, std::size_t at) {
    const Arena& arena = *new Arena(descriptors_max);
    Scene scene(GetParam(), room);
    scene.roster = &arena.roster();
    std::size_t events = 0;
    const Witnessed expected = Stage(play, scene).run([&](std::size_t count, Stage&) { events = count; });
    EXPECT_TRUE(expected.finished) << play.name;
    if (at >= events) return Fate::past_the_end;
    const Witnessed seen = Stage(play, scene).run([&](std::size_t count, Stage& stage) {
      if (count != at) return;
      if (::fork() != 0) ::_exit(static_cast<int>(Fate::same_bytes));
      if (!recover(arena, stage)) ::_exit(static_cast<int>(Fate::lost_in_handshake));
    });
    if (seen.finished && seen == expected) return Fate::same_bytes;
    ADD_FAILURE() << play.name << ", a crash after event " << at << " of " << events << ": "
                  << (seen.finished ? "finished" : "stopped") << ", client " << seen.client.size() << " of "
                  << expected.client.size() << " bytes, origin " << seen.origin.size() << " of "
                  << expected.origin.size();
    return Fate::other;
  }
};

TEST_P(LoopbackCrash, AfterAnyEventCostsNothing) {
  at_every_event(plays(body_bytes));
}

class CrashWhileBytesPassUnseen : public LoopbackCrash {
 protected:
  CrashWhileBytesPassUnseen() { room = KernelRoom::ample; }
};

TEST_P(CrashWhileBytesPassUnseen, AfterAnyEventCostsNothing) {
  at_every_event(bulky_plays(400'000));
}

INSTANTIATE_TEST_SUITE_P(Plain, CrashWhileBytesPassUnseen, testing::Values(Legs{}));

INSTANTIATE_TEST_SUITE_P(Legs, LoopbackCrash,
                         testing::Values(Legs{}, Legs{tls13, 0}, Legs{0, tls13}, Legs{tls12, tls12}),
                         [](const auto& legs) { return name_of(legs.param); });

}  // namespace
}  // namespace baton::proxy
