// A conversation with a server moves to another process at each of its bytes, and nobody can tell.
#include <gtest/gtest.h>

#include <string>

#include "proxy/http2/testing/client_conversation.hpp"
#include "proxy/http2/testing/movement.hpp"

namespace baton::http2 {
namespace {

std::string script() {
  const std::string ok = "\x88";
  std::string all = frame(FrameType::settings, 0, 0, setting(3, 100) + setting(4, 100) + setting(8, 1));
  all += frame(FrameType::settings, flag_ack, 0);
  all += frame(FrameType::headers, whole, 1, ok + remembered('a') + remembered('b'));
  all += frame(FrameType::headers, 0, 3, ok + "\xbe");  // the newest field
  all += frame(FrameType::continuation, 0, 3, "\xbf");  // the one before
  all += frame(FrameType::continuation, flag_end_headers, 3, remembered('c'));
  all += frame(FrameType::data, 0, 1, std::string(150, 'x'));
  all += frame(FrameType::ping, 0, 0, "12345678");
  all += frame(FrameType::data, flag_padded, 3, std::string("\3yyyy", 5) + std::string(3, '\0'));
  all += headers(5, {{":status", "103"}, {"link", "x"}}, whole);
  all += frame(FrameType::window_update, 0, 5, number(5'000));  // for the content of the third request
  all += frame(FrameType::data, flag_end_stream, 1, std::string(150, 'z'));
  all += frame(FrameType::headers, last, 3, "\x40\x01t\x01u");  // trailers
  all += frame(FrameType::headers, whole, 5, ok + "\xbe\xc0");
  all += frame(FrameType::settings, 0, 0, setting(4, 50));
  all += frame(FrameType::settings, 0, 0, setting(4, 1'000));
  all += frame(FrameType::rst_stream, 0, 7, number(8));
  all += frame(FrameType::goaway, 0, 0, number(5) + number(0));
  all += frame(FrameType::window_update, 0, 5, number(100'000));
  all += frame(FrameType::data, flag_end_stream, 5, "last");
  return all;
}

void ask_all(ClientConversation& one) {
  one.ask();
  one.ask();
  one.ask(20'000);
  one.ask(20'000);
  one.ask();
}

void expect_same(const ClientConversation& stays, const ClientConversation& moves) {
  EXPECT_EQ(moves.sent(), stays.sent());
  EXPECT_EQ(moves.got(), stays.got());
  EXPECT_EQ(moves.state(), stays.state());
  EXPECT_TRUE(stays.state().http2()->streams.empty());
}

TEST(ClientMovement, AtNoByteChangesAnything) {
  expect_same_if_moved_at_each_byte<ClientConversation>(script(), ask_all, expect_same);
}

TEST(ClientMovement, AtEveryByteChangesNothing) {
  expect_same_if_moved_at_all_bytes<ClientConversation>(script(), ask_all, expect_same);
}

}  // namespace
}  // namespace baton::http2
