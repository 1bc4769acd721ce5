// What a running baton reports on its admin socket.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace baton::demo {

// The pause of moved connections, from freeze to resume.
struct PauseUs {
  double p50 = 0;
  double p99 = 0;
  double max = 0;
};

// What one side served while a canary was compared with the others.
struct CanarySide {
  std::uint64_t exchanges = 0;
  std::uint64_t clients_failed = 0;
};

// How a share of the clients fared in a successor that they tried first.
struct CanaryReport {
  std::string verdict;     // "go_on", "back", "doubt" or "wait"
  std::string decided_by;  // "comparison", "command" or "failure"; empty: nothing is decided
  std::string text;        // the verdict in words
  CanarySide canary;
  CanarySide others;
};

struct UpgradeReport {
  std::string result;  // "completed", "rolled_back" or "failed"
  std::string reason;  // of a failure
  pid_t from_pid = 0;
  pid_t to_pid = 0;
  double duration_ms = 0;
  std::map<std::string, std::uint64_t> moved;  // clients by state: idle, head, exchange, tunnel, closing
  std::uint64_t moved_total = 0;
  std::uint64_t upstream_idle_moved = 0;
  std::uint64_t taken_back = 0;
  std::uint64_t refused = 0;
  std::map<std::string, std::uint64_t> refused_by_reason;
  PauseUs pause_us;
  std::optional<CanaryReport> canary;  // nothing: all clients moved at once
};

// The last crash, if there was one.
struct CrashReport {
  std::uint64_t total = 0;  // crashes
  pid_t pid = 0;
  double stall_us = 0;  // from the death until all connections were served again
};

struct Status {
  std::uint64_t generation = 0;
  pid_t pid = 0;
  std::string version;
  std::uint64_t connections = 0;  // open now
  std::uint64_t accepted_total = 0;
  std::uint64_t requests_total = 0;
  std::optional<UpgradeReport> last_upgrade;
  CrashReport crashes;
};

// Reads the body of `GET /status`. Throws std::runtime_error that names what is missing or of another type.
Status parse_status(std::string_view json);

struct AdminAnswer {
  unsigned status = 0;
  std::string body;
};

// One GET over a Unix socket; nothing if there is no complete answer within `limit`.
std::optional<AdminAnswer> admin_get(const std::string& socket_path, const std::string& target,
                                     std::chrono::milliseconds limit);

}  // namespace baton::demo
