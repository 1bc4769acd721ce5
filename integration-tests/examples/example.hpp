// An example server as a process, with its own path for the next program to upgrade to.
#pragma once

#include <optional>
#include <string>

#include "harness/address.hpp"
#include "harness/process.hpp"
#include "harness/temp_dir.hpp"

namespace baton::harness {

class Example {
 public:
  explicit Example(const std::string& program);

  const Address& address() const { return address_; }
  Process& process() { return process_; }
  pid_t pid() const;                 // of the serving process
  pid_t keeper() const;              // of that process
  // Waits until the serving process and its keeper are all that is left.
  void await_alone();
  // Waits until no process is left.
  void await_nobody();

  // Puts the program in place, sends SIGUSR2, and returns the line with the outcome.
  std::string upgrade_to(const std::string& program);
  // The same with a file of this content; empty: without a file.
  std::string upgrade_to_file(const std::string& content);
  // Kills the serving process, and waits until another one serves.
  void crash(int signal);
  // Only the first half.
  void begin_upgrade_to(const std::string& program);

 private:
  std::optional<pid_t> find_keeper() const;
  std::string put(const std::string& program);
  std::string await_outcome();

  TempDir directory_;
  Address address_;
  Process process_;
};

}  // namespace baton::harness
