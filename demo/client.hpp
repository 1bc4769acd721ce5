// One client of the demo, of whatever kind: one connection, opened once, watched until the end. A new kind (another
// protocol, another habit) is one more file with a class that keeps this contract, and a line in load.cpp.
//
// Everything is called on the load's thread. A client reports to the tally: the opening, every verified answer, and
// what ended it. It never reconnects: after a trouble it is over.
#pragma once

#include <chrono>

namespace baton::demo {

using Clock = std::chrono::steady_clock;

class Client {
 public:
  virtual ~Client() = default;

  virtual void start() = 0;

  // A live upgrade has just ended.
  virtual void upgrade_passed() {}

  // Called every few dozen milliseconds, to notice what never comes.
  virtual void check(Clock::time_point now) = 0;

  // Prove with one more exchange that the connection is alive, then close it.
  virtual void finish() = 0;

  // Nothing more will happen: proven and closed, or ended by a trouble.
  virtual bool over() const = 0;
};

}  // namespace baton::demo
