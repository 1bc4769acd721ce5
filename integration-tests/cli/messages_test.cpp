// Command lines and files of users of other servers, and the hints they get.
#include <gtest/gtest.h>

#include "harness/baton.hpp"

namespace baton::harness {
namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

const std::string good =
    "version: 1\n"
    "listeners: [ { name: web, bind: \"127.0.0.1:8080\" } ]\n"
    "upstreams: [ { name: web, servers: [ { address: \"127.0.0.1:9000\" } ] } ]\n";

class CommandLines : public testing::Test {
 protected:
  Outcome baton(std::vector<std::string> words) const {
    words.insert(words.begin(), baton_binary());
    return run({.argv = std::move(words), .environment = {}, .directory = dir.path()});
  }
  void expect_hint(std::vector<std::string> words, const std::string& said) const {
    const Outcome outcome = baton(std::move(words));
    EXPECT_EQ(outcome.code, 2);
    EXPECT_TRUE(contains(outcome.err, said)) << outcome.err;
    EXPECT_EQ(outcome.out, "");
  }
  TempDir dir;
};

TEST_F(CommandLines, OfOtherServersWork) {
  replace_file(dir / "baton.yaml", good);
  EXPECT_TRUE(contains(baton({"-t"}).out, "./baton.yaml: ok"));
  EXPECT_TRUE(contains(baton({"-t", "-c", dir / "baton.yaml"}).out, dir / "baton.yaml" + ": ok"));
  EXPECT_TRUE(contains(baton({"-c", dir / "baton.yaml", "-t"}).out, dir / "baton.yaml" + ": ok"));
  EXPECT_TRUE(contains(baton({"-tc", dir / "baton.yaml"}).out, dir / "baton.yaml" + ": ok"));
  EXPECT_TRUE(contains(baton({"-tc" + dir / "baton.yaml"}).out, dir / "baton.yaml" + ": ok"));
  EXPECT_TRUE(contains(baton({"-vt"}).out, "./baton.yaml: ok"));
  EXPECT_EQ(baton({"-v"}).out, baton({"version"}).out);
  for (const char* option : {"baton -t", "baton -v"}) EXPECT_TRUE(contains(baton({"--help"}).out, option)) << option;
  EXPECT_FALSE(contains(baton({"check", "--help"}).out, "baton -v"));
  replace_file(dir / "baton.yaml", good + "user: www\n");
  EXPECT_EQ(baton({"-t"}).code, 1);
}

TEST_F(CommandLines, WithMistakesAreAnsweredWithAHint) {
  expect_hint({"chek"}, "baton: there is no command `chek`; did you mean `baton check`?");
  expect_hint({"reload"}, "baton: there is no command `reload`; did you mean `baton ctl reload`?");
  expect_hint({"-c", "baton.yaml"},
              "there is no option `-c`; say what to do with it: `baton run -c FILE`, or `baton check -c FILE`");
  expect_hint({"ctl", "relaod"}, "there is no command `relaod` of `baton ctl`; did you mean `baton ctl reload`?");
  expect_hint({"run", "--supervized"},
              "there is no option `--supervized` of `baton run`; did you mean `baton run --supervise`?");
  expect_hint({"check", "site.yaml"},
              "there is no argument `site.yaml` of `baton check`; did you mean `baton check -c site.yaml`?");
  expect_hint({"-v", "extra"}, "there is no argument `extra` of `baton version`; see `baton version --help`");
  expect_hint({"-t", "site.yaml"},
              "there is no argument `site.yaml` of `baton check`; did you mean `baton check -c site.yaml`?");
  expect_hint({"-s", "reload"}, "there is no option `-s`; did you mean `baton ctl reload`?");
  expect_hint({"-s", "reopen", "-c", "baton.yaml"}, "did you mean `baton ctl reopen-logs`?");
  expect_hint({"run", "-t"}, "there is no option `-t` of `baton run`; did you mean `baton check`?");
  expect_hint({}, "; see `baton --help`");
  expect_hint({"ctl"}, "; see `baton ctl --help`");
  expect_hint({"check", "-c"}, "; see `baton check --help`");
}

TEST_F(CommandLines, WithoutAFileNameBothDefaults) {
  const std::string said =
      "there is no configuration file: neither ./baton.yaml nor /etc/baton/baton.yaml; name one with -c FILE\n";
  for (const char* command : {"run", "check"}) {
    const Outcome outcome = baton({command});
    EXPECT_EQ(outcome.code, 1);
    EXPECT_EQ(outcome.err, said);
  }
}

TEST_F(CommandLines, WithAFileOfAnotherProxyNameThePageToRead) {
  replace_file(dir / "nginx.conf", "events { }\nhttp {\n  server { listen 80; }\n}\n");
  const Outcome outcome = baton({"check", "-c", "nginx.conf"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err,
            "nginx.conf:1:1: this is a configuration of nginx, but Baton reads its own YAML; "
            "docs/coming-from-nginx.md shows how to translate it\n");
}

}  // namespace
}  // namespace baton::harness
