// What streams consist of: content, chunks, frames and echoes.
#include <gtest/gtest.h>

#include <set>
#include <stdexcept>

#include "clients/chunks.hpp"
#include "clients/content.hpp"
#include "clients/dialogue.hpp"
#include "clients/echo_talk.hpp"
#include "clients/frames.hpp"

namespace baton::clients {
namespace {

TEST(Content, IsTheSameHoweverItIsCut) {
  const Content content("/download/1");
  const std::string whole = content.at(0, 300);
  for (std::size_t offset = 0; offset < 40; ++offset) {
    for (std::size_t bytes = 0; bytes < 40; ++bytes) {
      EXPECT_EQ(content.at(offset, bytes), whole.substr(offset, bytes));
      EXPECT_TRUE(content.matches(offset, whole.substr(offset, bytes)));
    }
  }
}

TEST(Content, DiffersForStreamsAndPositions) {
  std::set<std::string> seen;
  for (const char* stream : {"/download/1", "/download/2", "/flood/1"}) {
    for (std::uint64_t offset = 0; offset < 1000; ++offset) {
      EXPECT_TRUE(seen.insert(Content(stream).at(offset, 16)).second);
    }
  }
}

TEST(Digest, DependsOnTheOrder) {
  Digest one;
  Digest other;
  one.add("ab");
  other.add("ba");
  EXPECT_NE(one.value(), other.value());
}

TEST(Chunks, AreReadInPiecesOfAnySize) {
  const std::string sent = chunk("a") + chunk(std::string(300, 'b')) + chunk("c\r\n") + std::string(last_chunk);
  for (std::size_t piece = 1; piece <= sent.size(); ++piece) {
    ChunkReader reader;
    std::string data;
    for (std::size_t at = 0; at < sent.size(); at += piece) {
      EXPECT_FALSE(reader.ended());
      ASSERT_TRUE(reader.read(std::string_view(sent).substr(at, piece), data));
    }
    EXPECT_TRUE(reader.ended());
    EXPECT_EQ(data, "a" + std::string(300, 'b') + "c\r\n");
  }
}

TEST(Chunks, AreRefusedWhenAnythingElseComes) {
  for (const char* wrong : {"\r\n", "g\r\n", "1;x\r\na\r\n", "1\na\r\n", "1\r\nab\r\n", "1\r\na\n",
                            "0\r\nTrailer: 1\r\n", "0\r\n\r\nmore", "ffffffffffffffff1\r\n"}) {
    ChunkReader reader;
    std::string data;
    EXPECT_FALSE(reader.read(wrong, data)) << wrong;
  }
}

TEST(Frames, ComeBackAtEveryFormOfLength) {
  for (const std::size_t bytes : {0u, 1u, 125u, 126u, 65535u, 65536u}) {
    const std::string payload = Content("frame").at(0, bytes);
    for (const auto mask : {std::optional<std::uint32_t>(), std::optional<std::uint32_t>(0x12345678)}) {
      std::string sent = encode_frame(Opcode::binary, payload, mask) + "rest";
      const auto frame = take_frame(sent);
      ASSERT_TRUE(frame);
      EXPECT_EQ(frame->opcode, Opcode::binary);
      EXPECT_EQ(frame->masked, mask.has_value());
      EXPECT_EQ(frame->payload, payload);
      EXPECT_EQ(sent, "rest");
    }
  }
}

// RFC 6455 §5.7
TEST(Frames, LookAsTheRfcShowsThem) {
  EXPECT_EQ(encode_frame(Opcode::close, "Hello").substr(1), "\x05Hello");
  EXPECT_EQ(encode_frame(Opcode::close, "Hello", 0x37fa213d).substr(1), "\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
}

TEST(Frames, WaitForTheirLastByte) {
  const std::string whole = encode_frame(Opcode::binary, std::string(200, 'x'), 7);
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    std::string part = whole.substr(0, bytes);
    EXPECT_FALSE(take_frame(part));
    EXPECT_EQ(part.size(), bytes);
  }
}

TEST(Frames, AreRefusedWhenNobodySendsThem) {
  for (const std::string wrong : {"\x02\x01x", "\xc2\x01x", "\x81\x01x"}) {
    std::string bytes = wrong;
    EXPECT_THROW(take_frame(bytes), std::runtime_error);
  }
}

TEST(EchoTalk, NoticesEveryDifference) {
  for (std::size_t wrong = 0; wrong < 20; ++wrong) {
    EchoTalk talk("name");
    std::string echo;
    while (echo.size() < 20) {
      const std::string message = talk.next();
      talk.expect(message);
      echo += message;
    }
    std::string altered = echo;
    altered[wrong] = static_cast<char>(altered[wrong] ^ 1);
    EXPECT_FALSE(talk.take(altered));
    EXPECT_TRUE(talk.take(echo));
    EXPECT_TRUE(talk.all_returned());
    EXPECT_FALSE(talk.take("x"));
  }
}

TEST(EchoTalk, CountsMessagesOnceTheyAreWhole) {
  EchoTalk talk("name");
  talk.expect("one");
  talk.expect("two");
  EXPECT_TRUE(talk.take("onet"));
  EXPECT_EQ(talk.collect(), 1u);
  EXPECT_TRUE(talk.take("wo"));
  EXPECT_EQ(talk.collect(), 1u);
  EXPECT_EQ(talk.collect(), 0u);
}

TEST(EchoTalk, StopsTalkingWhenNothingComesBack) {
  EchoTalk talk("name");
  unsigned messages = 0;
  for (std::string message = talk.next(); !message.empty(); message = talk.next(), ++messages) talk.expect(message);
  EXPECT_GT(messages, 10u);
}

TEST(Events, AreAllDifferent) {
  std::set<std::string> seen;
  for (const char* target : {"/events/1", "/events/2"}) {
    for (std::uint64_t serial = 1; serial < 200; ++serial) {
      EXPECT_TRUE(seen.insert(expected_event(target, serial)).second);
    }
  }
}

}  // namespace
}  // namespace baton::clients
