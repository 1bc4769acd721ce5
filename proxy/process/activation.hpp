// Listening sockets that the service manager opened before us: LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES, as
// sd_listen_fds(3) describes.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "handoff/parties.hpp"

namespace baton::process {

struct PassedSockets {
  std::vector<handoff::InheritedSocket> sockets;   // by address; the name is the manager's, for people
  std::vector<std::string> refused;                // passed but unusable, in words; already closed
};

// Call once, before this process opens anything: the descriptor numbers are trusted. Afterwards each descriptor is
// close-on-exec and the variables are unset. Descriptors for another process (LISTEN_PID) than `meant_for` are left
// alone.
PassedSockets take_passed_sockets(pid_t meant_for);

// "[::]:80 (http.socket)"
std::string describe(const handoff::InheritedSocket& passed);

}  // namespace baton::process
