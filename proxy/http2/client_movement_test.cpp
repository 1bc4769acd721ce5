// A conversation with a server moves to another process at each of its bytes, and nobody can tell.
#include <gtest/gtest.h>

#include <string>

#include "proxy/http2/testing/client_conversation.hpp"
#include "proxy/http2/testing/frames.hpp"

namespace baton::http2 {
namespace {

// With fields that the decoder has to remember: literals with indexing, then their indices (RFC 7541 §6.2.1, §6.1).
std::string remembered(char name) {
  return std::string("\x40\x01") + name + "\x05value";
}

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

TEST(ClientMovement, AtNoByteChangesAnything) {
  const std::string input = script();
  for (std::size_t at = 0; at <= input.size(); ++at) {
    ClientConversation stays;
    ClientConversation moves;
    for (ClientConversation* const one : {&stays, &moves}) {
      ask_all(*one);
      ASSERT_TRUE(one->take(input.substr(0, at))) << at;
      if (one == &moves) moves.move();
      ASSERT_TRUE(one->take(input.substr(at))) << at << ": " << one->scratch.failure;
    }
    ASSERT_EQ(moves.sent(), stays.sent()) << at;
    ASSERT_EQ(moves.got(), stays.got()) << at;
    ASSERT_EQ(moves.state(), stays.state()) << at;
    ASSERT_TRUE(stays.state().http2()->streams.empty());
  }
}

TEST(ClientMovement, AtEveryByteChangesNothing) {
  const std::string input = script();
  ClientConversation stays;
  ClientConversation moves;
  ask_all(stays);
  ask_all(moves);
  for (const char& c : input) {
    ASSERT_TRUE(stays.take({&c, 1}));
    ASSERT_TRUE(moves.take({&c, 1})) << moves.scratch.failure;
    moves.move();
  }
  EXPECT_EQ(moves.sent(), stays.sent());
  EXPECT_EQ(moves.got(), stays.got());
  EXPECT_EQ(moves.state(), stays.state());
}

}  // namespace
}  // namespace baton::http2
