#include "proxy/http1/body.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace baton::http1 {
namespace {

using state::BodyFraming;
using state::ByChunks;
using state::ByLength;
using state::NoBody;
using state::UntilClose;

// Everything observable about a body after some input, piece by piece.
struct Outcome {
  BodyFraming framing;
  std::string payload;
  std::string kinds;  // 'p' for each byte of payload, 'f' for framing, 'b' for a byte that is not forwarded
  Sender sender = Sender::client;
  BodyStatus status = BodyStatus::more;
  bool operator==(const Outcome&) const = default;

  // False: the body is over or malformed.
  bool feed(std::string_view input) {
    for (;;) {
      const BodyPiece piece = consume_body(framing, input, sender);
      kinds.append(piece.bytes, piece.payload ? 'p' : piece.dropped ? 'b' : 'f');
      if (piece.payload) payload += input.substr(0, piece.bytes);
      input.remove_prefix(piece.bytes);
      status = piece.status;
      if (status != BodyStatus::more) return false;
      if (piece.bytes == 0) {
        EXPECT_TRUE(input.empty());
        return true;
      }
    }
  }
};

Outcome read_chunked(std::string_view input, Sender sender = Sender::client) {
  Outcome outcome{.framing = ByChunks{}, .sender = sender};
  outcome.feed(input);
  return outcome;
}

// The number of good bytes before a malformed body's first bad one.
std::size_t malformed_at(std::string_view input, Sender sender = Sender::client) {
  const Outcome outcome = read_chunked(input, sender);
  EXPECT_EQ(outcome.status, BodyStatus::malformed) << input;
  return outcome.kinds.size();
}

TEST(Body, ThatIsNotThereHasEnded) {
  BodyFraming framing = NoBody{};
  const BodyPiece piece = consume_body(framing, "next request", Sender::client);
  EXPECT_EQ(piece.bytes, 0U);
  EXPECT_FALSE(piece.payload);
  EXPECT_EQ(piece.status, BodyStatus::ended);
}

TEST(Body, ByLengthEndsWithItsLastByte) {
  BodyFraming framing = ByLength{10};
  BodyPiece piece = consume_body(framing, "1234", Sender::client);
  EXPECT_EQ(piece.bytes, 4U);
  EXPECT_TRUE(piece.payload);
  EXPECT_EQ(piece.status, BodyStatus::more);
  EXPECT_EQ(framing, BodyFraming{ByLength{6}});
  piece = consume_body(framing, "567890GET /", Sender::client);
  EXPECT_EQ(piece.bytes, 6U);
  EXPECT_EQ(piece.status, BodyStatus::ended);
  EXPECT_EQ(framing, BodyFraming{NoBody{}});
}

TEST(Body, UntilCloseNeverEndsByItself) {
  BodyFraming framing = UntilClose{};
  const BodyPiece piece = consume_body(framing, "0\r\n\r\n", Sender::client);
  EXPECT_EQ(piece.bytes, 5U);
  EXPECT_TRUE(piece.payload);
  EXPECT_EQ(piece.status, BodyStatus::more);
  EXPECT_EQ(framing, BodyFraming{UntilClose{}});
}

TEST(Body, AnEmptyInputIsUsedUp) {
  for (const BodyFraming& whole : {BodyFraming{ByLength{1}}, BodyFraming{ByChunks{}}, BodyFraming{UntilClose{}}}) {
    BodyFraming framing = whole;
    const BodyPiece piece = consume_body(framing, {}, Sender::client);
    EXPECT_EQ(piece.bytes, 0U);
    EXPECT_EQ(piece.status, BodyStatus::more);
    EXPECT_EQ(framing, whole);
  }
}

TEST(ChunkedBody, TellsPayloadFromFraming) {
  const Outcome outcome = read_chunked("4\r\nabcd\r\n2;x=\"y\"\r\nef\r\n0\r\n");
  EXPECT_EQ(outcome.payload, "abcdef");
  EXPECT_EQ(outcome.kinds, "fffppppfffffffffffppfffff");
  EXPECT_EQ(outcome.status, BodyStatus::trailers);
}

TEST(ChunkedBody, LeavesTheTrailersToTheCaller) {
  BodyFraming framing = ByChunks{};
  BodyPiece piece = consume_body(framing, "0\r\nA: b\r\n\r\n", Sender::client);
  EXPECT_EQ(piece.bytes, 3U);
  EXPECT_EQ(piece.status, BodyStatus::trailers);
  piece = consume_body(framing, "A: b\r\n\r\n", Sender::client);
  EXPECT_EQ(piece.bytes, 0U);
  EXPECT_EQ(piece.status, BodyStatus::trailers);
}

TEST(ChunkedBody, CutAtAnyByteIsReadAsTheWhole) {
  const std::vector<std::string> bodies = {
      "4\r\nabcd\r\n00000a;ext=\"1;2\";b\r\n0123456789\r\nFf\r\n" + std::string(255, '\r') +
          "\r\n000;last\r\nT: 1\r\n\r\n",
      "5\r\nabcdeX",
      "5 \r\n",
      "5 \t; a = \"x\\\"; y\" ;b=c\r\nhello\r\n0 \r\n",
      "5;a=\"x\r\n",
      "g\r\n",
      "1\r\na\r\n;\r\n",
      "1;a\x01\r\n",
      "1\n",
      "1\ra",
  };
  for (const Sender sender : {Sender::client, Sender::server}) {
    for (const std::string& body : bodies) {
      const Outcome whole = read_chunked(body, sender);
      for (std::size_t cut = 0; cut <= body.size(); ++cut) {
        Outcome outcome{.framing = ByChunks{}, .sender = sender};
        if (outcome.feed(std::string_view{body}.substr(0, cut))) outcome.feed(std::string_view{body}.substr(cut));
        EXPECT_EQ(outcome, whole) << body << " cut at " << cut;
      }
      Outcome byte_by_byte{.framing = ByChunks{}, .sender = sender};
      for (const char c : body) {
        if (!byte_by_byte.feed({&c, 1})) break;
      }
      EXPECT_EQ(byte_by_byte, whole) << body;
    }
  }
}

TEST(ChunkedBody, RefusesSizesThatAreNotHexDigitsOnly) {
  EXPECT_EQ(malformed_at("\r\n"), 0U);
  EXPECT_EQ(malformed_at(";x\r\n"), 0U);
  EXPECT_EQ(malformed_at("+1\r\n"), 0U);
  EXPECT_EQ(malformed_at("-1\r\n"), 0U);
  EXPECT_EQ(malformed_at(" 1\r\n"), 0U);
  EXPECT_EQ(malformed_at("0x1\r\n"), 1U);
  EXPECT_EQ(malformed_at("1_0\r\n"), 1U);
  EXPECT_EQ(malformed_at("5,5\r\n"), 1U);
}

TEST(ChunkedBody, BlanksBeforeAnExtensionAndAroundItsSignGoNoFurther) {
  const Outcome outcome = read_chunked("2 \t;x\r\nab\r\n");
  EXPECT_EQ(outcome.status, BodyStatus::more);
  EXPECT_EQ(outcome.kinds, "fbbffffppff");
  EXPECT_EQ(read_chunked("2; a\t= b ;c=\"d e\"\r\n").kinds, "ffbfbfbfbffffffffff");
}

TEST(ChunkedBody, ExtensionsOfServersGoNoFurther) {
  for (const char* extension : {";", ";x", " \t;x", ";;a", ";=b", "; a = \"x", ";bad[=\x80", ";a b;c"}) {
    const Outcome outcome = read_chunked(std::string("2") + extension + "\r\nab\r\n0" + extension + "\r\n", Sender::server);
    EXPECT_EQ(outcome.status, BodyStatus::trailers) << extension;
    const std::string dropped(std::string_view(extension).size(), 'b');
    EXPECT_EQ(outcome.kinds, "f" + dropped + "ffppfff" + dropped + "ff") << extension;
  }
}

TEST(ChunkedBody, AcceptsBlanksAtTheEndOfASizeLineFromServersOnly) {
  EXPECT_EQ(read_chunked("2  \r\nab\r\n0\t\r\n", Sender::server).kinds, "fbbffppfffbff");
  EXPECT_EQ(read_chunked("2  \r\nab\r\n0\t\r\n", Sender::server).status, BodyStatus::trailers);
  EXPECT_EQ(malformed_at("2 \r\n"), 2U);
  EXPECT_EQ(malformed_at("2;a \r\n"), 4U);
  EXPECT_EQ(malformed_at("2;a=b \r\n"), 6U);
  EXPECT_EQ(malformed_at("2;a=\"b\" \r\n"), 8U);
  const std::string endless = "2" + std::string(chunk_line_bytes_max, ' ');
  EXPECT_EQ(malformed_at(endless, Sender::server), chunk_line_bytes_max);
}

TEST(ChunkedBody, RefusesOtherCharactersAfterABlank) {
  for (const Sender sender : {Sender::client, Sender::server}) {
    EXPECT_EQ(malformed_at("2 2\r\n", sender), 2U);
    EXPECT_EQ(malformed_at("2 \n", sender), 2U);
    EXPECT_EQ(malformed_at("2 x;a\r\n", sender), 2U);
  }
}

TEST(ChunkedBody, HoldsTheExtensionsOfClientsToTheirGrammar) {
  for (const char* line : {"5;a", "5;a=b", "5;a=\"\"", "5;a=\"x;y\\\"\t\x80\"", "5;a;b;c=d", "5;!#$%&'*+-.^_`|~"}) {
    EXPECT_EQ(read_chunked(line + std::string("\r\n")).status, BodyStatus::more) << line;
  }
  for (const char* line : {"5;", "5;;a", "5;=b", "5;a=", "5;a==b", "5;bad[=x", "5;a b", "5;a=b c", "5;a=\"x",
                           "5;a=\"x\"y", "5;a=x\"y\"", "5;a=\"\x01\"", "5;a=\"\\\x7f\"", "5;a\x80", "5;a=[", "5; ", "5;a= "}) {
    EXPECT_EQ(read_chunked(line + std::string("\r\n")).status, BodyStatus::malformed) << line;
    EXPECT_EQ(read_chunked(line + std::string("\r\n"), Sender::server).status,
              std::string_view(line).find_first_of("\x01\x7f") == std::string_view::npos ? BodyStatus::more
                                                                                        : BodyStatus::malformed)
        << line;
  }
}

TEST(ChunkedBody, RefusesSizesOfMoreThanSixteenDigits) {
  EXPECT_EQ(read_chunked("0000000000000001\r\n").status, BodyStatus::more);
  EXPECT_EQ(malformed_at("00000000000000001\r\n"), 16U);
}

TEST(ChunkedBody, RefusesSizesThatOverflowASignedNumber) {
  const Outcome outcome = read_chunked("7fffffffffffffff\r\n");
  EXPECT_EQ(std::get<ByChunks>(outcome.framing).remaining, 0x7fffffffffffffffU);
  EXPECT_EQ(malformed_at("8000000000000000\r\n"), 15U);
  EXPECT_EQ(malformed_at("ffffffffffffffff\r\n"), 15U);
}

TEST(ChunkedBody, RefusesBareLineFeedsAndCarriageReturns) {
  EXPECT_EQ(malformed_at("1\na"), 1U);
  EXPECT_EQ(malformed_at("1\ra"), 2U);
  EXPECT_EQ(malformed_at("1;x\na"), 3U);
  EXPECT_EQ(malformed_at("1;x\ra"), 4U);
  EXPECT_EQ(malformed_at("1\r\na\n"), 4U);
  EXPECT_EQ(malformed_at("1\r\na\rx"), 5U);
}

TEST(ChunkedBody, RefusesDataLongerThanItsSize) {
  EXPECT_EQ(malformed_at("3\r\nabcd\r\n"), 6U);
}

TEST(ChunkedBody, RefusesControlsInExtensions) {
  for (int c = 0; c < 256; ++c) {
    if (c == '\r') continue;
    const bool control = (c < 0x20 && c != '\t') || c == 0x7f;
    const Outcome outcome = read_chunked(std::string{"1;a"} + static_cast<char>(c) + "b\r\n", Sender::server);
    EXPECT_EQ(outcome.status, control ? BodyStatus::malformed : BodyStatus::more) << c;
  }
}

TEST(ChunkedBody, BoundsTheSizeLine) {
  const std::string longest = "1;" + std::string(chunk_line_bytes_max - 4, 'x') + "\r\n";
  EXPECT_EQ(longest.size(), chunk_line_bytes_max);
  EXPECT_EQ(read_chunked(longest + "a\r\n" + longest + "b").payload, "ab");
  EXPECT_EQ(malformed_at("1;" + std::string(chunk_line_bytes_max, 'x')), chunk_line_bytes_max);
  EXPECT_EQ(malformed_at("1;" + std::string(chunk_line_bytes_max - 3, 'x') + "\r\n"), chunk_line_bytes_max);
}

TEST(TrailersEnd, IsFoundAtTheEmptyLine) {
  EXPECT_EQ(find_trailers_end("\r\nnext"), 2U);
  EXPECT_EQ(find_trailers_end("A: b\r\n\r\n"), 8U);
  EXPECT_EQ(find_trailers_end("A: b\r\nC: d\r\n\r\nnext\r\n\r\n"), 14U);
}

TEST(TrailersEnd, IsNotThereYetInAnyTruncation) {
  const std::string_view whole = "A: b\r\nC: d\r\n\r\n";
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(find_trailers_end(whole.substr(0, size)), 0U) << size;
}

TEST(TrailersEnd, RefusesBareLineFeedsAndCarriageReturns) {
  for (const char* raw : {"\n", "A: b\n", "A: b\r\n\n", "A: b\rC", "\rA", "A: b\r\nC: \nd", "A\nb\r\n\r\n"}) {
    EXPECT_EQ(find_trailers_end(raw), std::string_view::npos) << raw;
  }
}

}  // namespace
}  // namespace baton::http1
