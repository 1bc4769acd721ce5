// One of the example servers as a process, with a path of its own where the next program to upgrade to is put.
#pragma once

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
  pid_t pid() const;                 // of the one that serves

  // Puts the program in place, sends SIGUSR2, and gives the line that says what came of it.
  std::string upgrade_to(const std::string& program);
  // The same with a file of this content; empty: with none at all.
  std::string upgrade_to_file(const std::string& content);
  // The first half alone.
  void begin_upgrade_to(const std::string& program);

 private:
  std::string put(const std::string& program);
  std::string await_outcome();

  TempDir directory_;
  Address address_;
  Process process_;
};

}  // namespace baton::harness
