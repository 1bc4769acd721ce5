// A running Baton, and `baton ctl` beside it.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "harness/baton.hpp"
#include "harness/origin.hpp"

namespace baton::harness {

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class Ctl : public testing::Test {
 protected:
  explicit Ctl(void (*change)(Settings&) = [](Settings&) {}) : baton(settings(origin, change)) {}

  std::vector<std::string> arguments(std::vector<std::string> words) const {
    words.insert(words.begin(), "ctl");
    words.insert(words.end(), {"-c", baton.config_path()});
    return words;
  }
  Outcome ctl(std::vector<std::string> words) const { return run_baton(arguments(std::move(words))); }
  Command ctl_command(std::vector<std::string> words) const {
    words = arguments(std::move(words));
    words.insert(words.begin(), baton_binary());
    return {std::move(words)};
  }
  void expect_done(const Outcome& outcome, const std::string& said) const {
    EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err << baton.log();
    EXPECT_TRUE(contains(outcome.out, said)) << outcome.out;
    EXPECT_EQ(outcome.err, "");
  }
  void expect_failure(const Outcome& outcome, const std::string& why) const {
    EXPECT_EQ(outcome.code, 1) << outcome.out << outcome.err << baton.log();
    EXPECT_TRUE(contains(outcome.err, why)) << outcome.out << outcome.err;
    EXPECT_EQ(outcome.out, "");
  }
  Address admin() const { return unix_socket(baton.directory() / "admin.sock"); }

  Origin origin;
  Baton baton;

 private:
  static Settings settings(const Origin& origin, void (*change)(Settings&)) {
    Settings settings(origin.address());
    settings.handoff += ", finish_timeout: 15s";  // a held request delays an upgrade until the gate opens
    settings.own_binary = true;
    change(settings);
    return settings;
  }
};

}  // namespace baton::harness
