// One live connection of a server, as a handover sees it: it can be frozen and resumed.
#pragma once

#include <optional>

#include "handoff/parcel.hpp"

namespace baton::handoff {

class Movable {
 public:
  // Closes the sockets but must not call shutdown: the predecessor destroys this object once the successor owns the
  // connection. To end a connection for good, call shutdown before destroying it: after a failed upgrade another
  // process may hold a copy of the socket for a moment.
  virtual ~Movable() = default;

  // Stops touching the sockets, removes them from every poller, and returns everything a successor needs to continue:
  // payload, secrets and descriptors, which this object still owns. The caller fills in id and time. A connection over
  // the limits of one frame (limits.hpp: 24 MiB, 1 MiB and 250) stays with this process.
  // Nothing: the connection cannot be frozen at the moment. It keeps running and calls `Fleet::look_again` when it can.
  virtual std::optional<Parcel> freeze() = 0;

  // For servers whose connections survive a crash (UpgradableTerms::survive_crashes): what `freeze` would return now,
  // and nothing else is done. The Fleet calls it after each Step, so that there is always a parcel that a process can
  // go on with when this one is dead. A connection that has not changed gives the same parcel again. Nothing: the
  // connection would not survive a crash now.
  virtual std::optional<Parcel> parcel() const { return std::nullopt; }

  // Begins to read and write, as an adopted connection or as one that stays here as if it had never been frozen.
  virtual void resume() = 0;
};

}  // namespace baton::handoff
