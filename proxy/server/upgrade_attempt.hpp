// One upgrade, as its predecessor: it exists from the decision to upgrade until it is settled which process serves.
// Runs in the main thread; the conversation with the successor has a thread of its own.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "handoff/channel.hpp"
#include "handoff/conversation_thread.hpp"
#include "handoff/predecessor.hpp"
#include "proxy/server/adopter.hpp"
#include "proxy/server/canary_watch.hpp"
#include "proxy/server/data_path.hpp"
#include "proxy/server/donor.hpp"
#include "proxy/server/generation.hpp"
#include "proxy/server/instance.hpp"
#include "proxy/server/main_thread.hpp"
#include "proxy/server/remembered_signals.hpp"
#include "proxy/server/role.hpp"
#include "proxy/server/service_manager.hpp"
#include "proxy/server/supervision.hpp"
#include "proxy/server/upgrade_progress.hpp"

namespace baton::proxy {

class UpgradeAttempt {
 public:
  struct Parts {  // all outlive it
    const MainThread& main;
    Role& role;
    DataPath& data_path;
    Instance& instance;
    Generation& generation;
    const SelfDescription& self;
    ServiceManager& manager;
    Supervision& supervision;
  };
  // The process that succeeds us.
  struct Child {
    pid_t pid;
  };
  struct External {  // this process neither signals it nor waits for it
    std::string who;
  };
  using Successor = std::variant<Child, External>;
  // Called in the main thread. The conversation is over, and nothing in it uses the attempt any more.
  using Ended = std::function<void(const handoff::HandoverOutcome&)>;

  // `canary`: some of the clients try the successor first.
  UpgradeAttempt(boost::asio::io_context& context, Parts parts, admin::LineSink client,
                 const std::optional<config::Canary>& canary);
  // Waits for the end of the conversation.
  ~UpgradeAttempt();

  // Starts the conversation. After an error the caller still owns the channel, and the attempt is unusable.
  handoff::Result<void> begin(handoff::Channel& channel, Successor successor, Ended ended);

  UpgradeProgress& progress() { return progress_; }
  RememberedSignals& signals() { return signals_; }
  // The successor is on probation, or is or will be a canary that is not decided.
  bool is_being_tried() const { return probation_ends_.has_value() || (canary_ && !canary_->is_decided()); }
  bool will_be_canary() const { return canary_ && !canary_->has_begun() && !canary_->is_decided(); }
  bool is_undecided_canary() const { return canary_ && canary_->has_begun() && !canary_->is_decided(); }
  // Of an undecided canary: all others move now.
  void promote();
  // The reload is left to the successor, which reads the configuration anyway; if the upgrade fails, we reload.
  void note_dropped_reload() { has_dropped_reload_ = true; }
  // A canary writes to the same files, perhaps for long.
  void note_logs_reopened();
  bool has_dropped_reload() const { return has_dropped_reload_; }
  // While nothing has been adopted, or the successor is on probation or a canary, this ends the upgrade.
  void call_off(const char* reason);
  // The conversation has failed with this reason.
  void note_failure(const std::string& why);
  // What is known of it, with the steps up to now.
  admin::LastUpgrade recorded(std::string result, std::string reason, handoff::Report report) const;
  // 0: the successor is not our child.
  pid_t child() const;
  // Empty: the successor is our child.
  std::string external() const;
  // Becomes the instance again; the lock is ours already.
  void reclaim();
  // Those of the instance's addresses that the successor does not have.
  const std::vector<const BoundSocket*>& not_taken() const { return not_taken_; }

 private:
  void make_roles();
  handoff::PredecessorTerms terms() const;

  // ── What the conversation asks of the main thread ─────────────────────────────────────────────────────────────
  void stop_accepting(const std::vector<std::string>& taken);
  void note_ready();
  void begin_canary();
  void judge_canary(const handoff::Conduct& conduct);
  void look_at_canary(const handoff::Conduct& conduct);
  void refresh_canary();
  void show_canary();
  void end_canary();
  void note_conduct(const handoff::Conduct& conduct);
  void begin_moving();
  std::string resign();
  handoff::Estate estate();
  // The successor has given everything back, and says what it has counted.
  void add_counted(const std::string& application);

  const Parts parts_;
  UpgradeProgress progress_;
  RememberedSignals signals_;
  Successor successor_;
  bool has_dropped_reload_ = false;
  std::vector<const BoundSocket*> not_taken_;
  std::optional<state::InstanceRecord> inherited_;                       // what the successor began with
  std::optional<std::chrono::steady_clock::time_point> probation_ends_;  // set: the successor is on probation
  std::unique_ptr<CanaryWatch> canary_;                                  // null: there is none
  std::string called_back_because_;                                      // what the donor has been told
  std::unique_ptr<WorkersDonor> donor_;
  std::unique_ptr<WorkersAdopter> returns_;                  // takes what the successor gives back
  std::optional<handoff::ConversationThread> conversation_;  // last: it uses the others
};

}  // namespace baton::proxy
