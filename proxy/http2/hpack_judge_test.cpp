// Our codec against nghttp2's, in both directions, with lists made at random.
#include <gmock/gmock.h>

#include <algorithm>
#include <random>
#include <string>

#include "proxy/http2/hpack_decoder.hpp"
#include "proxy/http2/hpack_encoder.hpp"
#include "proxy/http2/hpack_static.hpp"
#include "proxy/http2/judge.hpp"
#include "proxy/state/hpack_wire.hpp"

namespace baton::http2 {
namespace {

using judge::Fields;

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return text;
}

// Lists as they are on a connection: names repeat, and so do some values.
class RandomLists {
 public:
  explicit RandomLists(unsigned seed) : random_(seed) {}

  std::size_t below(std::size_t end) { return random_() % end; }

  Fields list() {
    Fields fields;
    for (std::size_t left = below(20); left != 0; --left) {
      fields.emplace_back(name(), value(), below(6) == 0);
      if (below(2) == 0) known_.push_back(fields.back());
    }
    return fields;
  }

  // In any case.
  std::string name() {
    if (below(3) == 0 && !known_.empty()) return std::get<0>(known_[below(known_.size())]);
    if (below(2) == 0) return std::string(static_fields[1 + below(static_fields_count)].name);
    constexpr std::string_view characters = "abcdefghijklmnopqrstuvwxyz0123456789-_.!#$%&'*+^`|~ABCXYZ";
    std::string name(1 + below(30), '\0');
    for (char& c : name) c = characters[below(characters.size())];
    return name;
  }

  std::string value() {
    switch (below(6)) {
      case 0:
        return known_.empty() ? "" : std::get<1>(known_[below(known_.size())]);
      case 1:
        return std::string(static_fields[1 + below(static_fields_count)].value);
      case 2:
        return text(below(300), 256);
      case 3:
        return text(below(8) == 0 ? below(5000) : below(40), 256);
      case 4:  // a code that is short as a whole, with long ones in it
        return text(below(100), 10, '0') + text(below(5), 256) + text(60, 10, '0');
      default:
        return text(below(120), 10, '0');
    }
  }

 private:
  std::string text(std::size_t size, std::size_t kinds, int first = 0) {
    std::string text(size, '\0');
    for (char& c : text) c = static_cast<char>(first + static_cast<int>(below(kinds)));
    return text;
  }

  std::mt19937 random_;
  Fields known_;
};

bool same_text(const HeaderField& field, const judge::Field& other) {
  return field.name == std::get<0>(other) && field.value == std::get<1>(other);
}

state::HpackTable moved_to_another_process(const state::HpackTable& table) {
  state::HpackTable moved;
  EXPECT_TRUE(decode(encode(table), moved));
  return moved;
}

TEST(HpackJudge, WeDecodeWhatNghttp2EncodesAlsoAfterMovesBetweenAnyTwoBlocks) {
  HeaderList list;
  for (unsigned seed = 0; seed < 60; ++seed) {
    RandomLists random(seed);
    const std::uint32_t limit = seed % 3 == 0 ? 65536 : 4096;
    judge::Deflater peer(limit);
    judge::Inflater other(limit);
    state::HpackTable table;
    table.raise_limit(limit);
    for (int i = 0; i < 60; ++i) {
      // Twice: the maximum falls and rises again within one block.
      for (std::size_t times = random.below(3); times != 0; --times) {
        if (random.below(4) == 0) peer.use(static_cast<std::uint32_t>(random.below(limit + 1)));
      }
      const Fields fields = random.list();
      const std::string block = peer.encode(fields);
      ASSERT_EQ(decode_block(block, table, 1 << 20, list), BlockError::none) << "seed " << seed << ", block " << i;
      // What is never indexed is the encoder's decision: nghttp2 adds short cookies.
      ASSERT_TRUE(judge::fields_of(list) == other.decode(block)) << "seed " << seed << ", block " << i;
      ASSERT_TRUE(std::ranges::equal(list.fields(), fields, same_text)) << "seed " << seed << ", block " << i;
      ASSERT_EQ(other.difference(table), "") << "seed " << seed << ", block " << i;
      if (random.below(3) == 0) table = state::HpackTable(table);
      if (random.below(3) == 0) table = moved_to_another_process(table);
    }
  }
}

TEST(HpackJudge, Nghttp2DecodesWhatWeEncode) {
  HeaderList list;
  for (unsigned seed = 0; seed < 60; ++seed) {
    RandomLists random(seed);
    judge::Inflater peer;
    for (int i = 0; i < 60; ++i) {
      Fields fields = random.list();
      state::Buffer block;
      for (auto& [name, value, is_sensitive] : fields) {
        const std::size_t before = block.size();
        append_field(block, name, value, is_sensitive);
        ASSERT_LE(block.size() - before, field_bytes_max(name.size(), value.size()));
        name = lower(name);
      }
      ASSERT_TRUE(peer.decode(block.view()) == fields) << "seed " << seed << ", block " << i;
      state::HpackTable table;
      ASSERT_EQ(decode_block(block.view(), table, 1 << 20, list), BlockError::none);
      ASSERT_TRUE(judge::fields_of(list) == fields) << "seed " << seed << ", block " << i;
      ASSERT_EQ(table.count(), 0U);
    }
    ASSERT_EQ(peer.difference({}), "") << "something was inserted";
  }
}

TEST(HpackJudge, EveryStatusIsThreeDigits) {
  judge::Inflater peer;
  for (std::uint16_t status = 100; status < 1000; ++status) {
    state::Buffer block;
    append_status(block, status);
    ASSERT_LE(block.size(), status_bytes_max);
    ASSERT_EQ(peer.decode(block.view()), (Fields{{":status", std::to_string(status), false}}));
  }
}

TEST(HpackJudge, NoMoreThanTwoSizeUpdates) {
  state::HpackTable table;
  HeaderList list;
  EXPECT_TRUE(judge::Inflater().decode("   ").has_value()) << "nghttp2 takes three";
  EXPECT_EQ(decode_block("   ", table, 100, list), BlockError::compression);
}

}  // namespace
}  // namespace baton::http2
