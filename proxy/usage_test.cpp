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

TEST(Usage, TheirOptionsMayShareAWord) {
  for (const Words& words :
       {Words{"baton", "-tc", "f"}, Words{"baton", "-tcf"}, Words{"baton", "-t", "-cf"}, Words{"baton", "-cf", "-t"},
        Words{"baton", "-vtc", "f"}, Words{"baton", "-v", "-c", "f", "-t"}}) {
    EXPECT_EQ(as_meant(words), (Words{"baton", "check", "-c", "f"})) << testing::PrintToString(words);
  }
  EXPECT_EQ(as_meant({"baton", "-vt"}), (Words{"baton", "check"}));
  EXPECT_EQ(as_meant({"baton", "-tV"}), (Words{"baton", "check"}));
  EXPECT_EQ(as_meant({"baton", "-tc", "-v"}), (Words{"baton", "check", "-c", "-v"}))
      << "the file's name is what follows";
  EXPECT_EQ(as_meant({"baton", "-tc"}), (Words{"baton", "check", "-c"}));
  EXPECT_EQ(as_meant({"baton", "-t", "--strict"}), (Words{"baton", "check", "--strict"}));
}

TEST(Usage, WhatTheirOptionsDoNotTakeIsLeftToTheCommandToRefuse) {
  EXPECT_EQ(as_meant({"baton", "-v", "run"}), (Words{"baton", "version", "run"}));
  EXPECT_EQ(as_meant({"baton", "-t", "f"}), (Words{"baton", "check", "f"}));
}

TEST(Usage, AllElseStaysAsItIs) {
  for (const Words& words :
       {Words{"baton"}, Words{}, Words{"baton", "run", "-t"}, Words{"baton", "run", "-c", "-t"},
        Words{"baton", "--help"}, Words{"baton", "check", "-c", "f"}, Words{"baton", "-c", "f"}, Words{"baton", "-cf"},
        Words{"baton", "-c", "-t"}, Words{"baton", "-x"}, Words{"baton", "-tx"}, Words{"baton", "-"},
        Words{"baton", ""}, Words{"baton", "--version"}}) {
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
  EXPECT_EQ(hint("", "-s", commands, "reload"), "; did you mean `baton ctl reload`?");
  EXPECT_EQ(hint("", "-squit", commands), "; did you mean `baton ctl stop`?");
  EXPECT_EQ(hint("run", "-s", Words{"--supervise"}, "stop"), "; did you mean `baton ctl stop`?");
  EXPECT_EQ(hint("", "-s", commands, "xyzzy"), "");
  EXPECT_EQ(hint("run", "-t", Words{"-c"}), "; did you mean `baton check`?");
  EXPECT_EQ(hint("run", "-v", Words{"-c"}), "; did you mean `baton version`?");
  EXPECT_EQ(hint("", "xyzzy", commands), "");
  EXPECT_EQ(hint("run", "-x", Words{"--config", "-c"}), "");
}

}  // namespace
}  // namespace baton::usage
