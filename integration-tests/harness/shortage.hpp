// What a test takes from a running process, and gives back: tasks of its user, descriptors.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

namespace baton::harness {

// A user with no other process, so that the limit of its tasks is the business of one test.
unsigned lonely_user();

// The threads of these processes.
std::size_t task_count(const std::vector<pid_t>& pids);

// While it lives, `pid` has another soft limit.
class Shortage {
 public:
  // No new task once its user has so many.
  static Shortage of_tasks(pid_t pid, std::size_t tasks_max);
  // So many descriptors are free.
  static Shortage of_descriptors(pid_t pid, std::size_t free);
  ~Shortage();
  Shortage(const Shortage&) = delete;
  Shortage& operator=(const Shortage&) = delete;

 private:
  Shortage(pid_t pid, const std::string& resource, std::size_t soft, unsigned long before);

  const pid_t pid_;
  const std::string resource_;
  const unsigned long before_;
};

}  // namespace baton::harness
