// `include`: several files make one configuration.
#include "config/include.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "config/load.hpp"
#include "config/testing/load.hpp"

namespace baton::config {
namespace {

using testing::ElementsAre;
using testing::StartsWith;

// A folder that is removed after the test.
class Include : public testing::Test {
 protected:
  Include() {
    std::string pattern = testing::TempDir() + "baton_include_XXXXXX";
    folder_ = mkdtemp(pattern.data());
    write("baton.yaml", minimal + "include: [ conf.d/*.yaml ]\n");
  }
  ~Include() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  void write_main(const std::string& include) const { write("baton.yaml", minimal + "include: " + include + "\n"); }

  Config config() const {
    auto loaded = load_file(folder_ / "baton.yaml", test_environment);
    if (auto* config = std::get_if<Config>(&loaded)) return std::move(*config);
    for (const Problem& problem : std::get<Problems>(loaded)) ADD_FAILURE() << problem.text();
    return {};
  }

  // Without the folder, which is new in each run.
  std::vector<std::string> problems() const {
    const auto loaded = load_file(folder_ / "baton.yaml", test_environment);
    std::vector<std::string> texts;
    const auto* found = std::get_if<Problems>(&loaded);
    for (const Problem& problem : found ? *found : Problems{}) {
      std::string text = problem.text();
      const std::string folder = folder_.string() + "/";
      for (std::size_t at = text.find(folder); at != std::string::npos; at = text.find(folder)) {
        text.erase(at, folder.size());
      }
      texts.push_back(text);
    }
    return texts;
  }

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const Upstream& upstream : config().upstreams) names.push_back(upstream.name);
    return names;
  }

  std::filesystem::path folder_;
};

std::string upstream(const std::string& name) {
  return "upstreams: [ { name: " + name + ", servers: [ { address: \"127.0.0.1:9001\" } ] } ]\n";
}

const std::string whole =
    "listeners: [ { name: extra, bind: \"127.0.0.1:8081\" } ]\n"
    "routes: [ { match: { path: /b }, upstream: b } ]\n" +
    upstream("b");

TEST_F(Include, AddsListenersRoutesAndUpstreams) {
  write("conf.d/b.yaml", whole);
  const Config merged = config();
  ASSERT_EQ(merged.listeners.size(), 2u);
  EXPECT_EQ(merged.listeners[1].name, "extra");
  ASSERT_EQ(merged.routes.size(), 1u);
  EXPECT_EQ(merged.routes[0].upstream, "b");
  EXPECT_THAT(names(), ElementsAre("app", "b"));
}

TEST_F(Include, MergesIntoOneTextThatLoads) {
  write("conf.d/b.yaml", whole);
  const Config merged = config();
  EXPECT_EQ(config_of(print(merged)), merged);
}

TEST_F(Include, TakesAFileOfThatNameBeforeAPattern) {
  write_main("\"conf.d/[ab].yaml\"");
  const auto listener = [](const std::string& name) {
    return "listeners: [ { name: " + name + ", bind: \"127.0.0.1:8081\" } ]\n";
  };
  write("conf.d/a.yaml", listener("a"));
  EXPECT_EQ(config().listeners.back().name, "a");
  write("conf.d/[ab].yaml", listener("brackets"));
  EXPECT_EQ(config().listeners.back().name, "brackets");
}

TEST_F(Include, SortsByNameWithinAPatternAndKeepsTheOrderOfPatterns) {
  write_main("[ later/*.yaml, \"conf.d/*.yaml\" ]");
  for (const char* name : {"b", "a", "c"}) write("conf.d/" + std::string(name) + ".yaml", upstream(name));
  write("later/z.yaml", upstream("z"));
  write("baton.yaml", minimal + "routes: [ { upstream: app } ]\ninclude: [ later/*.yaml, \"conf.d/*.yaml\" ]\n");
  EXPECT_THAT(names(), ElementsAre("app", "z", "a", "b", "c"));
}

TEST_F(Include, APatternMayMatchNothing) {
  EXPECT_THAT(names(), ElementsAre("app"));
  write("conf.d/.hidden.yaml", "not: ours\n");
  write("conf.d/b.yaml~", "not: ours\n");
  EXPECT_THAT(names(), ElementsAre("app"));
}

TEST_F(Include, TheFolderIsNoPattern) {
  write("[a-b]*/baton.yaml", minimal + "routes: [ { upstream: app } ]\ninclude: conf.d/*.yaml\n");
  write("[a-b]*/conf.d/x.yaml", upstream("x"));
  write("a/conf.d/y.yaml", upstream("y"));
  const auto loaded = load_file(folder_ / "[a-b]*/baton.yaml", test_environment);
  ASSERT_TRUE(std::holds_alternative<Config>(loaded));
  EXPECT_NE(std::get<Config>(loaded).find_upstream("x"), nullptr);
  EXPECT_EQ(std::get<Config>(loaded).upstreams.size(), 2u);
}

