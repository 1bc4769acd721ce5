#include "proxy/routing/hashed_texts.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace baton::routing {
namespace {

const TextHash any_hash = TextHash::random();

TEST(HashedTexts, AreFoundByTheirWholeText) {
  const HashedTexts<int> texts({{"", 1}, {"a", 2}, {"ab", 3}, {"abcdefgh", 4}, {"abcdefghi", 5}}, any_hash);
  for (const auto& [text, value] : std::map<std::string, int>{{"", 1}, {"a", 2}, {"abcdefgh", 4}, {"abcdefghi", 5}}) {
    const int* const found = texts.find(text, any_hash);
    ASSERT_NE(found, nullptr) << text;
    EXPECT_EQ(*found, value);
  }
  for (const std::string text : {"b", "abc", "abcdefg", "abcdefgx", "abcdefghij"}) {
    EXPECT_EQ(texts.find(text, any_hash), nullptr) << text;
  }
}

TEST(HashedTexts, MayBeNone) {
  EXPECT_TRUE(HashedTexts<int>().empty());
  EXPECT_EQ(HashedTexts<int>().find("a", any_hash), nullptr);
  EXPECT_EQ(HashedTexts<int>({}, any_hash).find("a", any_hash), nullptr);
}

TEST(HashedTexts, AreLookedForAmongTextsOfAnySize) {
  std::mt19937 random(3);
  std::map<std::string, int> values;
  for (int i = 0; i < 3'000; ++i) {
    std::string text(random() % (i % 10 == 0 ? TextHash::bytes_max + 1 : 20), 'a');
    for (char& c : text) c = "ab"[random() % 2];
    values[text] = i;
  }
  const HashedTexts<int> texts(values, any_hash);
  for (const auto& [text, value] : values) {
    ASSERT_EQ(*texts.find(text, any_hash), value) << text;
    EXPECT_EQ(texts.find(text + "c", any_hash), nullptr) << text;
  }
  EXPECT_EQ(texts.find(std::string(100'000, 'a'), any_hash), nullptr);
}

TEST(TextHash, DependsOnEachByteAndOnTheSize) {
  for (const std::size_t bytes : {1u, 7u, 8u, 9u, 19u, 64u}) {
    const std::string text(bytes, 'a');
    std::set<std::uint32_t> hashes{any_hash.of(text), any_hash.of(text + "a")};
    for (std::size_t i = 0; i < bytes; ++i) {
      std::string other = text;
      other[i] = 'b';
      hashes.insert(any_hash.of(other));
    }
    EXPECT_EQ(hashes.size(), bytes + 2) << bytes;
  }
}

// Who chooses texts that collide in one process cannot know which collide in another. One pair of keys in 400 spreads
// these similar texts over fewer slots, so five pairs decide.
TEST(TextHash, CannotBeAimedWithoutItsKey) {
  const auto slot = [](const TextHash& hash, const std::string& text) { return hash.of(text) % 256; };
  int spread = 0;
  for (int pair = 0; pair < 5; ++pair) {
    const TextHash one = TextHash::random();
    const TextHash other = TextHash::random();
    std::size_t colliding = 0;
    std::set<std::uint32_t> slots_of_the_other;
    for (int i = 0; i < 200'000; ++i) {
      const std::string text = "host-" + std::to_string(i) + ".example.com";
      if (slot(one, text) != 0) continue;
      ++colliding;
      slots_of_the_other.insert(slot(other, text));
    }
    if (colliding > 400 && slots_of_the_other.size() > 200) ++spread;
  }
  EXPECT_GE(spread, 3);
}

}  // namespace
}  // namespace baton::routing
