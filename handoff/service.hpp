// What a server implements for live upgrades, besides its connections (movable.hpp). Every call comes from
// `Upgradable::attend`, in the server's own thread. If `accept` or `stop_accepting` throws std::bad_alloc it is called
// again until there is memory; while a failed upgrade is being undone, any other exception ends the process.
#pragma once

#include <memory>
#include <string>

#include "handoff/movable.hpp"
#include "handoff/result.hpp"

namespace baton::handoff {

class Service {
 public:
  virtual ~Service() = default;

  // Begins to accept on all listening sockets. Called again after stop_accepting if the upgrade fails.
  virtual void accept() = 0;
  // Removes them from every poller without closing them. May be called while not accepting. On return every accepted
  // connection is in the fleet.
  virtual void stop_accepting() = 0;

  // Rebuilds a connection, still frozen, from the parcel that its `freeze` made. May fail and touches no socket. An
  // error's text is the reason for the refusal; the predecessor then serves the connection to its end.
  virtual Result<std::shared_ptr<Movable>> adopt(ReceivedParcel parcel) = 0;

  // State of the server as a whole, such as totals. The successor gets it at the very end, when it becomes the
  // instance. After a crash there is none, and `restore` is not called, as with an empty state.
  virtual std::string state() { return {}; }
  virtual void restore(const std::string& state) { (void)state; }

  // The process will end when no connection is left or the time limit is up. Idle connections may be ended now.
  virtual void stop() {}
};

}  // namespace baton::handoff
