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
  std::vector<std::string> refused;                // what was passed and is of no use, in words; closed already
};

// Once, before this process opens anything: the numbers are believed. Each descriptor is closed at exec afterwards, and
// the variables are gone. What is meant for another process (LISTEN_PID) than `meant_for` is left alone.
PassedSockets take_passed_sockets(pid_t meant_for);

// "[::]:80 (http.socket)"
std::string describe(const handoff::InheritedSocket& passed);

}  // namespace baton::process
