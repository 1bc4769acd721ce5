// One process that serves: its listening sockets, workers, admin interface, signals, and its part in upgrades.
// Everything here runs in the main thread. A conversation has its own thread and comes here for what only the server
// can do.
//
// Memory may run short at any time. A step that may fail throws before it has changed anything. A step that must not be
// left half done (a shutdown, a change of roles, an answer somebody waits for) insists on each of its parts.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "handoff/instance.hpp"
#include "handoff/predecessor.hpp"
#include "handoff/start.hpp"
#include "handoff/successor.hpp"
#include "proxy/admin/admin.hpp"
#include "proxy/server/admin_sockets.hpp"
#include "proxy/server/adopter.hpp"
#include "proxy/server/background.hpp"
#include "proxy/server/donor.hpp"
#include "proxy/server/listener.hpp"
#include "proxy/server/remembered_signals.hpp"
#include "proxy/server/role.hpp"
#include "proxy/process/file_stamps.hpp"
#include "proxy/process/paths.hpp"
#include "proxy/server/service_manager.hpp"
#include "proxy/worker/settings.hpp"
#include "proxy/state/instance_record.hpp"
#include "proxy/supervisor/worker_line.hpp"
#include "proxy/server/takers.hpp"
#include "proxy/server/workers.hpp"

namespace baton::proxy {

// A configuration as read: checked, and as a single text with everything resolved.
struct LoadedConfiguration {
  config::Config config;
  std::string text;
};

// What ran before this process, for a rollback.
struct Previous {
  state::Program program;
  handoff::UniqueFd executable;
};

struct LaunchOptions {
  std::vector<std::string> arguments;        // our own, complete: a successor is started with the same
  std::string configuration_text;
  std::string version;
  // Reads the configuration again; an error is a text for people, one line per problem.
  std::function<std::expected<LoadedConfiguration, std::string>()> load;
  process::Notifier notifier;                // to the service manager
  process::PassedSockets passed;
  std::vector<WantedSocket> listeners;                  // those of the settings, with names looked up
  std::vector<WantedSocket> admin;                      // the same for admin.bind
  std::unique_ptr<supervisor::WorkerLine> supervisor;   // empty: no supervisor
};

class Server {
 public:
  // Throws std::runtime_error for problems that the operator must fix.
  Server(std::shared_ptr<const Settings> settings, LaunchOptions options);
  ~Server();

  // Serves as the first generation until a signal ends it. Returns the exit code.
  int run();
  // The same as the successor at the other end of `channel`. `speaks_first`: we connected on our own, as a taker. If it
  // throws, it has not taken the channel.
  int run_as_successor(handoff::UniqueFd& channel, bool speaks_first = false);

 private:
  // ── Start and end (server.cpp) ────────────────────────────────────────────────────────────────────────────────
  void prepare_process();
  void set_connection_limit();
  void become_first();
  void begin_to_serve();
  void start_workers(std::uint64_t generation);
  ListeningSocket as_workers_see_it(const BoundSocket& socket) const;
  std::vector<ListeningSocket> listening_sockets() const;
  void accept();
  void empty_queue(const BoundSocket& socket);  // nobody accepts from it any more
  void watch();
  int loop();
  void run_events();
  void read_signals();
  void hear_signals();
  void on_signal(int signal);
  void obey_signal(int signal);  // logs any exception
  void obey_remembered_signals();
  void reap();
  void reopen_logs(std::function<void()> then = {});
  void exit_with(int code);
  std::string serving_status() const;
  template <class Task>
  auto in_main(Task task);                   // runs it in the main thread and waits; for a conversation's thread

  // ── Stopping (stop.cpp) ───────────────────────────────────────────────────────────────────────────────────────
  void begin_stop(const char* why, std::optional<std::chrono::milliseconds> limit);
  // On a signal or a command; also shortens a stop under way that has more time.
  void stop_within_limit(const char* why);
  // Accepts nothing more and serves the connections that could not move until they end, for drain_timeout at most.
  void drain_what_stays();
  // Ends the process when no connection is left, or at the deadline.
  void watch_drain();
  void exit_when_answered(std::chrono::steady_clock::time_point deadline);

  // ── Paths (paths.cpp) ─────────────────────────────────────────────────────────────────────────────────────────
  handoff::Result<void> open_meeting_point();
  // Binds the admin and handoff sockets again if somebody has removed them.
  void put_sockets_back();
  handoff::Result<void> check_lock_path();

