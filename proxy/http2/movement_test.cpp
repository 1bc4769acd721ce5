// A conversation of HTTP/2 moves to another process at each of its bytes, and nobody can tell.
#include <gtest/gtest.h>

#include <string>

#include "proxy/http2/testing/conversation.hpp"
#include "proxy/http2/testing/movement.hpp"

namespace baton::http2 {
namespace {

std::string script() {
  const std::string post_fields = "\x83\x86\x84\x41\x04test";  // POST, http, /, :authority
  const std::string get_fields = "\x82\x86\x84\x41\x04test";
  std::string all(preface);
  all += frame(FrameType::settings, 0, 0, std::string("\0\4", 2) + number(100) + std::string("\0\1", 2) + number(0));
  all += frame(FrameType::settings, flag_ack, 0);
  all += frame(FrameType::headers, flag_end_headers, 1, post_fields + remembered('a') + remembered('b'));
  all += frame(FrameType::headers, 0, 3, post_fields + "\xbe");  // the newest field
  all += frame(FrameType::continuation, 0, 3, "\xbf");           // the one before
  all += frame(FrameType::continuation, flag_end_headers, 3, remembered('c'));
  all += frame(FrameType::data, 0, 1, std::string(150, 'x'));
  all += frame(FrameType::ping, 0, 0, "12345678");
  all += frame(FrameType::data, flag_padded, 3, std::string("\3yyyy", 5) + std::string(3, '\0'));
  all += frame(FrameType::data, flag_end_stream, 1, std::string(150, 'z'));  // more than its window of 100
  all += frame(FrameType::headers, flag_end_headers | flag_end_stream, 3, "\x40\x01t\x01u");
  all += frame(FrameType::headers, flag_end_headers | flag_end_stream, 5, get_fields + "\xbe\xc0");
  all += frame(FrameType::window_update, 0, 1, number(120));
  all += frame(FrameType::headers, flag_end_headers, 7, post_fields);
  all += frame(FrameType::rst_stream, 0, 7, number(8));
  all += frame(FrameType::settings, 0, 0, std::string("\0\4", 2) + number(50));
  all += frame(FrameType::settings, 0, 0, std::string("\0\4", 2) + number(1'000));
  all += frame(FrameType::headers, flag_end_headers | flag_end_stream, 9, get_fields + "\xbe");
  all += frame(FrameType::goaway, 0, 0, number(0) + number(0));
  all += frame(FrameType::window_update, 0, 0, number(1'000));
  return all;
}

void begin_nothing(Conversation&) {}

void expect_same(const Conversation& stays, const Conversation& moves) {
  EXPECT_EQ(moves.sent(), stays.sent());
  EXPECT_EQ(moves.state(), stays.state());
  EXPECT_TRUE(stays.state().http2()->streams.empty());
}

TEST(Movement, AtNoByteChangesAnything) {
  expect_same_if_moved_at_each_byte<Conversation>(script(), begin_nothing, expect_same);
}

TEST(Movement, AtEveryByteChangesNothing) {
  expect_same_if_moved_at_all_bytes<Conversation>(script(), begin_nothing, expect_same);
}

}  // namespace
}  // namespace baton::http2
