// `baton run --supervise`: the process that was started is the parent and stays; the worker is whichever process
// serves.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "harness/baton.hpp"
#include "harness/origin.hpp"

namespace baton::harness {

// Waits until the parent knows its worker, and with it all that it needs for a crash, and until no thread of that runs a
// connection. Returns its PID.
pid_t worker_at_rest(const Baton& baton);
// Waits until another worker than this one serves. Returns its PID.
pid_t await_another_worker(const Baton& baton, pid_t before);

class Supervised : public testing::Test {
 protected:
  explicit Supervised(void (*change)(Settings&) = [](Settings&) {});
  ~Supervised() override;

  // The serving process, by its own word.
  pid_t worker() const { return static_cast<pid_t>(baton.number("pid")); }
  std::string version() const { return std::string(baton.status().at("version").as_string()); }
  void install(const std::string& binary) const { replace_file(baton.binary_path(), read_file(binary), true); }

  // Sends USR2 to the parent, and waits until the new worker answers and the old one has exited. Returns the report's
  // line.
  std::string upgrade();
  // Ends the worker with this signal, and waits until another one serves. Returns the new PID.
  pid_t crash(int signal = SIGKILL);
  pid_t await_another_worker(pid_t before) const { return harness::await_another_worker(baton, before); }
  // Waits for the end of the parent and all that it started.
  Ended stop(int signal = SIGTERM);
  // Nothing is left: no process, no path, no listener.
  void expect_nothing_left() const;
  Outcome ctl(std::vector<std::string> words) const;
  // The parent knows the serving worker, and from then on all that it needs for a crash.
  void await_known(pid_t worker) const;

  Origin origin;
  Baton baton;
  const pid_t parent = baton.pid();

 private:
  static Settings settings(const Origin& origin, void (*change)(Settings&));
};

std::string executable_of(pid_t pid);
bool exists(const std::string& path);

}  // namespace baton::harness
