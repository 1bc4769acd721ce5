// What an instance passes on beside its connections: its paths, its counters, and signals that came meanwhile.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace baton::state {

// What a rollback starts again; its executable is a descriptor and travels beside it.
struct Program {
  std::vector<std::string> arguments;
  std::string configuration;           // whole, includes and environment resolved
  std::string version;
  std::vector<std::string> features;   // that its decoder understands
  bool operator==(const Program&) const = default;
};

struct InstanceRecord {
  std::string handoff_socket;          // empty: none
  std::string pid_file;
  std::string admin;
  std::uint64_t accepted_total = 0;    // over all generations so far
  std::uint64_t requests_total = 0;
  std::vector<int> signals;
  bool draining = false;               // load balancers are told to take the traffic away
  std::vector<std::string> lent;       // addresses of listening sockets that the service manager bound
  std::vector<std::string> arguments;  // that the sender was started with; empty: it does not say
  bool after_crash = false;            // the sender ran nothing itself: it replaces what crashed
  std::optional<Program> previous;     // with after_crash: what had run before that
  std::uint64_t lock_device = 0;       // the file that the sender's lock is on; 0: it does not say
  std::uint64_t lock_inode = 0;
  bool operator==(const InstanceRecord&) const = default;
};

std::string encode(const InstanceRecord& record);
std::optional<InstanceRecord> decode_instance_record(std::string_view bytes);

}  // namespace baton::state
