// `baton run --supervise`: the process that was started is the parent, and stays; the worker is whoever serves.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "harness/baton.hpp"
#include "harness/origin.hpp"

namespace baton::harness {

class Supervised : public testing::Test {
 protected:
  explicit Supervised(void (*change)(Settings&) = [](Settings&) {});
  ~Supervised() override;

  // Who serves, as it says itself.
  pid_t worker() const { return static_cast<pid_t>(baton.number("pid")); }
  std::string version() const { return std::string(baton.status().at("version").as_string()); }
  void install(const std::string& binary) const { replace_file(baton.binary_path(), read_file(binary), true); }

  // USR2 to the parent, and sees it through: the new worker answers, the old one has ended. Gives the report's line.
  std::string upgrade();
  // Ends the worker with this signal, and waits until another one serves. Gives the PID of that.
  pid_t crash(int signal = SIGKILL);
  pid_t await_another_worker(pid_t before);
  // The parent's end, and all it started.
  Ended stop(int signal = SIGTERM);
  // Nothing is left: no process, no path, nobody listens.
  void expect_nothing_left() const;
  Outcome ctl(std::vector<std::string> words) const;
  // The parent knows of the worker that serves; what it must know for a crash it does from then on.
  void await_known(pid_t worker);

  Origin origin;
  Baton baton;
  const pid_t parent = baton.pid();

 private:
  static Settings settings(const Origin& origin, void (*change)(Settings&));
};

std::string executable_of(pid_t pid);
bool exists(const std::string& path);

}  // namespace baton::harness
