// An external successor of a running Baton, as a process.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "harness/baton.hpp"
#include "harness/log_lines.hpp"

namespace baton::harness {

inline std::string handoff_path(const Baton& baton) { return baton.directory() / "handoff.sock"; }

// `baton run --takeover`, with that Baton's configuration. `by_way_of` precedes it, as in {"setpriv", …}.
inline Command taker_command(const Baton& baton, const std::string& option = "--takeover",
                             std::vector<std::string> by_way_of = {}) {
  by_way_of.insert(by_way_of.end(), {baton_binary(), "run", option, "-c", baton.config_path()});
  return {std::move(by_way_of)};
}

class Taker : public Process {
 public:
  explicit Taker(const Baton& baton) : Process(taker_command(baton)) {}
  explicit Taker(const Command& command) : Process(command) {}

  std::string await_log(const std::regex& line) { return await_line(Stream::err, line); }

  // It has succeeded `from`, whose log this is, and `baton` follows it.
  void await_succession(Baton& baton, Process& from) {
    await_line_in(from, log_lines::upgrade_report);
    EXPECT_EQ(from.await_exit(), (Ended{0, 0})) << from.err();
    follow(baton);
  }
  // The same, from the process that the test started as `baton`.
  void await_succession(Baton& baton) {
    baton.await_log(log_lines::upgrade_report);
    EXPECT_EQ(baton.await_exit(), (Ended{0, 0})) << baton.log();
    follow(baton);
  }
  // It gives up, says why, and exits with 1.
  void await_failure(const std::string& why) {
    EXPECT_EQ(await_exit(), (Ended{1, 0})) << err();
    await_end_of_output();
    EXPECT_NE(err().find(why), std::string::npos) << err();
  }

 private:
  static void await_line_in(Process& process, const std::regex& line) { process.await_line(Stream::err, line); }
  void follow(Baton& baton) {
    baton.follow_pid_file();
    EXPECT_EQ(baton.pid(), pid()) << err();
  }
};

}  // namespace baton::harness
