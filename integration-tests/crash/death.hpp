// When a process dies: at one of its system calls, counted from now. In memory of a file that the test and Baton share.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <csignal>

namespace baton::harness {

struct Death {
  enum class Call { sendmsg, recvmsg, sendmsg_of_a_frame };  // the last: that begins a frame of a handover

  std::atomic<pid_t> pid{0};             // 0: none
  std::atomic<bool> is_for_next{false};  // the next process that starts takes it
  std::atomic<Call> call{Call::sendmsg};
  std::atomic<int> at{0};          // its number, from 1
  std::atomic<int> signal{SIGKILL};
  std::atomic<bool> after{false};  // it has happened; else it does not
  std::atomic<int> count{0};
  std::atomic<pid_t> victim{0};
};

}  // namespace baton::harness
