// One live connection of a server, as a handover sees it: it can stand still, and it can go on.
#pragma once

#include <optional>

#include "handoff/parcel.hpp"

namespace baton::handoff {

class Movable {
 public:
  // Closes the sockets. Never calls shutdown: in the predecessor it is destroyed when the successor owns the connection.
  // To end a connection for good, call shutdown first, since after an upgrade that failed another process may
  // hold a copy for a moment.
  virtual ~Movable() = default;

  // Stops touching the sockets, takes them out of every poller, and says all that a successor needs to go on: payload,
  // secrets and descriptors, which stay this object's; the caller fills in id and time. What is over the limits of one
  // frame (limits.hpp: 24 MiB, 1 MiB and 250) stays with this process.
  // Nothing: this is no moment at which the connection is whole; it goes on, and says `Fleet::look_again` when one has
  // come.
  virtual std::optional<Parcel> freeze() = 0;

  // Begins to read and write: as an adopted connection, or as one that is here to stay, as if nothing had been.
  virtual void resume() = 0;
};

}  // namespace baton::handoff
