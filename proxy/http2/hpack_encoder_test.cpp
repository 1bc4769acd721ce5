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
            "086e6f2d6361636865");
  state::Buffer block;
  append_status(block, 302);
  EXPECT_EQ(hex(block),
            "08"
            "03333032");
}

TEST(HpackEncoder, AnotherNameIsWrittenInLowerCase) {
  EXPECT_EQ(field("Custom-Key", "custom-value"),
            "00"
            "0a637573746f6d2d6b6579"
            "0c637573746f6d2d76616c7565");
}

TEST(HpackEncoder, ALongStringHasALongLength) {
  EXPECT_EQ(field("a", std::string(300, 'x')).substr(0, 12),
            "000161"
            "7fad01");
}

TEST(HpackEncoder, ASensitiveFieldIsNeverIndexed) {
  EXPECT_EQ(field("authorization", "", true),
            "1f08"
            "00")
      << "although the static table has it";
  EXPECT_EQ(field("password", "\x01", true),
            "10"
            "0870617373776f7264"
            "0101");
}

}  // namespace
}  // namespace baton::http2
