#include "proxy/routing/nested_texts.hpp"

#include <gtest/gtest.h>

#include <random>

namespace baton::routing {
namespace {

// All texts that `text` begins with, in the order of the visit.
std::vector<std::string> visited(const NestedTexts<int>& texts, std::string_view text) {
  std::vector<std::string> result;
  texts.visit_outwards(text, [&](std::string_view one, int) {
    result.emplace_back(one);
    return false;
  });
  return result;
}

TEST(NestedTexts, AreVisitedTheLongestFirst) {
  const NestedTexts<int> texts({{"a", 1}, {"a-", 2}, {"a/b", 3}, {"a/b/c", 4}, {"b", 5}});
  using Texts = std::vector<std::string>;
  EXPECT_EQ(visited(texts, "a/b/c"), (Texts{"a/b/c", "a/b", "a"}));
  EXPECT_EQ(visited(texts, "a/b/b"), (Texts{"a/b", "a"}));
  EXPECT_EQ(visited(texts, "a/a"), Texts{"a"});
  EXPECT_EQ(visited(texts, "c"), Texts{});
  EXPECT_EQ(visited(texts, ""), Texts{});
}

TEST(NestedTexts, AreVisitedUntilOneIsWanted) {
  const NestedTexts<int> texts({{"a", 1}, {"ab", 2}, {"abc", 3}});
  int calls = 0;
  EXPECT_TRUE(texts.visit_outwards("abcd", [&](std::string_view, int value) { return ++calls, value == 2; }));
  EXPECT_EQ(calls, 2);
}

// Few and many, short and long ones, with common beginnings.
TEST(NestedTexts, AreAllThatAreLookedFor) {
  std::mt19937 random(1);
  const auto any_text = [&] {
    std::string text(random() % 2 == 0 ? 0 : random() % 12, 'a');
    for (std::size_t bytes = random() % 8; bytes > 0; --bytes) text += std::string_view("ab/\xff\0", 5)[random() % 5];
    return text;
  };
  for (int round = 0; round < 2'000; ++round) {
    std::map<std::string, int> values;
    for (std::size_t count = random() % 4 == 0 ? 32 + random() % 100 : random() % 20; count > 0; --count)
      values[any_text()] = 0;
    const NestedTexts<int> texts(values);
    for (int i = 0; i < 20; ++i) {
      const std::string text = any_text();
      std::vector<std::string> expected;
      for (std::size_t bytes = text.size() + 1; bytes > 0; --bytes) {
        if (values.contains(text.substr(0, bytes - 1))) expected.push_back(text.substr(0, bytes - 1));
      }
      EXPECT_EQ(visited(texts, text), expected) << text;
    }
  }
}

}  // namespace
}  // namespace baton::routing
