// The death of the serving process by SIGKILL, as seen from outside, with its successor's report.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace baton::demo {

struct Crash {
  pid_t from_pid = 0;
  pid_t to_pid = 0;               // 0: no successor serves
  std::uint64_t connections = 0;  // open before it
  unsigned threads = 0;           // each may have been running a connection, which it costs
  double stall_ms = 0;            // from the death until the successor served all connections
  std::string failure;            // empty: a successor serves
};

}  // namespace baton::demo
