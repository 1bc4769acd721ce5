// How many of the process's open files may be used for connections. The rest are a reserve that no client can take: for
// epoll, logs, the admin interface, the control socket, listening sockets, and what an upgrade or a reload opens.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "config/config.hpp"

namespace baton::proxy {

struct DescriptorPlan {
  std::uint64_t open_files;                                  // RLIMIT_NOFILE
  std::uint64_t sockets;                                     // of connections, and idle ones to servers
  std::uint64_t connections() const { return sockets / 2; }  // a client also needs one for its server
};

DescriptorPlan plan_descriptors(const config::Config& config, std::uint64_t open_files);

// The hard limit of open files.
std::uint64_t open_files_max();

// If `limits.connections` is more than fit: a sentence for people, with the limit of open files that would do.
std::optional<std::string> too_many_connections(const config::Config& config, const DescriptorPlan& plan);

}  // namespace baton::proxy
