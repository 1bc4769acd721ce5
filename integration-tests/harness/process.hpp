// A real process with its output captured, killed with all its descendants when the test lets go of it.
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
  std::vector<std::string> environment = {};  // "NAME=value", beside what we have ourselves
  std::string directory = {};                 // empty: ours
  Milliseconds patience = wait_max;           // of `run`, for its end
  bool has_input = false;                     // what `type` gives it; else its standard input is empty
};

class Process {
 public:
  enum class Stream { out, err };

  explicit Process(const Command& command);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }

  // All that was written before the call; successors inherit the pipes, so their lines are here too.
  std::string captured(Stream stream) const;
  std::string out() const { return captured(Stream::out); }
  std::string err() const { return captured(Stream::err); }

  // Waits for a whole line that contains a match and gives it; the next call looks behind that line, among the lines of
  // that writer: those of others may have come earlier than what they follow. Fails when the deadline passes or everybody
  // who could write has gone.
  std::string await_line(Stream stream, const std::regex& pattern, Milliseconds limit = wait_max);

  void signal(int number) const;

  // Into its standard input, as somebody at a keyboard would; and the end of that.
  void type(std::string_view text) const;
  void end_input() { input_.close(); }

  // Waits for the process itself, not for what it started; afterwards its output is complete if nothing else holds
  // the pipes. May be called again.
  Ended await_exit(Milliseconds limit = wait_max);

  // Waits until nobody can write any more: the process and all that inherited its output have ended.
  void await_end_of_output();

 private:
  struct Capture {
    Fd pipe;
    std::string text;
    std::map<std::string, std::size_t> looked;  // await_line goes on from here, by the log's tag of the writer
    bool ended = false;
  };

  Capture& capture(Stream stream) { return captures_[stream == Stream::out ? 0 : 1]; }
  void read_pipes();
  void take(Capture& from) const;  // under the lock: what is in the pipe now
  std::string logs() const;

  pid_t pid_ = -1;
  Fd input_;
  Ended ended_;
  bool reaped_ = false;
  mutable std::mutex mutex_;  // guards the captures' text, looked and ended
  mutable std::condition_variable more_;
  mutable Capture captures_[2];
  Fd stop_reading_;  // an eventfd: even if somebody escaped and still holds the pipes
  std::thread reader_;
};

// Runs to the end: exit code and output in one value.
struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};
Outcome run(const Command& command);

// Whether strace is installed and may trace here.
bool can_trace();

}  // namespace baton::harness
