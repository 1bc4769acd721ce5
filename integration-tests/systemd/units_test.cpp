// The unit files in packaging/, checked with systemd's own tools, which need no running systemd.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <set>
#include <sstream>
#include <vector>

#include "harness/baton.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

// On systemd's scale, where a unit without hardening scores 96.
constexpr const char* exposure_max_tenths = "20";

class Units : public testing::Test {
 protected:
  void SetUp() override {
    if (run({{"sh", "-c", "command -v systemd-analyze"}}).code != 0) {
      GTEST_SKIP() << "systemd-analyze is not installed (Debian's package systemd)";
    }
    // As installed, except for the program's path: verify requires it to exist and to have no blank.
    for (const char* name : {"baton.service", "baton.socket"}) {
      std::string text = read_file(std::string(PACKAGING) + "/" + name);
      ASSERT_NE(text, "");
      const std::string installed = "/usr/bin/baton ";
      for (std::size_t at; (at = text.find(installed)) != std::string::npos;)
        text.replace(at, installed.size(), baton_binary_for_everyone() + " ");
      replace_file(directory / name, text);
    }
  }
  // The values of `key` in the service, in the order of its lines.
  std::vector<std::string> values_of_service(const std::string& key) const {
    std::istringstream lines(read_file(directory / "baton.service"));
    std::vector<std::string> values;
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with(key + "=")) values.push_back(line.substr(key.size() + 1));
    }
    return values;
  }
  // The system calls of a group, including nested groups.
  void add_calls(std::string group, std::set<std::string>& calls, bool add = true) {
    const Outcome listed = run({{"systemd-analyze", "syscall-filter", "--no-pager", group}});
    ASSERT_EQ(listed.code, 0) << listed.err;
    std::istringstream words(listed.out);
    for (std::string line; std::getline(words, line);) {
      std::istringstream one(line);
      std::string word;
      if (!(one >> word) || word == group || word.starts_with('#')) continue;
      if (word.starts_with('@')) {
        add_calls(word, calls, add);
      } else if (add) {
        calls.insert(word);
      } else {
        calls.erase(word);
      }
    }
  }

  TempDir directory;
};

TEST_F(Units, AreWhatSystemdUnderstands) {
  const Outcome verified =
      run({{"systemd-analyze", "verify", "--man=no", directory / "baton.service", directory / "baton.socket"}});
  EXPECT_EQ(verified.code, 0);
  EXPECT_EQ(verified.err.find(directory.path()), std::string::npos) << "it complains of nothing\n" << verified.err;
}

TEST_F(Units, ExposeLittle) {
  const Outcome judged = run({{"systemd-analyze", "security", "--no-pager", "--offline=true",
                               std::string("--threshold=") + exposure_max_tenths, directory / "baton.service"}});
  EXPECT_EQ(judged.code, 0) << judged.out << judged.err;
}

// A whole life cycle without a call that the unit's filter would refuse.
TEST_F(Units, AllowEverySystemCallOfALifeWithUpgrades) {
  if (!can_trace()) GTEST_SKIP() << "strace is not installed, or may not trace here";
  std::set<std::string> allowed;
  add_calls("@default", allowed);
  // A '~' excludes all that its line names.
  for (const std::string& line : values_of_service("SystemCallFilter")) {
    const bool add = !line.starts_with('~');
    std::istringstream groups(add ? line : line.substr(1));
    for (std::string group; groups >> group;) add_calls(group, allowed, add);
  }
  ASSERT_GT(allowed.size(), 100u);

  Origin origin;
  Settings settings(origin.address());
  settings.shell = "exec strace -f -D -qq -o " + directory / "calls" + " \"$0\" \"$@\"";
  {
    Baton baton(settings);
    Client client = baton.connect();
    EXPECT_EQ(client.get("/bytes/1").body, pattern(1));
    baton.signal(SIGHUP);
    baton.await_log(log_lines::reload_done);
    baton.signal(SIGUSR1);
    baton.await_log(log_lines::logs_reopened);
    baton.upgrade();
    EXPECT_EQ(client.get("/bytes/2").body, pattern(2));
    client.close();
    baton.signal(SIGTERM);
    EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
  }
  std::set<std::string> called;
  std::istringstream lines(read_file(directory / "calls"));
  for (std::string line; std::getline(lines, line);) {
    std::smatch call;
    if (std::regex_search(line, call, std::regex(R"(^\d+ +([a-z0-9_]+)\()"))) called.insert(call[1]);
  }
  EXPECT_TRUE(called.contains("sendmsg"));
  for (const std::string& call : called) EXPECT_TRUE(allowed.contains(call)) << call;
}

}  // namespace
}  // namespace baton::harness
