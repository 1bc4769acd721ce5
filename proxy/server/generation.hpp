// This process as one generation among others: what it was started from and with, what it inherited from earlier ones,
// and how it describes itself to the next one, to a supervisor and in reports.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/provenance.hpp"
#include "handoff/parties.hpp"
#include "handoff/report.hpp"
#include "handoff/unique_fd.hpp"
#include "proxy/admin/status.hpp"
#include "proxy/server/foreign_counts.hpp"
#include "proxy/state/instance_record.hpp"
#include "proxy/supervisor/worker_line.hpp"

namespace baton::proxy {

class DataPath;
class Instance;

// What ran before this process, for a rollback.
struct Previous {
  state::Program program;
  handoff::UniqueFd executable;
};

struct Generation {
  // Of a worker. `crash` may say nothing but how it ended, or nothing at all.
  void note_crash(state::Crash crash) {
    if (crash.at_unix_us == 0) crash.at_unix_us = runtime::unix_us();
    state::Crashes now = crashes;
    now.add(crash);
    crashes = std::move(now);
  }

  // That has ended.
  void note_upgrade(admin::LastUpgrade upgrade) {
    upgrades.add(upgrade);
    last_upgrade = std::move(upgrade);
  }

  std::string version;
  std::vector<std::string> arguments;  // complete: a successor is started with the same
  std::string configuration_text;      // of the settings in force, with everything resolved and its provenance
  config::Provenance provenance;
  handoff::UniqueFd executable;        // of this process
  std::optional<Previous> previous;
  ForeignCounts foreign;
  state::Crashes crashes = {};    // of this and earlier generations
  pid_t keeper = 0;               // 0: there is none
  bool replaces_crashed = false;  // the predecessor is gone and cannot be asked
  bool is_draining = false;       // by command: load balancers send traffic elsewhere; inherited by the next
  std::optional<admin::LastUpgrade> last_upgrade;  // that created this process, or failed to replace it
  state::UpgradeRecords upgrades = {};             // of this and earlier generations
  state::History history = {};                     // the same
  std::optional<state::CanaryRecord> canary;       // of an upgrade under way, as it stands
};

// Describes a process from what its parts know. All three outlive it.
class SelfDescription {
 public:
  SelfDescription(const Generation& generation, const Instance& instance, DataPath& data_path)
      : generation_(generation), instance_(instance), data_path_(data_path) {}

  const std::string& version() const { return generation_.version; }
  handoff::Side side() const;                          // in a report
  std::string serving() const;                         // in a line for people
  // To a successor, which may be a canary.
  handoff::Estate estate(std::optional<state::CanaryClients> canary = {}) const;
  // To a successor, at the very end; `upgrade`: the one that ends.
  std::string totals(std::vector<int> signals, std::optional<state::UpgradeRecord> upgrade) const;
  supervisor::Announcement announcement() const;       // to a supervisor

 private:
  state::InstanceRecord record() const;
  void add_totals(state::InstanceRecord& record) const;

  const Generation& generation_;
  const Instance& instance_;
  DataPath& data_path_;
};

}  // namespace baton::proxy
