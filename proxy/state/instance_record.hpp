// What an instance passes on beside its connections: its paths, its counters, and signals that came meanwhile.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace baton::state {

struct InstanceRecord {
  std::string handoff_socket;          // empty: none
  std::string pid_file;
  std::string admin;
  std::uint64_t accepted_total = 0;    // over all generations so far
  std::uint64_t requests_total = 0;
  std::vector<int> signals;
  bool draining = false;               // load balancers are told to take the traffic away
  std::vector<std::string> lent;       // addresses of listening sockets that the service manager bound
  bool operator==(const InstanceRecord&) const = default;
};

std::string encode(const InstanceRecord& record);
std::optional<InstanceRecord> decode_instance_record(std::string_view bytes);

}  // namespace baton::state
