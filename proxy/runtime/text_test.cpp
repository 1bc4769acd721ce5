#include "proxy/runtime/text.hpp"

#include <gtest/gtest.h>

namespace baton::runtime {
namespace {

TEST(Text, KeepsWhatIsUtf8) {
  for (const std::string text : {"", "plain", "\u00e4\u20ac\U0001f600", "\u07ff\u0800\uffff\U00010000\U0010ffff"}) {
    EXPECT_EQ(valid_utf8(text), text);
  }
}

TEST(Text, ReplacesEachByteThatIsNotPartOfACharacter) {
  const std::string mark = "\uFFFD";
  EXPECT_EQ(valid_utf8("a\xFFz"), "a" + mark + "z");
  EXPECT_EQ(valid_utf8("\x80"), mark);
  EXPECT_EQ(valid_utf8("\xC0\xAF"), mark + mark) << "overlong";
  EXPECT_EQ(valid_utf8("\xE0\x9F\xBF"), mark + mark + mark) << "overlong";
  EXPECT_EQ(valid_utf8("\xED\xA0\x80"), mark + mark + mark) << "a surrogate";
  EXPECT_EQ(valid_utf8("\xF4\x90\x80\x80"), mark + mark + mark + mark) << "beyond U+10FFFF";
}

TEST(Text, EveryTruncationOfACharacterIsReplaced) {
  const std::string character = "\U0001f600";
  for (std::size_t bytes = 1; bytes < character.size(); ++bytes) {
    EXPECT_EQ(utf8_character_bytes(std::string_view(character).substr(0, bytes)), 0u);
  }
  EXPECT_EQ(utf8_character_bytes(character), character.size());
  EXPECT_EQ(utf8_character_bytes(""), 0u);
}

TEST(Text, JsonStringsEscapeWhatJsonWants) {
  std::string out = "x";
  append_json_string(out, std::string_view("a\"b\\c\n\0\x7F\xFF\u20ac", 12));
  EXPECT_EQ(out, "x\"a\\\"b\\\\c\\u000a\\u0000\\u007f\uFFFD\u20ac\"");
  out.clear();
  append_json_string(out, "\xC2\x80\xC2\x85\xC2\x9F\xC2\xA0\u2027\u2028\u2029\u202a");
  EXPECT_EQ(out, "\"\\u0080\\u0085\\u009f\xC2\xA0\u2027\\u2028\\u2029\u202a\"");
}

TEST(Text, JsonStringsAreCutBetweenCharacters) {
  const std::string bytes = "a\n\u20ac\xFF";
  std::string whole;
  append_json_string(whole, bytes);
  for (std::size_t most = 5; most < whole.size(); ++most) {
    std::string out;
    append_json_string(out, bytes, most);
    EXPECT_LE(out.size(), most);
    ASSERT_TRUE(out.ends_with("...\"")) << out;
    out.resize(out.size() - 4);
    EXPECT_TRUE(whole.starts_with(out));
    EXPECT_TRUE(out == "\"" || out == "\"a" || out == "\"a\\u000a" || out == "\"a\\u000a\u20ac") << out;
  }
  std::string out;
  append_json_string(out, bytes, whole.size());
  EXPECT_EQ(out, whole);
}

}  // namespace
}  // namespace baton::runtime
