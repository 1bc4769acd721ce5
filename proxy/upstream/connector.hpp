// Opens a connection to a server without waiting for it.
#pragma once

#include "handoff/unique_fd.hpp"
#include "proxy/state/address.hpp"

namespace baton::upstream {

struct Connecting {
  handoff::UniqueFd socket;      // none: it failed at once, and `error` says why
  bool established = false;      // no need to wait for it to become writable
  int error = 0;
};

// `keepalive_s`: as in runtime::keep_alive.
Connecting begin_connect(const state::SocketAddress& address, int keepalive_s = 0);

}  // namespace baton::upstream
