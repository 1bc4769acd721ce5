// The predecessor's role: begins upgrades, one at a time, and handles their outcome. Runs in the main thread.
#pragma once

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "handoff/predecessor.hpp"
#include "handoff/start.hpp"
#include "proxy/admin/admin.hpp"
#include "proxy/server/children.hpp"
#include "proxy/server/ending.hpp"
#include "proxy/server/external_successors.hpp"
#include "proxy/server/reloads.hpp"
#include "proxy/server/upgrade_attempt.hpp"

namespace baton::proxy {

class Upgrades {
 public:
  struct Parts {  // all outlive it
    UpgradeAttempt::Parts attempt;
    Generation& generation;
    Children& children;
    Reloads& reloads;
    Ending& ending;
    std::function<void(int signal)> obey;
    std::function<void()> supervisor_gone;
  };
  Upgrades(boost::asio::io_context& context, Parts parts) : context_(context), parts_(std::move(parts)) {}

  // Each returns the reason if no upgrade is possible now; otherwise the upgrade has begun, or has already failed.
  //
  // Starts `binary` from disk, or if that is empty, what this process was started from; or, for a reload, the program
  // that runs. An applied configuration stays in force, unless that of the file is asked for.
  std::optional<std::string> begin(const admin::UpgradeCommand& command = {}, admin::LineSink client = {});
  // The same with the program that ran before, and its configuration unless one has been applied since.
  std::optional<std::string> roll_back(admin::LineSink client);
  void taken_over_by(ExternalSuccessor successor);

  // Null if none is under way.
  UpgradeAttempt* current() { return attempt_.get(); }

 private:
  std::optional<std::string> why_not() const;
  std::unique_ptr<UpgradeAttempt> make_attempt(admin::LineSink client,
                                               const std::optional<config::Canary>& canary = {});
  std::uint64_t unknown_to_previous();
  const std::string& configuration_to_roll_back_to() const;
  void start(std::unique_ptr<UpgradeAttempt> attempt, handoff::Program program);
  handoff::Result<void> start_successor(std::unique_ptr<UpgradeAttempt>& attempt, handoff::Program program);
  handoff::Result<void> converse(std::unique_ptr<UpgradeAttempt>& attempt, handoff::Channel& channel,
                                 UpgradeAttempt::Successor successor);
  void note_failed_start(UpgradeProgress& progress, const std::string& why);

  void ended(const handoff::HandoverOutcome& outcome);
  void completed(const handoff::HandoverOutcome& outcome);
  void failed(const handoff::HandoverOutcome& outcome);
  std::string note_failure(UpgradeAttempt& attempt, const handoff::HandoverOutcome& outcome, pid_t child);
  std::string explain_failure(const std::string& reason, pid_t child);
  void tell_who_is_instance(UpgradeAttempt& attempt, const handoff::Report& report);

  boost::asio::io_context& context_;
  const Parts parts_;
  std::unique_ptr<UpgradeAttempt> attempt_;
};

}  // namespace baton::proxy
