// The small parent whose PID never changes. Workers come and go: the first is started here, each successor by its
// predecessor, exactly as without a supervisor. The parent passes signals on, keeps what a crash must not take down,
// and starts a replacement when one happens.
#pragma once

#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "handoff/start.hpp"
#include "handoff/unique_fd.hpp"
#include "proxy/supervisor/parent_state.hpp"
#include "proxy/supervisor/renewal.hpp"
#include "proxy/supervisor/replacement.hpp"

namespace baton::supervisor {

// What the first worker is given of what the service manager gave us (sd_listen_fds): descriptors 3 and up.
struct PassedOn {
  std::vector<int> descriptors;
  std::vector<std::string> environment;
};
// Once. What is meant for another process is left alone.
PassedOn take_what_is_passed_on();

class Supervisor {
 public:
  // `arguments` are our own, whole; workers are started with the same. The handled signals are blocked already.
  explicit Supervisor(std::vector<std::string> arguments);
  // One that goes on where another version stood in this process. Throws std::runtime_error if `state` cannot be.
  Supervisor(std::vector<std::string> arguments, const std::string& state);

  // Until there is nothing left to supervise. Returns the exit code.
  int run();

 private:
  using Clock = std::chrono::steady_clock;

  // ── What happens ──────────────────────────────────────────────────────────────────────────────────────────────
  void start_first();
  void watch_once();
  void read_signals();
  void on_signal(int signal);
  void forward(int signal);
  void stop(int signal);
  void reap();
  void let_newcomers_in();
  void read_line(pid_t pid);
  void hear(Worker& worker, handoff::Frame& frame);
  void announced(Worker& worker);
  void succeeded(Worker& worker, const handoff::Frame& frame);
  void worker_ended(pid_t pid, std::optional<int> status);

  // ── Nobody is the instance (supervisor_recovery.cpp) ──────────────────────────────────────────────────────────
  void instance_lost(const Worker& worker, std::optional<int> status);
  void plan_replacement();
  void settle();
  void replace();
  handoff::Result<void> start_replacement();
  void give_up_candidate(pid_t pid);
  void replacement_over();
  void replacement_failed(const std::string& why);
  bool somebody_may_become_instance() const;
  bool somebody_else_is_the_instance() const;
  void remove_what_it_left();
  void remove_paths() const;
  void finish(int code);

  // ── Becoming another version ──────────────────────────────────────────────────────────────────────────────────
  void consider_renewal();
  void dry_run_ended(int status);
  void renew_if_quiet();

  Worker* find(pid_t pid);
  Worker& known(pid_t pid);

  std::vector<std::string> arguments_;
  ParentState state_;
  handoff::UniqueFd signals_;
  PassedOn passed_on_;

  std::unique_ptr<Replacement> replacement_;
  std::optional<Clock::time_point> replace_at_;    // nobody is the instance; then a replacement starts
  Clock::time_point replace_at_once_;              // the same if no candidate is left
  std::optional<Clock::time_point> kill_at_;       // told to stop twice: whoever is still here then
  bool foreign_ = false;                           // the instance is no descendant of ours
  std::optional<int> exit_code_;                   // set: only the end of the last workers is waited for

  std::optional<DryRun> dry_run_;
  bool may_renew_ = false;                         // the dry run said so
  std::optional<Identity> refused_;                // a version that cannot go on for us
};

}  // namespace baton::supervisor
