// The small parent process whose PID never changes. Workers come and go: it starts the first, and each successor is
// started by its predecessor, exactly as without a supervisor. It passes on signals, keeps what must survive a crash,
// and starts a replacement after one.
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

// What the first worker gets of the descriptors from the service manager (sd_listen_fds): descriptors 3 and up.
struct PassedOn {
  std::vector<int> descriptors;
  std::vector<std::string> environment;
};
// Call once. Descriptors meant for another process are left alone.
PassedOn take_what_is_passed_on();

class Supervisor {
 public:
  // `arguments` are our own, complete; workers are started with the same. The handled signals are already blocked.
  explicit Supervisor(std::vector<std::string> arguments);
  // One that continues where another version stood in this process. Throws std::runtime_error if `state` cannot be
  // used.
  Supervisor(std::vector<std::string> arguments, const std::string& state);

  // Runs until there is nothing left to supervise. Returns the exit code.
  int run();

 private:
  using Clock = std::chrono::steady_clock;

  // ── Events ────────────────────────────────────────────────────────────────────────────────────────────────────────
  void start_first();
  void watch_once();
  void read_signals();
  void on_signal(int signal);
  void forward(int signal);
  void stop(int signal);
  void reap();
  void worker_ended(pid_t pid, std::optional<int> status);
  void send(const Worker& worker, int signal) const;

  // ── Lines (supervisor_lines.cpp) ──────────────────────────────────────────────────────────────────────────────────
  void let_newcomers_in();
  void read_line(pid_t pid);
  void hear(Worker& worker, handoff::Frame& frame);
  void stop_listening();
  void announced(Worker& worker);
  void succeeded(Worker& worker, const handoff::Frame& frame);
  void hear_of_crash(const handoff::Frame& frame);

  // ── Without an instance (supervisor_recovery.cpp) ─────────────────────────────────────────────────────────────────
  void instance_lost(const Worker& worker, std::optional<int> status);
  bool leave_to_keeper(Worker& worker, std::optional<int> status);
  void give_up_keeper();
  void keeper_ended(const Worker& worker);
  void note_crash(pid_t pid, std::optional<int> status);
  pid_t keeper() const;
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
  std::optional<Clock::time_point> replace_at_;    // there is no instance; a replacement starts then
  Clock::time_point replace_at_once_;              // the same if no candidate is left
  std::optional<Clock::time_point> keeper_until_;  // a keeper starts the next instance; it may take so long
  state::Crash crash_;                             // for the replacement, as far as it is known; there is no instance
  std::int64_t crashed_at_us_ = 0;                 // on the monotonic clock
  int keeper_rounds_ = 0;                          // how often that is put off
  bool is_keeper_killed_ = false;
  std::optional<Clock::time_point> kill_at_;       // told to stop twice: workers still running then are killed
  bool foreign_ = false;                           // the instance is no descendant of ours
  std::optional<int> exit_code_;                   // set: only waiting for the last workers to end

  std::optional<DryRun> dry_run_;
  bool may_renew_ = false;                         // the dry run allows it
  std::optional<Identity> refused_;                // a version that cannot continue for us
};

}  // namespace baton::supervisor
