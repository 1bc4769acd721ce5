// It becomes the source of all states' memory, so it is a program of its own.
#include "proxy/keeper/arena.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/state/codec.hpp"

namespace baton::keeper {
namespace {

Arena& arena() {
  static Arena& one = *new Arena(1024);
  return one;
}

[[maybe_unused]] const Arena& made_first = arena();

state::ConnectionState some_state() {
  state::ConnectionState state;
  state.id = 7;
  state.listener = "a name that is too long to be inline";
  state.client.unread.append(std::string(40'000, 'u'));
  auto& exchange = state.exchange.emplace();
  exchange.upstream.emplace().upstream = "another name that is too long to be inline";
  exchange.phase = state::Tunnelling{.upstream = exchange.upstream->upstream, .attempts = 0};
  state.protocol = state::Raw{};
  return state;
}

struct Held : state::Allocated {
  state::ConnectionState state;
};

// What `look` returns in a process that was forked before anything was allocated.
template <class Look, class Work>
int in_an_older_process(Work work, Look look) {
  arena();
  int go_on[2];
  EXPECT_EQ(::pipe(go_on), 0);
  const pid_t older = ::fork();
  if (older == 0) {
    char byte;
    arena().only_read();
    ::_exit(::read(go_on[0], &byte, 1) == 1 ? look() : 100);
  }
  work();
  EXPECT_EQ(::write(go_on[1], "g", 1), 1);
  int status = 0;
  EXPECT_EQ(::waitpid(older, &status, 0), older);
  ::close(go_on[0]);
  ::close(go_on[1]);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(Arena, ShowsAnOlderProcessEachWholeState) {
  auto held = std::make_unique<Held>();
  const int found = in_an_older_process(
      [&] {
        held->state = some_state();
        arena().roster().enter(12, held->state);
        arena().roster().enter(13, held->state);
        arena().roster().leave(13);
      },
      [] {
        const state::ConnectionState* const state = arena().roster().find(12);
        if (state == nullptr || arena().roster().find(13) != nullptr || arena().roster().find(14) != nullptr) return 1;
        return *state == some_state() && state::encode(*state) == state::encode(some_state()) ? 0 : 2;
      });
  EXPECT_EQ(found, 0);
  arena().roster().leave(12);
}

TEST(Arena, SaysWhichConnectionsAreRunning) {
  Roster& roster = arena().roster();
  {
    const Mark one(roster.running(0), 20);
    const Mark other(roster.running(1), 21);
    {
      const Mark within(roster.running(0), 22);
      for (const int client : {20, 21, 22}) EXPECT_TRUE(roster.is_running(client)) << client;
    }
    EXPECT_FALSE(roster.is_running(22));
    EXPECT_TRUE(roster.is_running(20));
  }
  for (const int client : {20, 21, 22}) EXPECT_FALSE(roster.is_running(client)) << client;
}

TEST(Arena, TakesAllOfAThreadForRunningIfItIsTooDeepToTell) {
  Running& running = arena().roster().running(2);
  std::vector<int> outer;
  for (std::uint32_t i = 0; i <= Running::depth_max; ++i) outer.push_back(running.begin(30));
  EXPECT_FALSE(arena().roster().is_running(31));
  outer.push_back(running.begin(30));
  EXPECT_TRUE(arena().roster().is_running(31));
  for (; !outer.empty(); outer.pop_back()) running.end(outer.back());
  for (const int client : {30, 31}) EXPECT_FALSE(arena().roster().is_running(client)) << client;
}

TEST(Arena, IgnoresDescriptorsBeyondItsTable) {
  Held held;
  arena().roster().enter(1024, held.state);
  arena().roster().leave(-1);
}

TEST(Arena, TakesBackWhatStatesGive) {
  const std::size_t before = arena().taken();
  {
    std::vector<state::ConnectionState> burst(500, some_state());
    EXPECT_GT(arena().taken(), before + 500 * 40'000);
  }
  state::free_spare_memory();
  EXPECT_LE(arena().taken(), before + 64 * 1024);
}

}  // namespace
}  // namespace baton::keeper
