// The examples of RFC 7541 appendix C, and every kind of invalid block.
#include "proxy/http2/hpack_decoder.hpp"

#include <gmock/gmock.h>

#include <string>
#include <utility>
#include <vector>


namespace baton::http2 {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using Fields = std::vector<std::pair<std::string, std::string>>;

constexpr std::size_t plenty = 32 * 1024;

std::string bytes(std::string_view hex) {
  std::string made;
  std::string digits;
  for (const char c : hex) {
    if (c == ' ') continue;
    digits += c;
    if (digits.size() < 2) continue;
    made += static_cast<char>(std::stoi(digits, nullptr, 16));
    digits.clear();
  }
  return made;
}

Fields fields_of(const HeaderList& list) {
  Fields fields;
  for (const HeaderField& field : list.fields()) fields.emplace_back(field.name, field.value);
  return fields;
}

// Newest first.
Fields entries_of(const state::HpackTable& table) {
  Fields entries;
  for (std::uint32_t i = 0; i < table.count(); ++i) entries.emplace_back(table.at(i).name, table.at(i).value);
  return entries;
}

// The blocks of one peer.
class Decoder {
 public:
  explicit Decoder(std::uint32_t maximum = 4096) { table.set_maximum(maximum); }

  // The block must be valid.
  Fields decode(std::string_view hex) {
    EXPECT_EQ(error(hex), BlockError::none) << hex;
    return fields_of(list);
  }
  BlockError error(std::string_view hex, std::size_t list_bytes_max = plenty) {
    return decode_block(bytes(hex), table, list_bytes_max, list);
  }

