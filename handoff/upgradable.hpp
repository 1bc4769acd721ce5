// A process that can be upgraded while it serves. SIGUSR2 starts the program that is on disk now and hands it the
// listening sockets and every connection of the fleet; if that fails, whatever the reason, this process goes on. TERM,
// INT and QUIT stop it, a second one at once.
//
// Everything happens in the thread that calls `attend`, in between the server's own events: no callback comes from
// elsewhere, and nothing needs a lock.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "handoff/fleet.hpp"
#include "handoff/instance.hpp"
#include "handoff/predecessor.hpp"
#include "handoff/service.hpp"
#include "handoff/start.hpp"
#include "handoff/successor.hpp"

namespace baton::handoff {

struct UpgradableTerms {
  std::vector<std::string> arguments = {};       // our own, whole: a successor is started with the same
  std::string version = {};                      // for people
  std::vector<std::string> features = {};        // that our `adopt` understands, as parcels name them

  std::string lock = {};                         // a path: one process at a time serves. Empty: no check
  std::string pid_file = {};                     // a path, or empty

  std::chrono::milliseconds ready_timeout{10'000};   // from its start until the successor serves
  std::chrono::milliseconds step_timeout{2'000};     // each later answer of it
  std::chrono::milliseconds finish_timeout{5'000};   // a connection may take this long until it can be frozen
  std::chrono::milliseconds drain_timeout{30'000};   // and this long to end, if it stays here
  std::chrono::milliseconds stop_timeout{10'000};    // connections may take this long to end when the process stops

  std::function<void(const std::string& line)> log = {};   // what an operator wants to know; empty: to standard error
};

class Upgradable {
 public:
  // First thing in main: it blocks USR2, TERM, INT and QUIT, and ignores PIPE; threads that begin later have the same
  // mask. Where whoever started us had one of those four or CHLD ignored, it is no longer; all other signals are the
  // server's to set, and what it inherited is still in force. A successor starts with a clean one, and with no
  // descriptor of ours but the standard ones. As a successor it waits for what it inherits. Throws std::runtime_error:
  // another process holds the lock, a path cannot be written, or the predecessor is gone.
  explicit Upgradable(UpgradableTerms terms);
  // Only before `serve` or when `has_ended`.
  ~Upgradable();
  Upgradable(const Upgradable&) = delete;
  Upgradable& operator=(const Upgradable&) = delete;

  // The listening socket of that name: the predecessor's, or, if it had none, what `make` gives. It stays ours. What the
  // successor of this process does not ask for ends with us.
  int listener(const std::string& name, const std::function<UniqueFd()>& make);

  // This successor cannot serve, for a reason that its predecessor's operator should read. Does nothing in another process.
  void refuse(const std::string& why);

  // Ready: from here on `service` is called, first with `accept`. It must live until `has_ended`.
  void serve(Service& service);

  Fleet& fleet() { return fleet_; }

  // Readable when `attend` has something to do. Give it to any poller; it may be level- or edge-triggered.
  int descriptor() const { return poller_.get(); }
  // Does it, without waiting. Connections may be frozen, resumed and destroyed meanwhile.
  void attend();
  // For a thread that does nothing else: attends until the process has ended.
  void attend_to_the_end();

  // Begins what SIGUSR2 begins, and what TERM begins.
  void upgrade();
  void stop();

  // Time to return `exit_code` from main.
  bool has_ended() const { return state_ == State::ended; }
  int exit_code() const { return exit_code_; }

  bool is_successor() const { return is_successor_; }
  std::uint64_t generation() const { return generation_; }   // 1, and one more with each upgrade

 private:
  enum class State { preparing, succeeding, serving, upgrading, draining, ended };
  class Roles;                       // what a conversation's thread sees of us
  struct Listener {
    std::string name;
    UniqueFd socket;
  };
  struct Leftover {                  // a successor that failed
    pid_t pid;
    bool owns_connections;
    std::chrono::steady_clock::time_point deadline;
  };

  void become_first();
  void begin_succession(UniqueFd channel);
  void succession_ended(const SuccessionOutcome& outcome, bool instance);
  void begin_upgrade();
  Result<void> converse(Started& started);
  void leave_to_its_end(Leftover leftover);
  void upgrade_ended(const HandoverOutcome& outcome);
  void post(std::function<void()> task);
  void obey(int signal);
  void obey_signals();
  void serve_from_now_on();
  void drain(std::chrono::milliseconds limit);
  void begin_ticking();
  void tick();
  void end(int exit_code);
  void publish_pid();
  void say(const std::string& line) const;

  UpgradableTerms terms_;
  State state_ = State::preparing;
  int exit_code_ = 0;
  bool is_successor_ = false;
  std::uint64_t generation_ = 1;
  Fleet fleet_;
  Service* service_ = nullptr;       // outlives the conversations
  InstanceLock lock_;
  PidFile pid_file_;
  std::vector<Listener> inherited_;  // and not asked for yet
  std::vector<Listener> listeners_;

  UniqueFd poller_;                  // an epoll of the three below
  UniqueFd posted_;                  // an eventfd: a task waits
  UniqueFd signals_;                 // in the poller from the moment it is settled who serves
  UniqueFd ticks_;                   // a timer, while something is to be waited for
  std::chrono::steady_clock::time_point drain_deadline_{};
  std::vector<Leftover> leftovers_;

  std::thread conversation_;
  std::unique_ptr<Roles> roles_;
  std::mutex mutex_;                 // guards tasks_
  std::deque<std::function<void()>> tasks_;
  pid_t successor_ = 0;              // during an upgrade
  std::vector<int> stop_signals_;    // that came meanwhile
};

}  // namespace baton::handoff
