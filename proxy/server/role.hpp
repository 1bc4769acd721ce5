// The role of this process in the service: one state at a time, with the data that exists only in that state. A pure
// value; the code that changes it does the work that the change requires.
#pragma once

#include <variant>

namespace baton::proxy {

class Role {
 public:
  // Prepares to serve as the first process. Nothing is visible from outside yet.
  struct Starting {};
  // In conversation with its predecessor.
  struct Succeeding {
    bool is_instance = false;  // settled, but the conversation is not over yet
    bool has_canary = false;   // it is one
  };
  // It is the instance.
  struct Serving {};
  // In conversation with its successor.
  struct Upgrading {
    bool has_resigned = false;     // the successor is, or soon will be, the instance
    bool is_told_to_stop = false;  // it stops unless the successor stops instead
    bool has_canary = false;       // the successor is one
  };
  // It is the instance until it exits, and drains its connections.
  struct Stopping {
    bool is_told_to_stop = false;  // by a signal or a command: another one ends it at once
  };
  // It is not, or no longer, the instance, and drains the connections that could not move.
  struct Retired {
    bool is_succeeded = false;  // by a successor of its own, which keeps the service ready
    bool is_told_to_stop = false;
  };

  bool is_instance() const;
  bool is_succeeding() const { return is<Succeeding>(); }
  bool is_upgrading() const { return is<Upgrading>(); }
  bool is_retired() const { return is<Retired>(); }
  // A conversation is under way: exiting now looks like a crash to the other side.
  bool is_conversing() const { return is_succeeding() || is_upgrading(); }
  bool has_resigned() const;
  // It will end, or will unless the current upgrade fails.
  bool is_stopping() const;
  bool is_told_to_stop() const;
  // The service is ready, here or at the successor.
  bool is_ready() const { return has_resigned() || (is_instance() && !is_stopping()); }
  // The instance, with nothing else under way that decides what is served and by whom.
  bool is_serving() const { return is<Serving>(); }

  // A canary and its predecessor serve beside each other, perhaps for long, and each looks after its servers.
  bool has_canary() const;

  // ── Transitions. Each asserts the states it starts from. ──────────────────────────────────────────────────────
  void succeed();          // Starting → Succeeding
  void become_instance();  // Starting → Serving; in Succeeding: settled
  void end_succession();   // Succeeding → Serving or, if another process is the instance, Retired
  void upgrade();          // Serving → Upgrading
  void resign();           // in Upgrading
  void reclaim();          // in Upgrading: resigned no longer
  void begin_canary();     // in Upgrading or Succeeding
  void end_canary();       // the same; does nothing elsewhere
  void upgrade_failed();   // Upgrading → Serving
  void upgrade_done();     // Upgrading → Retired
  void stop();             // Serving → Stopping; does nothing in Stopping
  void tell_to_stop();     // Serving → Stopping; in Upgrading, Stopping, Retired: noted

 private:
  template <class State>
  bool is() const {
    return std::holds_alternative<State>(state_);
  }

  std::variant<Starting, Succeeding, Serving, Upgrading, Stopping, Retired> state_;
};

}  // namespace baton::proxy