  // ── Being somebody's worker (supervision.cpp) ─────────────────────────────────────────────────────────────────
  pid_t lasting_pid() const;                 // the PID that the PID file names
  void watch_supervisor();
  void supervisor_gone();
  void heir_is_known();
  // Sends the supervisor what a replacement would need, after each change; does nothing without a supervisor. The
  // supervisor has it when this returns. Call it before anyone else can see the change, since whoever sees it may kill
  // this process.
  void announce();
  supervisor::Announcement announcement();
  void leave_supervisor();  // the supervisor has this, too, when it returns
  void await_telling();

  // ── Status (status.cpp) ───────────────────────────────────────────────────────────────────────────────────────
  void answer_status(std::function<void(admin::Status)> answer);

  // ── Commands of the admin interface (commands.cpp) ────────────────────────────────────────────────────────────
  bool is_ready() const;
  admin::Source admin_source();
  void obey(admin::Command command, admin::ReplySink answer);
  admin::Reply drain(bool on);
  std::optional<admin::Reply> call_off_on_command(admin::LineSink lines);
  std::optional<admin::Reply> upgrade_on_command(const admin::UpgradeCommand& command, admin::LineSink lines);
  // Sends a line to the clients that commanded the current upgrade or its cancellation; there may be none.
  void tell(const std::string& line);
  void tell_progress();                      // now and periodically
  void tell_result(const admin::LastUpgrade& result);

  // ── Reloading (reload.cpp) ────────────────────────────────────────────────────────────────────────────────────
  // What was done, or why nothing was: a text for people, which is also logged.
  using ReloadOutcome = std::expected<std::string, std::string>;
  using ReloadAnswer = std::function<void(const ReloadOutcome&)>;
  // A reload under way: the clients that asked for it, and those that asked later, when the file may already have been
  // read.
  struct Reload {
    std::vector<ReloadAnswer> asked;
    std::vector<ReloadAnswer> asked_since;
  };
  // The parts of a reload that may take long.
  struct Prepared {
    std::shared_ptr<const Settings> settings;
    std::vector<WantedSocket> listeners;
    std::shared_ptr<runtime::AccessLog> access_log;
    std::string text;
  };
  static std::expected<Prepared, std::string> prepare(const decltype(LaunchOptions::load)& load, const Settings& now);
  void reload(ReloadAnswer answer = [](const ReloadOutcome&) {});
  void begin_reload(std::shared_ptr<Reload> reload);
  void end_reload(std::expected<Prepared, std::string> prepared);
  ReloadOutcome take(Prepared prepared);
  void retire(std::shared_ptr<runtime::AccessLog> access_log);
  // Called when something else under way decides what is served, and by whom. Returns true if a reload was under way.
  bool drop_reload(const std::string& why);
  void apply(std::shared_ptr<const Settings> settings, std::vector<BoundSocket> sockets);

  // ── Watching certificates (certificates.cpp) ──────────────────────────────────────────────────────────────────
  void watch_certificates();                 // those of the current settings
  void look_at_certificates_later();
  void look_at_certificates();
  void certificates_seen(std::vector<process::FileStamp> stamps);
  void certificates_loaded(const std::expected<std::shared_ptr<const Settings>, std::string>& renewed);

  // ── Being the predecessor (upgrade.cpp) ───────────────────────────────────────────────────────────────────────
  // Starts `binary` from disk, or if that is empty, what this process was started from. Returns the reason if no
  // upgrade is possible now; otherwise the upgrade has begun, or has already failed.
  std::optional<std::string> begin_upgrade(const std::string& binary = {});
  // The same with the program that ran before, unchanged.
  std::optional<std::string> begin_rollback();
  std::optional<std::string> hand_over_to(handoff::Program program);
  handoff::Result<void> start_handover(handoff::Program program);
  std::optional<std::string> why_no_handover() const;
  // Talks to a successor. `child` is 0 if it is not our child; then nobody signals it or waits for it. After an error
  // nothing of the attempt is left, and the caller still owns the channel.
  handoff::Result<void> converse(handoff::Channel& channel, pid_t child);
  void make_conversation(const std::shared_ptr<handoff::Channel>& channel, pid_t child);
  // The number of connections that the previous program could not serve: they would stay here until they end.
  std::uint64_t unknown_to_previous();
  void upgrade_failed_to_start(const std::string& why);
  handoff::Side self() const;      // this process in a report
  state::InstanceRecord record() const;
  handoff::Estate estate();
  void stop_accepting(const std::vector<std::string>& taken);
  void note_conduct(const handoff::Conduct& conduct);
  void begin_moving();
  std::string resign();
  bool reclaim();
  handoff::LeftBehind left_behind() const;
  void watch_leftovers();
  void upgrade_ended(const handoff::HandoverOutcome& outcome, pid_t child);
  void note_failure(const handoff::HandoverOutcome& outcome);
  void retire(const handoff::Report& report, pid_t child);
  std::string explain_failure(const handoff::HandoverOutcome& outcome);

