// A conversation of HTTP/2 moves to another process at each of its bytes, and nobody can tell.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "proxy/http2/testing/conversation.hpp"

namespace baton::http2 {
namespace {

using List = std::vector<std::pair<std::string, std::string>>;

std::string frame(FrameType type, std::uint8_t flags, std::uint32_t stream, std::string_view payload = {}) {
  state::Buffer out;
  append_frame_head(out, {static_cast<std::uint32_t>(payload.size()), type, flags, stream});
  out.append(payload);
  return std::string(out.view());
}

// With fields that the decoder has to remember: literals with indexing, then their indices (RFC 7541 §6.2.1, §6.1).
std::string remembered(char name) {
  return std::string("\x40\x01") + name + "\x05value";
}

std::string number(std::uint32_t value) {
  const auto bytes = bytes_of(value);
  return {bytes.data(), bytes.size()};
}

std::string script() {
  const std::string post = "\x83\x86\x84\x41\x04test";  // POST, http, /, :authority
  const std::string get = "\x82\x86\x84\x41\x04test";
  std::string all(preface);
  all += frame(FrameType::settings, 0, 0, std::string("\0\4", 2) + number(100) + std::string("\0\1", 2) + number(0));
  all += frame(FrameType::settings, flag_ack, 0);
  all += frame(FrameType::headers, flag_end_headers, 1, post + remembered('a') + remembered('b'));
  all += frame(FrameType::headers, 0, 3, post + "\xbe");  // the newest field
  all += frame(FrameType::continuation, 0, 3, "\xbf");    // the one before
  all += frame(FrameType::continuation, flag_end_headers, 3, remembered('c'));
  all += frame(FrameType::data, 0, 1, std::string(150, 'x'));
  all += frame(FrameType::ping, 0, 0, "12345678");
  all += frame(FrameType::data, flag_padded, 3, std::string("\3yyyy", 5) + std::string(3, '\0'));
  all += frame(FrameType::data, flag_end_stream, 1, std::string(150, 'z'));  // more than its window of 100
  all += frame(FrameType::headers, flag_end_headers | flag_end_stream, 3, "\x40\x01t\x01u");
  all += frame(FrameType::headers, flag_end_headers | flag_end_stream, 5, get + "\xbe\xc0");
  all += frame(FrameType::window_update, 0, 1, number(120));
  all += frame(FrameType::headers, flag_end_headers, 7, post);
  all += frame(FrameType::rst_stream, 0, 7, number(8));
  all += frame(FrameType::settings, 0, 0, std::string("\0\4", 2) + number(50));
  all += frame(FrameType::settings, 0, 0, std::string("\0\4", 2) + number(1'000));
  all += frame(FrameType::headers, flag_end_headers | flag_end_stream, 9, get + "\xbe");
  all += frame(FrameType::goaway, 0, 0, number(0) + number(0));
  all += frame(FrameType::window_update, 0, 0, number(1'000));
  return all;
}

TEST(Movement, AtNoByteChangesAnything) {
  const std::string input = script();
  Conversation whole;
  ASSERT_TRUE(whole.take(input)) << whole.scratch.failure;
  EXPECT_TRUE(whole.state().http2()->streams.empty());
  for (std::size_t at = 0; at <= input.size(); ++at) {
    Conversation stays;
    Conversation moves;
    for (Conversation* const one : {&stays, &moves}) {
      ASSERT_TRUE(one->take(input.substr(0, at))) << at;
      if (one == &moves) moves.move();
      ASSERT_TRUE(one->take(input.substr(at))) << at << ": " << one->scratch.failure;
    }
    ASSERT_EQ(moves.sent(), stays.sent()) << at;
    ASSERT_EQ(moves.state(), stays.state()) << at;
  }
}

TEST(Movement, AtEveryByteChangesNothing) {
  const std::string input = script();
  Conversation stays;
  Conversation moves;
  for (const char& c : input) {
    ASSERT_TRUE(stays.take({&c, 1}));
    ASSERT_TRUE(moves.take({&c, 1})) << moves.scratch.failure;
    moves.move();
  }
  EXPECT_EQ(moves.sent(), stays.sent());
  EXPECT_EQ(moves.state(), stays.state());
}

}  // namespace
}  // namespace baton::http2
