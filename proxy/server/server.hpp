// One process that serves: its parts, how they are wired together, and its event loop. What each part knows and does is
// in its own header; none knows all others.
//
// Everything here runs in the main thread. A conversation has its own thread and calls into this one for what only the
// server can do (main_thread.hpp).
//
// Memory may run short at any time. A step that may fail throws before it has changed anything. A step that must not be
// left half done (a shutdown, a change of roles, an answer that a client waits for) insists on each of its parts.
#pragma once

#include <boost/asio/io_context.hpp>

#include <memory>
#include <string>
#include <vector>

#include "handoff/successor.hpp"
#include "handoff/unique_fd.hpp"
#include "proxy/server/background.hpp"
#include "proxy/server/certificate_watch.hpp"
#include "proxy/server/children.hpp"
#include "proxy/server/commands.hpp"
#include "proxy/server/data_path.hpp"
#include "proxy/server/ending.hpp"
#include "proxy/server/generation.hpp"
#include "proxy/server/health_watch.hpp"
#include "proxy/server/history_watch.hpp"
#include "proxy/server/instance.hpp"
#include "proxy/server/launch.hpp"
#include "proxy/server/main_thread.hpp"
#include "proxy/server/name_watch.hpp"
#include "proxy/server/reloads.hpp"
#include "proxy/server/role.hpp"
#include "proxy/server/service_manager.hpp"
#include "proxy/server/signals.hpp"
#include "proxy/server/status.hpp"
#include "proxy/server/succession.hpp"
#include "proxy/server/supervision.hpp"
#include "proxy/server/upgrades.hpp"

namespace baton::proxy {

class Server {
 public:
  // Throws std::runtime_error for problems that the operator must fix.
  explicit Server(LaunchOptions options);

  // Serves as the first generation until a signal ends it. Returns the exit code.
  int run();
  // The same as the successor at the other end of `channel`. `speaks_first`: we connected on our own, as an external
  // successor. If it throws, it has not taken the channel.
  int run_as_successor(handoff::UniqueFd& channel, bool speaks_first = false);

 private:
  void begin_to_serve();
  void watch();
  int loop();
  void run_events();
  void exit_with(int code);

  void on_signal(int signal);
  void on_signal_in_succession(int signal);
  void on_signal_in_upgrade(int signal, UpgradeAttempt& attempt);
  void end_at_once_in_upgrade(UpgradeAttempt& attempt);
  void supervisor_gone();
  void look_after_keeper();

  // Once this process is the instance, only the end of the conversation is outstanding: handles it without waiting for
  // the event.
  void settle_succession();
  void succession_ended(const handoff::SuccessionOutcome& outcome);
  void leave_to_predecessor(const handoff::SuccessionOutcome& outcome, bool is_cancelled);

  int exit_code_ = 0;
  boost::asio::io_context context_;
  const MainThread main_;
  Background background_;
  Role role_;
  Generation generation_;
  DataPath data_path_;
  ServiceManager manager_;
  Supervision supervision_;
  Instance instance_;
  const SelfDescription self_;
  Children children_;
  Signals signals_;
  CertificateWatch certificates_;
  HealthWatch health_;
  NameWatch names_;
  Reloads reloads_;
  Ending ending_;
  Upgrades upgrades_;
  StatusReporter status_;
  HistoryWatch history_;
  Commands commands_;
  std::unique_ptr<Succession> succession_;  // during the conversation with a predecessor
};

}  // namespace baton::proxy