TEST_F(Include, AListWithoutEntriesIsRefusedUnlessOtherFilesHaveSome) {
  for (const char* none : {"routes:", "routes: []"}) {
    write("conf.d/a.yaml", std::string(none) + "\n");
    const std::string place = std::string("conf.d/a.yaml:1:") + (none == std::string("routes:") ? "1" : "9");
    EXPECT_THAT(problems(), ElementsAre(StartsWith(place + ": `routes`: expected a list with at least one entry")));
  }
  write("conf.d/b.yaml", whole);
  for (const char* none : {"routes:\n", "routes: []\n", "listeners:\n", "upstreams:\n", "include: []\n", "# none\n"}) {
    write("conf.d/a.yaml", none);
    write("conf.d/c.yaml", none);
    EXPECT_EQ(config().routes.size(), 1u) << none;
  }
}

// Otherwise `conf.d` would be sought beside the stream, and a pattern would find nothing.
TEST_F(Include, AStreamHasNoFolder) {
  write("conf.d/b.yaml", whole);
  const std::string pipe = folder_ / "pipe.yaml";
  const auto loaded = [&](const std::string& include) {
    std::filesystem::remove(pipe);
    EXPECT_EQ(mkfifo(pipe.c_str(), 0600), 0);
    std::thread writer([&] { std::ofstream(pipe) << minimal << "include: " << include << "\n"; });
    auto result = load_file(pipe, test_environment);
    writer.join();
    return result;
  };
  const auto refused = loaded("[ conf.d/*.yaml, conf.d/b.yaml ]");
  ASSERT_TRUE(std::holds_alternative<Problems>(refused));
  ASSERT_EQ(std::get<Problems>(refused).size(), 2u);
  EXPECT_EQ(std::get<Problems>(refused)[0].text(),
            pipe +
                ":8:12: `include`: `conf.d/*.yaml` is relative to the folder of a file, but the configuration is read "
                "from `" +
                pipe + "`; write an absolute path");
  const auto taken = loaded((folder_ / "conf.d/*.yaml").string());
  ASSERT_TRUE(std::holds_alternative<Config>(taken));
  EXPECT_EQ(std::get<Config>(taken).upstreams.size(), 2u);
}

TEST_F(Include, AFileMayNotBeMissing) {
  write_main("conf.d/b.yaml");
  EXPECT_THAT(problems(),
              ElementsAre("baton.yaml:8:10: `include`: `conf.d/b.yaml` cannot be read: No such file or directory"));
}

TEST_F(Include, TakesOnlyRegularFiles) {
  std::filesystem::create_directories(folder_ / "conf.d/old.yaml");
  EXPECT_THAT(problems(), ElementsAre("baton.yaml:8:12: `include`: `conf.d/old.yaml` is not a regular file"));
  std::filesystem::remove(folder_ / "conf.d/old.yaml");
  ASSERT_EQ(mkfifo((folder_ / "conf.d/pipe.yaml").c_str(), 0600), 0);
  EXPECT_THAT(problems(), ElementsAre("baton.yaml:8:12: `include`: `conf.d/pipe.yaml` is not a regular file"));
}

TEST_F(Include, AFolderThatCannotBeReadIsNotAnEmptyOne) {
  write("conf.d/b.yaml", whole);
  ASSERT_EQ(chmod((folder_ / "conf.d").c_str(), 0), 0);
  ASSERT_EQ(chmod(folder_.c_str(), 0755), 0);
  const bool is_root = geteuid() == 0;  // Root may read any folder.
  ASSERT_EQ(is_root ? seteuid(65534) : 0, 0);
  const auto found = problems();
  ASSERT_EQ(is_root ? seteuid(0) : 0, 0);
  ASSERT_EQ(chmod((folder_ / "conf.d").c_str(), 0755), 0);
  EXPECT_THAT(found, ElementsAre("baton.yaml:8:12: `include`: the folder `conf.d` cannot be read: Permission denied"));
}

