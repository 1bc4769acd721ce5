// Resources that a test takes away from a running process and returns: its user's tasks, descriptors, memory.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "harness/baton.hpp"

namespace baton::harness {

// A user without any other process, so that its task limit affects only one test.
unsigned lonely_user();

// The number of threads of these processes.
std::size_t task_count(const std::vector<pid_t>& pids);

// The stack size of each new thread of the process.
std::size_t stack_bytes(pid_t pid);

// While it exists, `pid` has a different soft limit.
class Shortage {
 public:
  // The process gets no new task once its user has this many.
  static Shortage of_tasks(pid_t pid, std::size_t tasks_max);
  // Exactly `free` descriptors are free until the process opens or closes one. It has closed the descriptors of ended
  // admin connections by then; one admin connection stays open to the end.
  static Shortage of_descriptors(const Baton& baton, std::size_t free);
  // The process can map this much memory, and no more.
  static Shortage of_memory(pid_t pid, std::size_t more);
  ~Shortage();
  Shortage(const Shortage&) = delete;
  Shortage& operator=(const Shortage&) = delete;

 private:
  Shortage(pid_t pid, const std::string& resource, std::size_t soft, unsigned long before,
           std::unique_ptr<Client> admin = nullptr);

  const pid_t pid_;
  const std::string resource_;
  const unsigned long before_;
  std::unique_ptr<Client> admin_;
};

}  // namespace baton::harness