  // ── Takers (takeover.cpp) ─────────────────────────────────────────────────────────────────────────────────────
  void taken_over_by(Taker taker);

  // ── Being the successor (succession.cpp) ──────────────────────────────────────────────────────────────────────
  handoff::Result<std::vector<std::string>> inherit(handoff::Inheritance inheritance);
  handoff::Result<void> take_over(const std::string& application, const handoff::Report& report);
  void succession_ended(const handoff::SuccessionOutcome& outcome);
  // For a taker that is told to stop before it owns the service: it cancels.
  void call_off_succession(const char* why);
  void become_instance();
  void tell_that_we_serve();  // if another process was the main one before
  void accept_no_more();
  // On probation: reports how we have served, and gives everything back.
  handoff::Conduct conduct(bool at_end);
  handoff::Donor& returning_donor();
  void stop_accepting_for_return(const std::vector<std::string>& shared);

  std::shared_ptr<const Settings> settings_;
  LaunchOptions options_;
  process::Paths paths_;
  boost::asio::io_context context_;
  boost::asio::posix::stream_descriptor signals_;
  boost::asio::posix::stream_descriptor supervisor_;   // readable when it is gone
  boost::asio::steady_timer drain_timer_;
  boost::asio::steady_timer leftovers_timer_;
  boost::asio::steady_timer certificates_timer_;
  ServiceManager manager_;
  boost::asio::steady_timer progress_timer_;
  std::vector<std::string> watched_files_;
  std::shared_ptr<Reload> reload_;   // null: none under way
  bool reload_was_dropped_ = false;  // by the current upgrade
  std::vector<process::FileStamp> loaded_stamps_;
  std::vector<process::FileStamp> seen_stamps_;   // at the last look
  bool looking_at_certificates_ = false;          // in the background
  handoff::UniqueFd executable_;             // of this process
  std::optional<Previous> previous_;
  std::shared_ptr<runtime::AccessLog> access_log_;
  handoff::InstanceLock lock_;
  handoff::PidFile pid_file_;
  std::vector<BoundSocket> sockets_;
  AdminSockets admin_;
  std::string admin_known_as_;               // the admin address by which a successor identifies this instance
  Takers takers_;
  Shared shared_;
  std::unique_ptr<Workers> workers_;

  std::uint64_t inherited_accepted_ = 0;     // of earlier generations
  std::uint64_t inherited_requests_ = 0;
  std::optional<admin::LastUpgrade> last_upgrade_;
  std::int64_t started_at_us_ = runtime::unix_us();
  bool after_crash_ = false;                 // we replace a process that crashed
  bool supervisor_gone_ = false;
  pid_t heir_ = 0;                           // the instance, while our supervisor may take us for it
  bool draining_ = false;                    // by command: still serving, but not ready
  bool last_reload_ok_ = true;
  std::vector<admin::LineSink> upgrade_lines_;   // of those who commanded the current upgrade or its cancellation
  std::optional<std::uint64_t> connections_to_move_;   // when they began to move
  std::optional<std::chrono::steady_clock::time_point> probation_ends_;   // set: the successor is on probation

  std::unique_ptr<WorkersDonor> donor_;      // during an upgrade; in a successor, while it gives back
  std::unique_ptr<WorkersAdopter> returns_;  // during an upgrade: takes what the successor gives back
  std::thread conversation_;
  std::string taker_;                        // the successor, if it is not our child
  std::vector<const BoundSocket*> not_taken_;   // of sockets_: addresses the successor does not have
  RememberedSignals remembered_signals_;
  // A successor that failed after adopting connections serves them until they end; if it hangs it is killed.
  struct Leftover {
    pid_t pid = 0;
    std::chrono::steady_clock::time_point deadline;
  };
  std::vector<Leftover> leftovers_;
  bool predecessor_is_trusted_ = false;
  bool is_taker_ = false;                    // and nobody's child: a stop is meant for us alone
  std::atomic<const char*> call_off_succession_{nullptr};
  handoff::UniqueFd call_off_wake_;          // eventfd
  pid_t successor_pid_ = 0;                  // our child, until it is reaped
  std::optional<int> successor_status_;

  Role role_;
  bool is_ending_ = false;
  std::optional<std::chrono::steady_clock::time_point> drain_deadline_;
  int exit_code_ = 0;
  Background background_;  // last, so that its work ends first
};

}  // namespace baton::proxy
