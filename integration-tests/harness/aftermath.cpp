#include "harness/aftermath.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace baton::harness {

namespace {

std::string names(const std::vector<pid_t>& pids) {
  std::string text;
  for (const pid_t pid : pids) text += " " + std::to_string(pid);
  return text.empty() ? " nobody" : text;
}

}  // namespace

void expect_one_instance(const Baton& baton) {
  const pid_t instance = baton.pid_in_file();
  ASSERT_TRUE(is_alive(instance)) << "the PID file names " << instance << "\n" << baton.log();
  const pid_t group = ::getpgid(instance);
  try {
    await([&] { return living_in_group(group) == std::vector{instance}; }, "the instance to be alone");
  } catch (const Failure&) {
    ADD_FAILURE() << instance << " should be alone, but there live" << names(living_in_group(group)) << "\n"
                  << baton.log();
  }
  EXPECT_TRUE(baton.lock_is_held());
  EXPECT_EQ(baton.number("pid"), instance);
  EXPECT_EQ(baton.readyz(), 200);
  EXPECT_EQ(baton.connect().get("/bytes/100").body, pattern(100)) << "a new connection is served";
  std::vector<std::string> paths = paths_of_an_instance(baton);
  EXPECT_EQ(paths, (std::vector<std::string>{"admin.sock", "baton.pid", "handoff.sock"})) << baton.log();
}

void expect_nothing_left(const Baton& baton, pid_t group) {
  try {
    await([&] { return living_in_group(group).empty(); }, "all to end");
  } catch (const Failure&) {
    ADD_FAILURE() << "there still live" << names(living_in_group(group)) << "\n" << baton.log();
  }
  EXPECT_EQ(paths_of_an_instance(baton), std::vector<std::string>{}) << baton.log();
  EXPECT_FALSE(baton.lock_is_held());
  EXPECT_EQ(listeners_on(baton.address().port), "");
}

std::vector<std::string> temporaries_of(const Baton& baton, pid_t writer) {
  std::vector<std::string> found;
  const std::string begin = "baton.pid." + std::to_string(writer) + ".";
  for (const std::string& path : paths_of_an_instance(baton)) {
    if (path.starts_with(begin) && path.ends_with(".tmp")) found.push_back(path);
  }
  return found;
}

std::vector<std::string> paths_of_an_instance(const Baton& baton) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(baton.directory().path())) {
    const std::string name = entry.path().filename();
    const bool is_the_tests = name == "baton.yaml" || name == "baton" || name == "behaviour";
    if (!is_the_tests && name != "handoff.sock.lock") paths.push_back(name);
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace baton::harness
