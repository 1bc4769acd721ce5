#include "proxy/tunnel/tunnel.hpp"

#include <gtest/gtest.h>

#include <string>

namespace baton::tunnel {
namespace {

constexpr std::uint64_t buffer_bytes = 16;

state::ConnectionState connected() {
  state::ConnectionState state;
  state.protocol = state::Tunnel{};
  state.upstream.emplace();
  return state;
}

TEST(Tunnel, AsksForAServerFirst) {
  state::ConnectionState state;
  state.protocol = state::Tunnel{};
  EXPECT_EQ(advance(state, buffer_bytes, 0), Need::connect);
}

TEST(Tunnel, PassesBytesBothWaysAsTheyAre) {
  state::ConnectionState state = connected();
  state.client.unread.append("ping");
  state.upstream->unread.append("pong");
  EXPECT_EQ(advance(state, buffer_bytes, 5), Need::nothing);
  EXPECT_EQ(state.upstream->unsent.view(), "ping");
  EXPECT_EQ(state.client.unsent.view(), "pong");
  EXPECT_TRUE(state.client.unread.empty() && state.upstream->unread.empty());
  EXPECT_EQ(state.client.write_at_ms, 5);
}

TEST(Tunnel, PassesNoMoreThanThereIsRoomFor) {
  state::ConnectionState state = connected();
  state.upstream->unsent.append("0123456789");
  state.client.unread.append("abcdefghijkl");
  EXPECT_EQ(advance(state, buffer_bytes, 0), Need::nothing);
  EXPECT_EQ(state.upstream->unsent.view(), "0123456789abcdef");
  EXPECT_EQ(state.client.unread.view(), "ghijkl");
}

TEST(Tunnel, EndsEachDirectionOnceAllOfItIsSent) {
  state::ConnectionState state = connected();
  state.client.unread.append("last");
  state.client.read_ended = true;
  EXPECT_EQ(advance(state, buffer_bytes, 0), Need::nothing) << "it must be sent first";
  state.upstream->unsent.clear();
  EXPECT_EQ(advance(state, buffer_bytes, 0), Need::end_upstream_writing);
  state.upstream->write_ended = true;

  state.upstream->unread.append("answer");
  EXPECT_EQ(advance(state, buffer_bytes, 0), Need::nothing) << "the other direction goes on";
  EXPECT_EQ(state.client.unsent.view(), "answer");
  state.client.unsent.clear();
  state.upstream->read_ended = true;
  EXPECT_EQ(advance(state, buffer_bytes, 0), Need::end_client_writing);
  state.client.write_ended = true;
  EXPECT_EQ(advance(state, buffer_bytes, 0), Need::close);
}

TEST(Tunnel, ThrowsAwayWhatNobodyTakesAnyMore) {
  state::ConnectionState state = connected();
  state.upstream->write_ended = true;
  state.client.unread.append("unheard");
  EXPECT_EQ(advance(state, buffer_bytes, 0), Need::nothing);
  EXPECT_TRUE(state.client.unread.empty());
  EXPECT_TRUE(state.upstream->unsent.empty());
}

TEST(Tunnel, PassesAResetOnBehindTheBytesThatCameBeforeIt) {
  state::ConnectionState state = connected();
  state.client.unread.append("last");
  state.client.unsent.append("unheard");
  note_lost(state.client);
  EXPECT_EQ(advance(state, buffer_bytes, 0), Need::nothing) << "they must be sent first";
  EXPECT_EQ(state.upstream->unsent.view(), "last");
  EXPECT_TRUE(state.client.unsent.empty()) << "nobody takes it any more";
  state.upstream->unsent.clear();
  EXPECT_EQ(advance(state, buffer_bytes, 0), Need::reset);
}

TEST(Tunnel, ReadsOnAfterAResetThatSendingHasFound) {
  state::ConnectionState state = connected();
  note_write_failed(*state.upstream);
  EXPECT_EQ(advance(state, buffer_bytes, 0), Need::nothing) << "what came before the reset may be in the socket yet";
  state.upstream->unread.append("answer");
  EXPECT_EQ(advance(state, buffer_bytes, 0), Need::nothing);
  state.client.unsent.clear();
  note_lost(*state.upstream);
  EXPECT_EQ(advance(state, buffer_bytes, 0), Need::reset);
}

TEST(Tunnel, IsCutWhenTheOtherSideTakesNothingOfWhatCameBeforeAReset) {
  state::ConnectionState state = connected();
  state.client.read_at_ms = 1'000;
  state.upstream->write_at_ms = 2'000;
  EXPECT_EQ(deadline_ms(state, 500'000, 60'000), 502'000);
  note_lost(state.client);
  state.upstream->read_at_ms = 3'000;
  EXPECT_EQ(deadline_ms(state, 500'000, 60'000), 62'000) << "what it says itself is no progress";
}

TEST(Tunnel, IsIdleSinceAByteLastMovedOnEitherLeg) {
  state::ConnectionState state = connected();
  state.client.read_at_ms = 1;
  EXPECT_EQ(last_progress_ms(state), 1);
  state.upstream->read_at_ms = 2;
  EXPECT_EQ(last_progress_ms(state), 2);
  state.client.write_at_ms = 3;
  EXPECT_EQ(last_progress_ms(state), 3);
  state.upstream->write_at_ms = 4;
  EXPECT_EQ(last_progress_ms(state), 4);
}

}  // namespace
}  // namespace baton::tunnel
