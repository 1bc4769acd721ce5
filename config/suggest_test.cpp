#include "config/suggest.hpp"

#include <gtest/gtest.h>

namespace baton::config {
namespace {

constexpr std::string_view known[] = {"listeners", "timeouts", "workers", "log", "pid_file", "warning", "idle"};

TEST(Suggestions, FindTheWordThatWasMeant) {
  EXPECT_EQ(suggest("listener", known), "listeners");
  EXPECT_EQ(suggest("litseners", known), "listeners");
  EXPECT_EQ(suggest("Timeouts", known), "timeouts");
  EXPECT_EQ(suggest("pid-file", known), "pid_file");
  EXPECT_EQ(suggest("warn", known), "warning");
  EXPECT_EQ(suggest("logs", known), "log");
  EXPECT_EQ(suggest("ilde", known), "idle");
}

TEST(Suggestions, KnowWhatOtherProxiesCallIt) {
  EXPECT_EQ(suggest("entryPoints", known), "listeners");
  EXPECT_EQ(suggest("threads", known), "workers");
  EXPECT_EQ(suggest("backends", known), std::nullopt) << "there is no such key here";
}

TEST(Suggestions, SayNothingRatherThanNonsense) {
  for (const char* word : {"", "x", "certificates", "zzzzzzz", "user"}) EXPECT_EQ(suggest(word, known), std::nullopt);
  EXPECT_EQ(suggest(std::string(100'000, 'l'), known), std::nullopt);
  EXPECT_EQ(suggest("word", {}), std::nullopt);
}

TEST(Suggestions, AreTheEndOfAMessage) {
  EXPECT_EQ(did_you_mean("lgo", known), "; did you mean `log`?");
  EXPECT_EQ(did_you_mean("certificates", known), "");
}

}  // namespace
}  // namespace baton::config