TEST_F(Include, ProblemsNameTheFileLineAndColumn) {
  write("conf.d/a.yaml", "upstreams:\n  - { name: b, servers: [ { adress: \"a:1\" } ] }\n");
  write("conf.d/b.yaml", "routes:\n  - { match: { path: /b }, upstream: bb }\n");
  write("conf.d/c.yaml", "routes:\n  [ {\n");
  write("conf.d/d.yaml",
        "routes:\n  - match: { header: { \"a b\": c } }\n    request_headers: { set: { Host: x } }\n"
        "    upstream: app\n");
  EXPECT_THAT(problems(),
              ElementsAre(StartsWith("conf.d/a.yaml:2:29: unknown key `adress` on a server"),
                          StartsWith("conf.d/b.yaml:2:38: there is no upstream `bb`"),
                          StartsWith("conf.d/c.yaml:2:5: this `{` is never closed"),
                          StartsWith("conf.d/d.yaml:2:24: `header`"), StartsWith("conf.d/d.yaml:3:31: `set`: `Host`")));
}

TEST_F(Include, NamesAreUniqueOverAllFilesAndTheErrorNamesBothPlaces) {
  write("conf.d/a.yaml", upstream("app"));
  write("conf.d/b.yaml", "listeners: [ { name: web, bind: \"127.0.0.1:8080\" } ]\n");
  EXPECT_THAT(problems(),
              testing::IsSupersetOf({"conf.d/a.yaml:1:22: the name `app` is already taken in baton.yaml:6:11",
                                     "conf.d/b.yaml:1:22: the name `web` is already taken in baton.yaml:3:11",
                                     "conf.d/b.yaml:1:33: `127.0.0.1:8080` cannot be bound together with "
                                     "`127.0.0.1:8080` of listener `web` in baton.yaml:4:11"}));
}

TEST_F(Include, RoutesWithOneMatchNameBothPlaces) {
  write("conf.d/a.yaml", "routes: [ { match: { path: /b }, upstream: app }, { upstream: app } ]\n");
  write("conf.d/b.yaml", "routes:\n  - { match: { path: /b }, upstream: app }\n  - upstream: app\n");
  EXPECT_THAT(problems(), ElementsAre("conf.d/b.yaml:2:14: the route in conf.d/a.yaml:1:11 has the same `match`",
                                      StartsWith("conf.d/b.yaml:3:5: the route in conf.d/a.yaml:1:51 has no `match`")));
}

TEST_F(Include, OtherKeysAreRefused) {
  write("conf.d/a.yaml", "version: 1\ntimeouts: { head: 1s }\nroute: []\n");
  EXPECT_THAT(problems(),
              ElementsAre("conf.d/a.yaml:1:1: `version` cannot stand in an included file, which may have only "
                          "`listeners`, `routes`, `upstreams` and `include`",
                          StartsWith("conf.d/a.yaml:2:1: `timeouts` cannot stand in an included file"),
                          StartsWith("conf.d/a.yaml:3:1: unknown key `route` in an included file; did you mean "
                                     "`routes`? (expected: listeners, routes, upstreams, include)")));
}

TEST_F(Include, AFileHasKeysOrNothing) {
  write("conf.d/a.yaml", "# nothing yet\n");
  write("conf.d/b.yaml", "upstreams:\n  # - name: b\n");
  EXPECT_THAT(names(), ElementsAre("app"));
  write("conf.d/c.yaml", "- upstream: app\n");
  write("conf.d/d.yaml", "routes: { upstream: app }\n");
  EXPECT_THAT(problems(), ElementsAre(StartsWith("conf.d/c.yaml:1:1: expected keys with values, not a list"),
                                      "conf.d/d.yaml:1:9: `routes`: expected a list"));
}

TEST_F(Include, FilesMayIncludeOthersRelativeToThemselvesAndEachOther) {
  write("conf.d/a.yaml", upstream("a") + "include: [ ../more/b.yaml, \"*.yaml\" ]\n");
  write("more/b.yaml", upstream("b") + "include: ../baton.yaml\n");
  write("conf.d/c.yaml", upstream("c"));
  write("baton.yaml", minimal + "routes: [ { upstream: app } ]\ninclude: \"conf.d/${EMPTY}*.yaml\"\n");
  EXPECT_THAT(names(), ElementsAre("app", "a", "b", "c"));
}

TEST_F(Include, AnotherProgramsFileIsOneError) {
  write("conf.d/a.yaml", "server {\n  listen 80;\n  location / { proxy_pass http://app; }\n}\n");
  write("conf.d/b.yaml", "routes: [ { upstream: ap } ]\n");
  EXPECT_THAT(problems(), ElementsAre(testing::HasSubstr("nginx"), StartsWith("conf.d/b.yaml:1:23: there is no")));
}

