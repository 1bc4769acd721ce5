#include "proxy/tunnel/tunnel.hpp"

#include <gtest/gtest.h>

#include <string>

namespace baton::tunnel {
namespace {

using engine::Action;

constexpr std::uint64_t buffer_bytes = 16;

// A tunnel and its client's flow.
struct Both {
  state::Flow client;
  state::Exchange exchange{.request = {}, .phase = state::Tunnelling{}, .upstream = {}, .access = {}};
  state::Boxed<state::UpstreamLeg>& upstream = exchange.upstream;

  engine::Ends ends() { return {client, upstream ? &*upstream : nullptr}; }
};

Action advance(Both& both, std::uint64_t bytes, std::int64_t now_ms) {
  return tunnel::advance(both.exchange, both.ends(), bytes, now_ms);
}

struct Connected : Both {
  Connected() { upstream.emplace(); }
};

TEST(Tunnel, AsksForAServerFirst) {
  Both state;
  EXPECT_EQ(advance(state, buffer_bytes, 0), Action::connect);
}

TEST(Tunnel, PassesBytesBothWaysAsTheyAre) {
  Connected state;
  state.client.unread.append("ping");
  state.upstream->unread.append("pong");
  EXPECT_EQ(advance(state, buffer_bytes, 5), Action::wait);
  EXPECT_EQ(state.upstream->unsent.view(), "ping");
  EXPECT_EQ(state.client.unsent.view(), "pong");
  EXPECT_TRUE(state.client.unread.empty() && state.upstream->unread.empty());
  EXPECT_EQ(state.client.write_at_ms, 5);
}

TEST(Tunnel, PassesNoMoreThanThereIsRoomFor) {
  Connected state;
  state.upstream->unsent.append("0123456789");
  state.client.unread.append("abcdefghijkl");
  EXPECT_EQ(advance(state, buffer_bytes, 0), Action::wait);
  EXPECT_EQ(state.upstream->unsent.view(), "0123456789abcdef");
  EXPECT_EQ(state.client.unread.view(), "ghijkl");
}

TEST(Tunnel, EndsEachDirectionOnceAllOfItIsSent) {
  Connected state;
  state.client.unread.append("last");
  state.client.read_ended = true;
  EXPECT_EQ(advance(state, buffer_bytes, 0), Action::wait) << "it must be sent first";
  state.upstream->unsent.clear();
  EXPECT_EQ(advance(state, buffer_bytes, 0), Action::end_upstream_writing);
  state.upstream->write_ended = true;

  state.upstream->unread.append("answer");
  EXPECT_EQ(advance(state, buffer_bytes, 0), Action::wait) << "the other direction goes on";
  EXPECT_EQ(state.client.unsent.view(), "answer");
  state.client.unsent.clear();
  state.upstream->read_ended = true;
  EXPECT_EQ(advance(state, buffer_bytes, 0), Action::end_client_writing);
  state.client.write_ended = true;
  EXPECT_EQ(advance(state, buffer_bytes, 0), Action::close);
}

TEST(Tunnel, ThrowsAwayWhatNobodyTakesAnyMore) {
  Connected state;
  state.upstream->write_ended = true;
  state.client.unread.append("unheard");
  EXPECT_EQ(advance(state, buffer_bytes, 0), Action::wait);
  EXPECT_TRUE(state.client.unread.empty());
  EXPECT_TRUE(state.upstream->unsent.empty());
}

TEST(Tunnel, PassesAResetOnBehindTheBytesThatCameBeforeIt) {
  Connected state;
  state.client.unread.append("last");
  state.client.unsent.append("unheard");
  note_lost(state.client);
  EXPECT_EQ(advance(state, buffer_bytes, 0), Action::wait) << "they must be sent first";
  EXPECT_EQ(state.upstream->unsent.view(), "last");
  EXPECT_TRUE(state.client.unsent.empty()) << "nobody takes it any more";
  state.upstream->unsent.clear();
  EXPECT_EQ(advance(state, buffer_bytes, 0), Action::reset);
}

TEST(Tunnel, ReadsOnAfterAResetThatSendingHasFound) {
  Connected state;
  note_write_failed(*state.upstream);
  EXPECT_EQ(advance(state, buffer_bytes, 0), Action::wait) << "what came before the reset may be in the socket yet";
  state.upstream->unread.append("answer");
  EXPECT_EQ(advance(state, buffer_bytes, 0), Action::wait);
  state.client.unsent.clear();
  note_lost(*state.upstream);
  EXPECT_EQ(advance(state, buffer_bytes, 0), Action::reset);
}

TEST(Tunnel, IsCutWhenTheOtherSideTakesNothingOfWhatCameBeforeAReset) {
  Connected state;
  state.client.read_at_ms = 1'000;
  state.upstream->write_at_ms = 2'000;
  EXPECT_EQ(deadline_ms(state.client, *state.upstream, 500'000, 60'000), 502'000);
  note_lost(state.client);
  state.upstream->read_at_ms = 3'000;
  EXPECT_EQ(deadline_ms(state.client, *state.upstream, 500'000, 60'000), 62'000) << "what it says itself is no progress";
}

TEST(Tunnel, IsIdleSinceAByteLastMovedOnEitherLeg) {
  Connected state;
  state.client.read_at_ms = 1;
  EXPECT_EQ(last_progress_ms(state.client, *state.upstream), 1);
  state.upstream->read_at_ms = 2;
  EXPECT_EQ(last_progress_ms(state.client, *state.upstream), 2);
  state.client.write_at_ms = 3;
  EXPECT_EQ(last_progress_ms(state.client, *state.upstream), 3);
  state.upstream->write_at_ms = 4;
  EXPECT_EQ(last_progress_ms(state.client, *state.upstream), 4);
}

}  // namespace
}  // namespace baton::tunnel
