#include "proxy/usage.hpp"

#include <gtest/gtest.h>

namespace baton::usage {
namespace {

using Words = std::vector<std::string>;

TEST(Usage, OptionsOfOtherServersDoTheSame) {
  EXPECT_EQ(as_meant({"baton", "-t"}), (Words{"baton", "check"}));
  EXPECT_EQ(as_meant({"baton", "-t", "-c", "f"}), (Words{"baton", "check", "-c", "f"}));
  EXPECT_EQ(as_meant({"baton", "-c", "f", "-t"}), (Words{"baton", "check", "-c", "f"}));
  EXPECT_EQ(as_meant({"baton", "-v"}), (Words{"baton", "version"}));
  EXPECT_EQ(as_meant({"baton", "-V"}), (Words{"baton", "version"}));
  EXPECT_EQ(as_meant({"baton", "help"}), (Words{"baton", "--help"}));
}

TEST(Usage, AllElseStaysAsItIs) {
  for (const Words& words :
       {Words{"baton"}, Words{}, Words{"baton", "run", "-t"}, Words{"baton", "run", "-c", "-t"},
        Words{"baton", "-v", "run"}, Words{"baton", "--help"}, Words{"baton", "check", "-c", "f"}}) {
    EXPECT_EQ(as_meant(words), words);
  }
}

TEST(Usage, HintsNameWhatIsThere) {
  const Words commands{"run", "check", "demo", "ctl", "version"};
  EXPECT_EQ(hint("", "chek", commands), "; did you mean `baton check`?");
  EXPECT_EQ(hint("", "reload", commands), "; did you mean `baton ctl reload`?");
  EXPECT_EQ(hint("", "start", commands), "; did you mean `baton run`?");
  EXPECT_EQ(hint("", "-c", commands), "; say what to do with it: `baton run -c FILE`, or `baton check -c FILE`");
  EXPECT_EQ(hint("", "site.yaml", commands), "; did you mean `baton run -c site.yaml`?");
  EXPECT_EQ(hint("check", "site.yaml", {}), "; did you mean `baton check -c site.yaml`?");
  EXPECT_EQ(hint("ctl", "relaod", Words{"reload", "status"}), "; did you mean `baton ctl reload`?");
  EXPECT_EQ(hint("run", "--confg=x", Words{"--config", "--supervise"}), "; did you mean `baton run --config`?");
  EXPECT_EQ(hint("", "xyzzy", commands), "");
  EXPECT_EQ(hint("run", "-x", Words{"--config", "-c"}), "");
}

}  // namespace
}  // namespace baton::usage
