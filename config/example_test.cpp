// Holds example.yaml against the loader, so that neither can forget what the other has.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "config/load.hpp"
#include "config/schema.hpp"
#include "config/test_load.hpp"
#include "config/test_paths.hpp"

namespace baton::config {
namespace {

std::string example() {
  std::stringstream text;
  text << std::ifstream(BATON_EXAMPLE_YAML).rdbuf();
  return text.str();
}

// The same with what it shows in comments, each line of which begins with "  # ".
std::string uncommented_example() {
  std::istringstream lines(example());
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("  # ")) line.erase(2, 2);
    text += line + "\n";
  }
  return text;
}

TEST(Example, LoadsAndItsValuesAreTheDefaults) {
  const Config config = config_of(example());
  const Config defaults;
  EXPECT_EQ(config.timeouts, defaults.timeouts);
  EXPECT_EQ(config.limits, defaults.limits);
  EXPECT_EQ(config.handoff, defaults.handoff);
  EXPECT_EQ(config.admin, defaults.admin);
  EXPECT_EQ(config.pid_file, defaults.pid_file);
  EXPECT_EQ(config.workers, defaults.workers);
  EXPECT_EQ(config.log, defaults.log);
  ASSERT_EQ(config.listeners.size(), 1u);
  EXPECT_EQ(config.listeners.front().protocol, Listener().protocol);
  EXPECT_EQ(config.listeners.front().upstream, Listener().upstream);
  ASSERT_EQ(config.upstreams.size(), 1u);
  ASSERT_EQ(config.upstreams.front().servers.size(), 1u);
  EXPECT_EQ(config.upstreams.front().servers.front().weight, Server().weight);
}

TEST(Example, LoadsWithItsCommentsTakenAway) {
  const Config config = config_of(uncommented_example());
  ASSERT_EQ(config.listeners.size(), 2u);
  EXPECT_EQ(config.listeners.back().protocol, Protocol::tcp);
  EXPECT_EQ(config.listeners.back().upstream, config.upstreams.front().name);
}

TEST(Example, ShowsEveryKeyTheLoaderKnows) {
  const auto shown = paths_of(uncommented_example());
  for (const KnownKey& key : known_keys()) EXPECT_EQ(shown.contains(key.path), key.supported) << key.path;
}

TEST(Example, ShowsNothingElse) {
  std::set<std::string> known;
  for (const KnownKey& key : known_keys()) known.insert(key.path);
  for (const std::string& path : paths_of(uncommented_example())) EXPECT_TRUE(known.contains(path)) << path;
}

TEST(Example, GivesAReasonForEveryKey) {
  std::istringstream lines(uncommented_example());
  for (std::string line; std::getline(lines, line);) {
    const bool is_value = line.find(": ") < line.find('#');
    if (is_value) {
      EXPECT_NE(line.find(" # "), std::string::npos) << line;
    }
  }
}

TEST(Example, ItsAccessFormatIsTheDefault) {
  std::string logged = example();
  const std::string off = "path: \"\"";
  logged.replace(logged.find(off), off.size(), "path: \"-\"");
  EXPECT_EQ(config_of(logged).log.access, (AccessLog{"-"}));
}

}  // namespace
}  // namespace baton::config
