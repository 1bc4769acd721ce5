// A real process with captured output. The destructor kills it and all its descendants.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <regex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "harness/deadline.hpp"
#include "harness/fd.hpp"
#include "harness/pids.hpp"

namespace baton::harness {

struct Command {
  std::vector<std::string> argv;              // argv[0] is looked up in PATH
  std::vector<std::string> environment = {};  // "NAME=value", added to ours
  std::string directory = {};                 // empty: ours
  Milliseconds patience = wait_max;           // how long `run` waits for its end
  bool has_input = false;                     // standard input comes from `type`; else it is empty
};

class Process {
 public:
  enum class Stream { out, err };

  explicit Process(const Command& command);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }

  // Everything written before the call. Successors inherit the pipes, so their lines are included.
  std::string captured(Stream stream) const;
  std::string out() const { return captured(Stream::out); }
  std::string err() const { return captured(Stream::err); }

  // Waits for a whole line that contains a match and returns it. The next call searches only after that line among the
  // lines of the same writer, since lines of different writers may be out of order. Fails at the deadline or when no
  // process that could write is left.
  std::string await_line(Stream stream, const std::regex& pattern, Milliseconds limit = wait_max);

  void signal(int number) const;

  // Writes to its standard input, as a user at a keyboard does; and ends that input.
  void type(std::string_view text) const;
  void end_input() { input_.close(); }

  // Waits for the process itself, not for its descendants. Then its output is complete unless another process holds the
  // pipes. May be called again.
  Ended await_exit(Milliseconds limit = wait_max);

  // Waits until no process can write any more: this one and all that inherited its output have ended.
  void await_end_of_output();

 private:
  struct Capture {
    Fd pipe;
    std::string text;
    std::map<std::string, std::size_t> looked;  // where await_line continues, by the writer's tag in the log
    bool ended = false;
  };

  Capture& capture(Stream stream) { return captures_[stream == Stream::out ? 0 : 1]; }
  void read_pipes();
  void take(Capture& from) const;  // under the lock: reads what is in the pipe
  std::string logs() const;

  pid_t pid_ = -1;
  Fd input_;
  Ended ended_;
  bool reaped_ = false;
  mutable std::mutex mutex_;  // guards the captures' text, looked and ended
  mutable std::condition_variable more_;
  mutable Capture captures_[2];
  Fd stop_reading_;  // an eventfd, for when an escaped process still holds the pipes
  std::thread reader_;
};

// Runs to the end and returns exit code and output.
struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};
Outcome run(const Command& command);

// Whether strace is installed and permitted.
bool can_trace();

}  // namespace baton::harness
