// Watches a canary, in its predecessor: compares how its clients fare with how all others do, until that, or a command,
// decides. Runs in the main thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "config/config.hpp"
#include "proxy/canary/comparison.hpp"
#include "proxy/canary/experiment.hpp"
#include "proxy/server/workers.hpp"
#include "proxy/state/upgrade_record.hpp"

namespace baton::proxy {

class CanaryWatch {
 public:
  // Chooses the clients, by the connections that are here now.
  CanaryWatch(const config::Canary& terms, Workers& workers);

  const state::CanaryClients& clients() const { return clients_; }
  const std::shared_ptr<canary::Experiment>& experiment() const { return experiment_; }

  // It serves: it has been looked at.
  bool has_begun() const { return began_.has_value(); }
  bool is_decided() const { return !record_.decided_by.empty(); }
  enum class Decision { none, go_on, back };
  // Compares, while nothing is decided; the caller then decides. `theirs`: what the canary has counted.
  Decision look(const state::CanarySide& theirs);
  // The numbers of now, for a command that decides.
  void refresh();
  enum class By { comparison, command, failure };
  void decide(Decision decision, By by) noexcept;
  // It has crashed, hangs, or gives back what it has. Nothing changes if it was decided before.
  void note_failure(const std::string& why);

  // Until there may be a decision; in doubt: until there must be one.
  std::uint64_t left_ms() const;
  const state::CanaryRecord& record() const { return record_; }

 private:
  const config::Canary terms_;
  const state::CanaryClients clients_;
  const std::shared_ptr<canary::Experiment> experiment_;
  canary::Comparison comparison_;
  std::optional<std::chrono::steady_clock::time_point> began_;
  state::CanaryRecord record_;
};

}  // namespace baton::proxy