  state::HpackTable table;
  HeaderList list;
};

// ── RFC 7541 appendix C ───────────────────────────────────────────────────────────────────────────────────────────

TEST(HpackDecoder, ALiteralWithIndexing) {
  Decoder decoder;
  EXPECT_THAT(decoder.decode("400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572"),
              ElementsAre(Pair("custom-key", "custom-header")));
  EXPECT_THAT(entries_of(decoder.table), ElementsAre(Pair("custom-key", "custom-header")));
  EXPECT_EQ(decoder.table.size(), 55U);
  EXPECT_EQ(decoder.list.bytes(), 55U);
}

TEST(HpackDecoder, ALiteralWithoutIndexing) {
  Decoder decoder;
  EXPECT_THAT(decoder.decode("040c 2f73 616d 706c 652f 7061 7468"), ElementsAre(Pair(":path", "/sample/path")));
  EXPECT_THAT(entries_of(decoder.table), IsEmpty());
  EXPECT_FALSE(decoder.list.fields()[0].never_indexed);
}

TEST(HpackDecoder, ALiteralNeverIndexed) {
  Decoder decoder;
  EXPECT_THAT(decoder.decode("1008 7061 7373 776f 7264 0673 6563 7265 74"), ElementsAre(Pair("password", "secret")));
  EXPECT_THAT(entries_of(decoder.table), IsEmpty());
  EXPECT_TRUE(decoder.list.fields()[0].never_indexed);
}

TEST(HpackDecoder, AnIndexedField) {
  Decoder decoder;
  EXPECT_THAT(decoder.decode("82"), ElementsAre(Pair(":method", "GET")));
  EXPECT_THAT(decoder.decode("bd"), ElementsAre(Pair("www-authenticate", "")));
}

void three_requests(const char* first, const char* second, const char* third) {
  Decoder decoder;
  EXPECT_THAT(decoder.decode(first), ElementsAre(Pair(":method", "GET"), Pair(":scheme", "http"), Pair(":path", "/"),
                                                 Pair(":authority", "www.example.com")));
  EXPECT_EQ(decoder.table.size(), 57U);
  EXPECT_THAT(decoder.decode(second),
              ElementsAre(Pair(":method", "GET"), Pair(":scheme", "http"), Pair(":path", "/"),
                          Pair(":authority", "www.example.com"), Pair("cache-control", "no-cache")));
  EXPECT_EQ(decoder.table.size(), 110U);
  EXPECT_THAT(decoder.decode(third),
              ElementsAre(Pair(":method", "GET"), Pair(":scheme", "https"), Pair(":path", "/index.html"),
                          Pair(":authority", "www.example.com"), Pair("custom-key", "custom-value")));
  EXPECT_THAT(entries_of(decoder.table),
              ElementsAre(Pair("custom-key", "custom-value"), Pair("cache-control", "no-cache"),
                          Pair(":authority", "www.example.com")));
  EXPECT_EQ(decoder.table.size(), 164U);
}

TEST(HpackDecoder, RequestsWithoutHuffman) {
  three_requests("8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", "8286 84be 5808 6e6f 2d63 6163 6865",
                 "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65");
}

TEST(HpackDecoder, RequestsWithHuffman) {
  three_requests("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", "8286 84be 5886 a8eb 1064 9cbf",
                 "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf");
}

// The table of 256 bytes evicts.
void three_responses(const char* first, const char* second, const char* third) {
  const auto date = [](const char* time) {
    return Pair("date", std::string("Mon, 21 Oct 2013 20:13:") + time + " GMT");
  };
  const auto location = Pair("location", "https://www.example.com");
  const auto is_private = Pair("cache-control", "private");
  const auto cookie = Pair("set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1");
  Decoder decoder(256);
  EXPECT_THAT(decoder.decode(first), ElementsAre(Pair(":status", "302"), is_private, date("21"), location));
  EXPECT_THAT(entries_of(decoder.table), ElementsAre(location, date("21"), is_private, Pair(":status", "302")));
  EXPECT_EQ(decoder.table.size(), 222U);
  EXPECT_THAT(decoder.decode(second), ElementsAre(Pair(":status", "307"), is_private, date("21"), location));
  EXPECT_THAT(entries_of(decoder.table), ElementsAre(Pair(":status", "307"), location, date("21"), is_private));
  EXPECT_EQ(decoder.table.size(), 222U);
  EXPECT_THAT(decoder.decode(third), ElementsAre(Pair(":status", "200"), is_private, date("22"), location,
                                                 Pair("content-encoding", "gzip"), cookie));
  EXPECT_THAT(entries_of(decoder.table), ElementsAre(cookie, Pair("content-encoding", "gzip"), date("22")));
  EXPECT_EQ(decoder.table.size(), 215U);
}

TEST(HpackDecoder, ResponsesWithoutHuffman) {
  three_responses(
      "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d "
      "546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
      "4803 3330 37c1 c0bf",
      "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f "
      "6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b "
      "2076 6572 7369 6f6e 3d31");
}

TEST(HpackDecoder, ResponsesWithHuffman) {
  three_responses(
      "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 "
      "8f0b 97c8 e9ae 82ae 43d3",
      "4883 640e ffc1 c0bf",
      "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 "
      "dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07");
}

// ── Size updates ──────────────────────────────────────────────────────────────────────────────────────────────────

TEST(HpackDecoder, ASizeUpdateEvicts) {
  Decoder decoder;
  decoder.decode("4001 6101 62");
  EXPECT_EQ(decoder.table.count(), 1U);
  EXPECT_THAT(decoder.decode("20"), IsEmpty());
  EXPECT_EQ(decoder.table.count(), 0U);
  EXPECT_THAT(decoder.decode("4001 6101 62"), ElementsAre(Pair("a", "b"))) << "which the table cannot hold";
  EXPECT_EQ(decoder.table.count(), 0U);
  EXPECT_THAT(decoder.decode("20 3fe1 1f 82"), ElementsAre(Pair(":method", "GET")));
  EXPECT_EQ(decoder.table.maximum(), 4096U);
}

TEST(HpackDecoder, SizeUpdatesKeepToTheLimitTheBeginningAndTwo) {
  EXPECT_EQ(Decoder().error("3fe2 1f"), BlockError::compression) << "4097";
  EXPECT_EQ(Decoder().error("82 20"), BlockError::compression);
  EXPECT_EQ(Decoder().error("20 82 20"), BlockError::compression);
  EXPECT_EQ(Decoder().error("20 20 20"), BlockError::compression);
  EXPECT_EQ(Decoder().error("3f"), BlockError::compression);
  EXPECT_EQ(Decoder().error("3fe1"), BlockError::compression);
  Decoder raised;
  raised.table.raise_limit(65536);
  EXPECT_EQ(raised.error("3fe1 ff03"), BlockError::none);
  EXPECT_EQ(raised.table.maximum(), 65536U);
}

// ── Invalid blocks ────────────────────────────────────────────────────────────────────────────────────────────────

TEST(HpackDecoder, IndexesBeyondTheTableAreRefused) {
  EXPECT_EQ(Decoder().error("80"), BlockError::compression);
  EXPECT_EQ(Decoder().error("be"), BlockError::compression) << "62, of an empty table";
  EXPECT_EQ(Decoder().error("7f00 0161"), BlockError::compression) << "63 as a name";
  EXPECT_EQ(Decoder().error("4001 6101 62 bf"), BlockError::compression) << "63, of a table with one entry";
  EXPECT_EQ(Decoder().error("4001 6101 62 be"), BlockError::none);
  EXPECT_EQ(Decoder().error("ffff ffff ff0f"), BlockError::compression);
  EXPECT_EQ(Decoder().error("ffff ffff ffff ffff ffff 0f"), BlockError::compression);
}

TEST(HpackDecoder, IntegersTakeFiveMoreBytes) {
  EXPECT_EQ(Decoder().error("0f80 8080 8000 0161"), BlockError::none) << "15 with zeros behind it";
  EXPECT_EQ(Decoder().error("0f80 8080 8080 0001 61"), BlockError::compression);
}

TEST(HpackDecoder, EveryTruncationIsRefused) {
  const std::string whole = bytes("3fe1 1f 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf");
  for (std::size_t size = 1; size < whole.size(); ++size) {
    state::HpackTable table;
    HeaderList list;
    const bool is_whole = size == 3;  // the size update alone
    EXPECT_EQ(decode_block(std::string_view(whole).substr(0, size), table, plenty, list),
              is_whole ? BlockError::none : BlockError::compression)
        << size;
  }
}

TEST(HpackDecoder, HuffmanPaddingIsTheBeginningOfEos) {
  EXPECT_THAT(Decoder().decode("0001 61 81 1f"), ElementsAre(Pair("a", "a")));
  EXPECT_EQ(Decoder().error("0001 61 81 1e"), BlockError::compression) << "padding with a zero";
  EXPECT_EQ(Decoder().error("0001 61 82 1fff"), BlockError::compression) << "padding of 11 bits";
  EXPECT_EQ(Decoder().error("0001 61 81 ff"), BlockError::compression) << "padding of 8 bits";
  EXPECT_EQ(Decoder().error("0001 61 84 ffff ffff"), BlockError::compression) << "EOS";
  EXPECT_EQ(Decoder().error("0001 61 84 ffff fffc"), BlockError::compression) << "EOS, then bits that are not padding";
  EXPECT_EQ(Decoder().error("0001 61 8c ffff ffff 1c64 1c64 1c64 1c64"), BlockError::compression) << "EOS first";
  EXPECT_THAT(Decoder().decode("0001 61 80"), ElementsAre(Pair("a", "")));
}

// ── Too large ─────────────────────────────────────────────────────────────────────────────────────────────────────

TEST(HpackDecoder, AListThatIsTooLargeLeavesTheTableRight) {
  Decoder decoder;
  EXPECT_EQ(decoder.error("82 4001 6101 62 4001 6301 64 84", 42 + 34), BlockError::too_large);
  EXPECT_THAT(fields_of(decoder.list), ElementsAre(Pair(":method", "GET"), Pair("a", "b")));
  EXPECT_EQ(decoder.list.bytes(), 76U);
  EXPECT_THAT(entries_of(decoder.table), ElementsAre(Pair("c", "d"), Pair("a", "b")));
  EXPECT_EQ(decoder.error("82 bf be", 42 + 34 + 34), BlockError::none);
  EXPECT_EQ(decoder.error("82 4001 6504 6666 6666 95", 42 + 35), BlockError::too_large);
  EXPECT_THAT(fields_of(decoder.list), ElementsAre(Pair(":method", "GET"))) << "age behind it would fit";
  EXPECT_EQ(decoder.error("82 4001 6101 62 ffff ffff ff0f", 50), BlockError::compression) << "an error behind it";
}

// One byte stands for 4 KiB.
TEST(HpackDecoder, ABombStopsAtTheLimit) {
  const std::string value(4000, 'x');
  std::string block = bytes("4001 61 7fa1 1e") + value;
  block.append(60'000, static_cast<char>(0xbe));
  state::HpackTable table;
  HeaderList list;
  EXPECT_EQ(decode_block(block, table, plenty, list), BlockError::too_large);
  EXPECT_EQ(list.fields().size(), 8U);
  EXPECT_LE(list.bytes(), plenty);
}

// Two bytes stand for a name of 4 KiB.
TEST(HpackDecoder, ABombOfNamesStopsAtTheLimit) {
  std::string block = bytes("407f a11e") + std::string(4000, 'x') + bytes("00");
  for (int i = 0; i < 30'000; ++i) block += bytes("0f2f 00");
  state::HpackTable table;
  HeaderList list;
  EXPECT_EQ(decode_block(block, table, plenty, list), BlockError::too_large);
  EXPECT_EQ(list.fields().size(), 8U);
}

// The entry whose name a literal takes may be evicted by it (RFC 7541 §4.4).
TEST(HpackDecoder, ANameOutlivesItsEntry) {
  Decoder decoder(40);
  decoder.decode("4001 6104 6262 6262");
  EXPECT_THAT(decoder.decode("7e 04 6363 6363"), ElementsAre(Pair("a", "cccc")));
  EXPECT_THAT(entries_of(decoder.table), ElementsAre(Pair("a", "cccc")));
}

}  // namespace
}  // namespace baton::http2
