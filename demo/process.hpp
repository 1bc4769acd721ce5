// Starts processes and leaves none behind.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace baton::demo {

// While it exists, orphaned descendants become our children, so a successor's successor can still be reaped. Its
// destructor kills and reaps all our descendants, so only a program without other children may use it.
class Household {
 public:
  Household();
  ~Household();
  Household(const Household&) = delete;
  Household& operator=(const Household&) = delete;
};

std::vector<pid_t> children_of(pid_t parent);

// Starts `arguments[0]`, a path, in its own session (a terminal's Ctrl-C is for us alone), with its output appended to
// the file `log`. It gets SIGTERM if the calling thread dies. Throws std::system_error if it cannot be started.
pid_t start_process(const std::vector<std::string>& arguments, const std::string& log);

// The wait status of a child that has ended; nothing while it runs or is not (yet) our child.
std::optional<int> reap(pid_t pid);

// "exit code 0", "signal 9 (Killed)"
std::string describe_end(int wait_status);

// The last `lines` lines of a file, fewer if it has fewer; empty when it cannot be read.
std::vector<std::string> tail(const std::string& path, std::size_t lines);

// Raises the soft limit of open files to the hard one if it is lower than `files`. Returns the limit.
std::size_t allow_open_files(std::size_t files);

}  // namespace baton::demo
