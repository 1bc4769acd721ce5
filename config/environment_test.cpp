#include "config/environment.hpp"

#include <gtest/gtest.h>

#include "config/testing/load.hpp"

namespace baton::config {
namespace {

Parsed<std::string> expanded(std::string_view text) {
  return expand(text, test_environment);
}

TEST(EnvironmentReferences, AreReplaced) {
  EXPECT_EQ(expanded("${HOST}:80"), "10.1.2.3:80");
  EXPECT_EQ(expanded("a${HOST}b${HOST}c"), "a10.1.2.3b10.1.2.3c");
  EXPECT_EQ(expanded("${EMPTY}"), "");
}

TEST(EnvironmentReferences, TakeTheDefaultWhenUnsetOrEmpty) {
  EXPECT_EQ(expanded("${ABSENT:-x:-y}"), "x:-y");
  EXPECT_EQ(expanded("${EMPTY:-x}"), "x");
  EXPECT_EQ(expanded("${HOST:-x}"), "10.1.2.3");
  EXPECT_EQ(expanded("${ABSENT:-}"), "");
}

TEST(EnvironmentReferences, UnsetWithoutADefaultIsAProblem) {
  EXPECT_EQ(expanded("${ABSENT}").error(),
            "the environment variable `ABSENT` is not set; `${ABSENT:-default}` gives a default");
}

TEST(EnvironmentReferences, WhatWasPutInIsNotLookedAtAgain) {
  EXPECT_EQ(expanded("${TRICKY}"), "${HOST} $$");
}

TEST(EnvironmentReferences, ADollarAloneIsItself) {
  EXPECT_EQ(expanded("$"), "$");
  EXPECT_EQ(expanded("$HOST"), "$HOST");
  EXPECT_EQ(expanded("$$"), "$");
  EXPECT_EQ(expanded("$${HOST}"), "${HOST}");
  EXPECT_EQ(expanded("$$$$"), "$$");
}

TEST(EnvironmentReferences, MustBeWellFormed) {
  for (const char* text : {"${", "${HOST", "${}", "${1A}", "${A B}", "${A-b}", "${:-x}", "${A:-${HOST}}"}) {
    EXPECT_FALSE(expanded(text)) << text;
  }
}

TEST(EnvironmentReferences, EscapedDollarsComeBack) {
  for (const char* text : {"", "$", "$$", "${HOST}", "a$b$$c", "$${"}) EXPECT_EQ(expanded(escape_dollars(text)), text);
}

TEST(EnvironmentReferences, CannotSwellAFile) {
  std::string text;
  while (text.size() < 4000) text += "${HOST}";
  EXPECT_FALSE(expanded(text));
  EXPECT_TRUE(expanded(std::string(text_bytes_max, 'x')));
  EXPECT_FALSE(expanded(std::string(text_bytes_max + 1, 'x')));
}

}  // namespace
}  // namespace baton::config
