// One client of the demo, of any kind: one connection, opened once and watched until the end. A new kind (another
// protocol, another habit) needs a line in clients/kinds.hpp and one more file with a class that fulfils this contract.
//
// Everything is called on the load's thread. A client reports to the tally when it opens, each verified answer, and
// what ended it. It never reconnects: any trouble ends it.
#pragma once

#include <chrono>
#include <cstdint>

namespace baton::demo {

using Clock = std::chrono::steady_clock;

class Client {
 public:
  virtual ~Client() = default;

  virtual void start() = 0;

  // A live upgrade has just ended.
  virtual void upgrade_passed() {}

  // Those that open one connection after another open none until they are told to go on. `rests`: they have none.
  virtual void rest(bool) {}
  virtual bool rests() const { return false; }

  // Show that the connection is alive: a client that rests sends a request now.
  virtual void show_life() {}

  // Bytes that arrived over the connection and were correct so far; for an upload, also those that were taken.
  virtual std::uint64_t moved_bytes() const = 0;

  // Called every few dozen milliseconds, to detect missing data.
  virtual void check(Clock::time_point now) = 0;

  // Prove by one more exchange that the connection is alive, then close it.
  virtual void finish() = 0;

  // It is over: proven and closed, or ended by a trouble.
  virtual bool over() const = 0;
};

}  // namespace baton::demo
