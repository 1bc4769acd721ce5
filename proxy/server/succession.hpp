// The successor's role: exists for as long as the conversation with the predecessor lasts. Runs in the main thread; the
// conversation has a thread of its own.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "handoff/conversation_thread.hpp"
#include "handoff/successor.hpp"
#include "handoff/unique_fd.hpp"
#include "proxy/server/adopter.hpp"
#include "proxy/server/data_path.hpp"
#include "proxy/server/donor.hpp"
#include "proxy/server/generation.hpp"
#include "proxy/server/instance.hpp"
#include "proxy/server/main_thread.hpp"
#include "proxy/server/remembered_signals.hpp"
#include "proxy/server/role.hpp"
#include "proxy/server/service_manager.hpp"
#include "proxy/server/supervision.hpp"

namespace baton::proxy {

class Succession {
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
  // Called in the main thread. The conversation is over, and nothing in it uses the succession any more.
  using Ended = std::function<void(const handoff::SuccessionOutcome&)>;

  // `is_external`: we connected on our own and are not the predecessor's child.
  Succession(Parts parts, bool is_external);

  // Starts the conversation. If it throws, it has not taken the channel.
  void begin(handoff::UniqueFd& channel, Ended ended);
  void await_end() { conversation_->join(); }

  // A stop is meant for us alone.
  bool is_external() const { return is_external_; }
  bool is_canary() const { return is_canary_; }
  // Before we own the service: gives everything back.
  void cancel(const char* why);
  bool is_cancelled() const { return cancelled_because_ != nullptr; }
  RememberedSignals& signals() { return signals_; }

  // The lock is ours already: there is no way back.
  void become_instance();
  // The predecessor has gone without its report, and this process is the instance.
  void note_orphaned(const std::string& reason);
  void note_crash(const std::optional<state::InstanceRecord>& told);
  void tell_that_we_serve();  // if another process was the main one before

 private:
  AdopterDuties adopter_duties();
  DonorDuties donor_duties();

  // ── In the main thread ────────────────────────────────────────────────────────────────────────────────────────
  handoff::Result<std::vector<std::string>> inherit(handoff::Inheritance inheritance);
  void inherit_counts(const state::InstanceRecord& record, handoff::Inheritance& inheritance);
  void take_over(const std::string& application, const handoff::Report& report);
  void stop_accepting_for_return(const std::vector<std::string>& shared);

  // ── In the conversation's thread ──────────────────────────────────────────────────────────────────────────────
  handoff::SuccessionOutcome talk(handoff::UniqueFd channel, const handoff::SuccessorTerms& terms);
  void publish_pid();
  handoff::Conduct conduct(bool at_end);
  void accept_on_own();
  void accept();
  void end_canary();
  // The predecessor died, and we were one: nothing more is known.
  std::optional<state::CanaryRecord> undecided_canary() const;
  handoff::Donor& returning_donor();

  const Parts parts_;
  const bool is_external_;
  bool is_crash_noted_ = false;
  bool is_counted_ = false;       // the upgrade
  const config::Handoff limits_;  // the conversation's thread reads no settings
  bool predecessor_is_trusted_ = false;
  RememberedSignals signals_;
  std::shared_ptr<canary::Experiment> experiment_;  // null: we never were a canary
  bool is_canary_ = false;                          // in the main thread: until we are promoted
  std::uint16_t canary_share_ = 0;
  std::atomic<const char*> cancelled_because_{nullptr};
  handoff::UniqueFd cancel_wake_;                            // eventfd
  std::unique_ptr<WorkersDonor> donor_;                      // while it gives back; the conversation's
  std::optional<handoff::ConversationThread> conversation_;  // last: it uses the others
};

}  // namespace baton::proxy