TEST_F(Include, TheMainFileNeedsNoListsOfItsOwn) {
  write("baton.yaml", "version: 1\nupstreams:\ninclude: conf.d/*.yaml\n");
  write("conf.d/b.yaml", whole);
  EXPECT_EQ(config().listeners.size(), 1u);
  EXPECT_THAT(names(), ElementsAre("b"));
}

TEST_F(Include, NumberAndSizeOfFilesAreBounded) {
  for (std::size_t i = 0; i < files_max - 1; ++i) write("conf.d/" + std::to_string(i) + ".yaml", "");
  EXPECT_THAT(problems(), ElementsAre());
  write("conf.d/x.yaml", "");
  EXPECT_THAT(problems(), ElementsAre("baton.yaml:8:12: `include`: `conf.d/x.yaml` would be one file too many: a "
                                      "configuration has at most 1000"));
  std::filesystem::remove_all(folder_ / "conf.d");
  const std::string large(1024 * 1024, '#');
  for (const char* name : {"1", "2", "3", "4"}) write("conf.d/" + std::string(name) + ".yaml", large);
  EXPECT_THAT(problems(),
              ElementsAre("baton.yaml:8:12: `include`: with `conf.d/4.yaml` the configuration is larger than 4 MiB"));
  write("conf.d/1.yaml", large + "#");
  write("conf.d/4.yaml", "");
  EXPECT_THAT(problems(), ElementsAre("conf.d/1.yaml: is larger than 1 MiB, too large for a configuration"));
}

TEST_F(Include, ValuesOfAllFilesCountTogether) {
  std::string many = "routes:\n";
  for (int i = 0; i < 100'000; ++i) many += "- a\n";
  for (const char* name : {"1", "2", "3", "4", "5"}) write("conf.d/" + std::string(name) + ".yaml", many);
  const auto found = problems();  // once: it takes seconds
  EXPECT_THAT(found, testing::Contains(StartsWith("conf.d/5.yaml:")));
  EXPECT_THAT(found, testing::Contains(testing::HasSubstr("more than 500000 values")));
}

TEST_F(Include, WhatIsWrittenOutMayHaveMoreValuesThanAFile) {
  for (int file = 0; file < 3; ++file) {
    std::string many = "upstreams:\n";
    for (int i = 0; i < 8'000; ++i)
      many += "- {name: n" + std::to_string(file * 8'000 + i) + ",servers: [{address: \"a:1\"}]}\n";
    write("conf.d/" + std::to_string(file) + ".yaml", many);
  }
  write("baton.yaml", minimal + "routes: [ { upstream: app } ]\ninclude: conf.d/*.yaml\n");
  const Config merged = config();
  const auto again = load_text(print(merged), "f", test_environment, written_bytes_max);
  ASSERT_TRUE(std::holds_alternative<Config>(again)) << std::get<Problems>(again).front().text();
  EXPECT_EQ(std::get<Config>(again), merged);
}

TEST(IncludeInText, IsRefused) {
  EXPECT_THAT(problems_of(minimal + "include: conf.d/*.yaml\n"),
              ElementsAre("f:8:10: `include`: only a file can include others"));
  EXPECT_THAT(problems_of(minimal + "include: []\n"), ElementsAre());
}

// What a client applies has no file, but the folder of the one that it replaces.
TEST_F(Include, OfAnAppliedConfigurationBeginsBesideTheFile) {
  write("conf.d/a.yaml", "listeners: [ { name: a, bind: 127.0.0.1:1 } ]\n");
  write("baton.yaml", "listeners: [ { name: main, bind: 127.0.0.1:2 } ]\n");
  const auto apply = [&](const std::string& include, const std::string& beside) {
    auto loaded = load_applied(minimal + "include: " + include + "\n", beside, test_environment);
    std::vector<std::string> said;
    if (const auto* config = std::get_if<Config>(&loaded)) {
      for (const Listener& listener : config->listeners) said.push_back(listener.name);
    } else {
      for (const Problem& problem : std::get<Problems>(loaded)) said.push_back(problem.text());
    }
    return said;
  };
  EXPECT_THAT(apply("conf.d/*.yaml", folder_ / "baton.yaml"), ElementsAre("web", "a"));
  EXPECT_THAT(apply("baton.yaml", folder_ / "baton.yaml"), ElementsAre("web", "main")) << "a file like any other";
  EXPECT_THAT(apply("conf.d/b.yaml", folder_ / "baton.yaml"), ElementsAre(StartsWith("applied:8:10: `include`: ")));
  EXPECT_THAT(apply("conf.d/*.yaml", "/dev/stdin"), ElementsAre(StartsWith("applied:8:10: `include`: ")));
}

}  // namespace
}  // namespace baton::config
