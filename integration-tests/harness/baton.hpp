// A running Baton: its configuration and sockets in a directory of its own, its generations followed through upgrades.
#pragma once

#include <boost/json.hpp>
#include <memory>
#include <regex>
#include <string>

#include "harness/client.hpp"
#include "harness/process.hpp"
#include "harness/settings.hpp"
#include "harness/temp_dir.hpp"

namespace baton::harness {

// The path of the program under test; throws Failure if this tree was built without it.
std::string baton_binary();

// A path as one word of a shell command line: the checkout's may contain a blank.
std::string in_shell(const std::string& path);
std::string baton_in_shell();

// A copy of the program where every user can execute it: a folder above the checkout may be closed to others.
std::string baton_binary_for_everyone();

// Runs the command as the user nobody, which only root can do.
Command as_nobody(Command command);

// The arguments of `baton ARGUMENTS…`, to be run to its end.
Outcome run_baton(std::vector<std::string> arguments, std::vector<std::string> environment = {});

class Baton {
 public:
  // Starts it and waits until it is ready.
  explicit Baton(Settings settings);

  const Address& address() const { return settings_.binds.front(); }
  Client connect() const { return Client(address()); }

  // After a crash: runs the same command again on the same paths. The log starts over.
  void start_again();

  // The process that is the instance now.
  pid_t pid() const { return pid_; }
  void signal(int number) const;

  // Sends USR2 and waits for the report in the log, the predecessor's exit with 0 and the successor's PID in the PID
  // file. Returns the report's line.
  std::string upgrade();
  void begin_upgrade() const;
  std::string finish_upgrade(Milliseconds limit = wait_max);

  // Sends USR2, waits for the line that says why the upgrade failed, and checks that this process is still the
  // instance. Returns the line.
  std::string failed_upgrade();

  // Waits for the instance to exit after a signal that stops it.
  Ended await_exit(Milliseconds limit = wait_max) { return harness::await_exit(pid_, limit); }

  // Replaces the configuration and waits until it takes effect.
  void reload(const Settings& settings);

  boost::json::object status() const;
  // A number of /status by its path, as in number("connections.idle").
  std::int64_t number(const std::string& path) const;
  void await_number(const std::string& path, std::int64_t value) const;
  int readyz() const;

  std::string await_log(const std::regex& line) { return process_->await_line(Process::Stream::err, line); }
  std::string await_access_log(const std::regex& line) { return process_->await_line(Process::Stream::out, line); }
  std::string log() const { return process_->err(); }
  std::string access_log() const { return process_->out(); }  // of all generations, if its path is "-"
  std::size_t count_log_lines(const std::regex& line) const;

  const TempDir& directory() const { return directory_; }
  std::string config_path() const { return directory_ / "baton.yaml"; }
  std::string pid_file_path() const { return directory_ / "baton.pid"; }
  pid_t pid_in_file() const;
  // After an upgrade that did not end as `upgrade` expects: takes the PID in the PID file as the instance.
  void follow_pid_file();
  // Whether any process holds the instance lock, according to the kernel.
  bool lock_is_held() const;
  // The copy of the program made for Settings::own_binary.
  std::string binary_path() const { return directory_ / "baton"; }

 private:
  void start();
  void await_ready();

  Settings settings_;
  TempDir directory_;
  std::unique_ptr<Process> process_;  // the first generation; later ones write to the same pipes
  pid_t pid_ = -1;
};

}  // namespace baton::harness
