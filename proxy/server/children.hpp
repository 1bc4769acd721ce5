// The successors that this process has started: how they ended, and those that failed but serve connections to their
// end. Runs in the main thread.
#pragma once

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <optional>
#include <vector>

namespace baton::proxy {

class Children {
 public:
  // `context` runs the main thread's events and outlives this.
  explicit Children(boost::asio::io_context& context) : timer_(context) {}

  void add(pid_t child);
  // Records those that have ended. Any other child of this process is reaped as well.
  void reap();
  // Its wait status, once it has been reaped.
  std::optional<int> status_of(pid_t child) const;
  // Kills it if it is alive. It is reaped like every other child.
  void kill(pid_t child);
  // It serves what it has adopted and then ends by itself; if it has not ended by the time it must have, it is killed.
  void leave_to_its_end(pid_t child, std::chrono::milliseconds at_most);
  void forget(pid_t child);

  bool has_left_ones() const;
  void kill_left_ones() const;

 private:
  struct Child {
    pid_t pid = 0;
    std::optional<int> status;                                      // of one that has ended
    std::optional<std::chrono::steady_clock::time_point> deadline;  // of one that is left to its end
  };

  const Child* find(pid_t child) const;
  void watch_left_ones();

  std::vector<Child> children_;
  boost::asio::steady_timer timer_;
};

}  // namespace baton::proxy
