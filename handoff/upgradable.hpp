// A process that can be upgraded while it serves. SIGUSR2 starts the program now on disk and hands it the listening
// sockets and every connection of the fleet; if that fails for any reason, this process keeps serving. TERM, INT and
// QUIT stop it, a second one at once.
//
// Everything happens in the thread that calls `attend`, between the server's own events: no callback comes from another
// thread, and the server needs no lock.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "handoff/conversation_thread.hpp"
#include "handoff/fleet.hpp"
#include "handoff/guarded.hpp"
#include "handoff/instance.hpp"
#include "handoff/predecessor.hpp"
#include "handoff/service.hpp"
#include "handoff/start.hpp"
#include "handoff/successor.hpp"

namespace baton::handoff {

class Survival;

struct UpgradableTerms {
  std::vector<std::string> arguments = {};       // all of ours: a successor is started with them
  std::string version = {};                      // for humans
  std::vector<std::string> features = {};        // understood by our `adopt`, as parcels name them

  std::string lock = {};                         // a path: one process at a time serves. Empty: no check
  std::string pid_file = {};                     // a path, or empty

  std::chrono::milliseconds ready_timeout{10'000};   // from the successor's start until it serves
  std::chrono::milliseconds step_timeout{2'000};     // for each later answer of the successor
  std::chrono::milliseconds finish_timeout{5'000};   // how long a connection may take until it can be frozen
  std::chrono::milliseconds drain_timeout{30'000};   // how long it may take to end if it stays here
  std::chrono::milliseconds stop_timeout{10'000};    // how long connections may take to end on a stop

  std::function<void(const std::string& line)> log = {};   // for the operator; empty: to standard error

  // If this process crashes, another one goes on with the listening sockets and with every connection whose `parcel`
  // says how, except for those that were in a Step. A second process, the keeper, sees to that; it calls `log`, too.
  bool survive_crashes = false;
};

class Upgradable {
 public:
  // Construct it first thing in main. Blocks USR2, TERM, INT and QUIT, also for threads started later, and ignores
  // PIPE. If one of those four or CHLD was inherited as ignored, it no longer is; other signals keep their inherited
  // settings and are the server's to change. A successor starts with a clean mask and none of our descriptors but the
  // standard ones. In a successor, the constructor waits for the inheritance. Throws std::runtime_error if another
  // process holds the lock, a path cannot be written or the predecessor is gone. With `survive_crashes`, the process
  // must have no other thread yet; if there can be no keeper, `log` says why, and a crash is not survived.
  explicit Upgradable(UpgradableTerms terms);
  // Only before `serve` or once `has_ended`.
  ~Upgradable();
  Upgradable(const Upgradable&) = delete;
  Upgradable& operator=(const Upgradable&) = delete;

  // The listening socket of that name: the predecessor's, or the result of `make` if it had none. Upgradable owns it. A
  // socket that our successor does not ask for is closed when we end.
  int listener(const std::string& name, const std::function<UniqueFd()>& make);

  // This successor cannot serve; the predecessor's operator reads why. Does nothing in a process that is not a
  // successor.
  void refuse(const std::string& why);

  // We are ready: `service` is called from now on, first `accept`. It must live until `has_ended`.
  void serve(Service& service);

  Fleet& fleet() { return fleet_; }

  // Readable when `attend` has something to do. Works with any poller, level- or edge-triggered.
  int descriptor() const { return poller_.get(); }
  // Does pending work without blocking. May freeze, resume and destroy connections.
  void attend();
  // For a thread that does nothing else: attends until `has_ended`.
  void attend_to_the_end();

  // The same as SIGUSR2 and as TERM.
  void upgrade();
  void stop();

  // Time to return `exit_code` from main.
  bool has_ended() const { return state_ == State::ended; }
  int exit_code() const { return exit_code_; }

  bool is_successor() const { return is_successor_; }
  std::uint64_t generation() const { return generation_; }  // 1, plus one with each upgrade or crash

 private:
  enum class State { preparing, succeeding, serving, upgrading, draining, ended };
  class Roles;                       // our interface to the conversation's thread
  struct Listener {
    std::string name;
    UniqueFd socket;
  };
  struct Attempt {                   // an upgrade
    pid_t successor = 0;
    std::vector<int> stop_signals;   // received since it began
  };
  struct Leftover {                  // a successor that failed
    pid_t pid;
    bool owns_connections;
    std::chrono::steady_clock::time_point deadline;
  };

  void enter(State state);
  void become_first();
  void begin_succession(UniqueFd channel);
  void succession_ended(const SuccessionOutcome& outcome);
  void begin_upgrade();
  Result<void> converse(Started& started);
  void leave_to_its_end(Leftover leftover);
  void upgrade_ended(const HandoverOutcome& outcome);
  void post(std::function<void()> task);
  auto by_post() {
    return [this](std::function<void()> task) { post(std::move(task)); };
  }
  void obey(int signal);
  void obey_signals();
  void serve_from_now_on();
  void drain(std::chrono::milliseconds limit);
  void tick_every_ns(long period);  // 0: no more
  void tick();
  void end(int exit_code);
  void publish_pid();
  void begin_to_survive();
  void survive_no_more();
  void remember();  // what a crash must not take down, besides connections
  void say(const std::string& line) const;

  UpgradableTerms terms_;
  State state_ = State::preparing;
  int exit_code_ = 0;
  bool is_successor_ = false;
  std::uint64_t generation_ = 1;
  std::unique_ptr<Survival> survival_;  // outlives the fleet
  Fleet fleet_;
  Service* service_ = nullptr;       // outlives the conversations
  InstanceLock lock_;
  PidFile pid_file_;
  std::vector<Listener> inherited_;  // not asked for yet
  std::vector<Listener> listeners_;

  UniqueFd poller_;                  // an epoll of the three below
  UniqueFd posted_;                  // an eventfd: a task is queued
  UniqueFd signals_;                 // in the poller once it is settled which process serves
  UniqueFd ticks_;                   // a timer, armed while something is awaited
  std::chrono::steady_clock::time_point drain_deadline_{};
  std::vector<Leftover> leftovers_;

  Guarded<std::deque<std::function<void()>>> tasks_;
  std::optional<Attempt> attempt_;   // in State::upgrading
  std::unique_ptr<Roles> roles_;     // of the conversation
  std::optional<ConversationThread> conversation_;   // while one is on; last: it uses the others
};

}  // namespace baton::handoff
