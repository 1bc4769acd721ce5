// A process that has the worker's descriptors and sees its memory, and does nothing as long as the worker lives. If the
// worker crashes, it plays the predecessor of an upgrade: it starts a successor, and hands over every connection that
// was not being run.
//
// It is a clone of the worker from before its first thread, which shares the table of descriptors (CLONE_FILES). So the
// worker's close() closes a descriptor for both, and the keeper must close nothing before the worker is dead.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "handoff/parties.hpp"
#include "proxy/keeper/arena.hpp"
#include "proxy/keeper/testament.hpp"

namespace baton::keeper {

// What a keeper needs of its worker's start.
struct Origin {
  std::vector<std::string> arguments;  // the worker's own
  int door = -1;                       // of its supervisor, for the successor
  int line = -1;                       // to its supervisor
};

class Keeper {
 public:
  // Call it in the worker before its first thread, and before anything is allocated for a state. Does not return in the
  // keeper. Throws std::system_error.
  static std::unique_ptr<Keeper> begin(const Origin& origin);

  ~Keeper() { end(); }

  pid_t pid() const { return pid_; }
  Roster& roster() const { return arena_.roster(); }

  // ── Of the worker ─────────────────────────────────────────────────────────────────────────────────────────────────
  // It is the instance, and this is what its successor needs besides connections. `lock`: the descriptor of its lock.
  // `survive`: which connections are to go on. `terms`: of the handover to it.
  void remember(const handoff::PredecessorTerms& terms, const handoff::Estate& estate, int lock, Survive survive);
  // It is not the instance yet, and may have connections from here on. The rest as for `remember`.
  void note_prepared(int lock, Survive survive);
  // The channels of a conversation; -1 and -1: it is over.
  void note_conversation(Partner partner, int channel, int spare);
  // It lets its successor have the lock, or has it again.
  void note_resigned(bool is_it) { arena_.control().has_resigned = is_it; }
  // It is not the instance any more, or ends of its own accord.
  void note_end() { arena_.control().is_over = true; }
  // It has ended.
  void note_gone() { pid_ = 0; }
  // Before the worker ends: it would leave the lock to a keeper that ends a moment later.
  void end();

 private:
  Keeper(Arena& arena, pid_t pid) : arena_(arena), pid_(pid) {}

  Arena& arena_;
  std::unique_ptr<const Testament> testament_;
  pid_t pid_;
};

}  // namespace baton::keeper
