// What a server does for live upgrades, beside its connections (movable.hpp). Every call comes from
// `Upgradable::attend`, so in the server's own thread. `accept` and `stop_accepting` may throw std::bad_alloc, and are then
// called again until there is memory; on the way back from a failed upgrade any other exception would end the process.
#pragma once

#include <memory>
#include <string>

#include "handoff/movable.hpp"
#include "handoff/result.hpp"

namespace baton::handoff {

class Service {
 public:
  virtual ~Service() = default;

  // Begins to accept on all listening sockets; also after stop_accepting, when an upgrade has failed.
  virtual void accept() = 0;
  // Takes them out of every poller, without closing them; also when it does not accept. Whatever was accepted is in the
  // fleet when this returns.
  virtual void stop_accepting() = 0;

  // A connection as its `freeze` put it into the parcel, frozen: may fail, and touches no socket. The error's text is why
  // it is refused; then the predecessor serves it to its end.
  virtual Result<std::shared_ptr<Movable>> adopt(ReceivedParcel parcel) = 0;

  // What is the whole server's and no connection's, such as totals; given to the successor at the very end, when it
  // becomes the instance.
  virtual std::string state() { return {}; }
  virtual void restore(const std::string& state) { (void)state; }

  // The process will end when no connection is left, or when the time for that is over. Idle ones may be ended now.
  virtual void stop() {}
};

}  // namespace baton::handoff
