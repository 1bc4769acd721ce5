// The ways to keep a service running: an operator alone, the parent of --supervise, or a service manager. They differ
// in where signals go, who notices what, and who reacts to a crash.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "harness/baton.hpp"

namespace baton::harness {

// An operator; the others extend it.
class Keeper {
 public:
  explicit Keeper(Settings settings) : baton(std::move(settings)) {}
  virtual ~Keeper() = default;
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  // Where signals for the service go.
  virtual pid_t main_pid() const { return baton.pid(); }

  // Each waits until everything has happened. An upgrade returns its report.
  virtual std::string finish_upgrade() { return baton.finish_upgrade(); }
  virtual void finish_reload();
  virtual void finish_stop();

  // Kills the serving process; afterwards another one serves.
  virtual void crash();
  // Whether the new one's counters continue from where the killed one's had begun.
  virtual bool counts_outlive_a_crash() const { return false; }

  Baton baton;

 protected:
  // Kills the main process, which is the serving one.
  void kill_main() const;
};

enum class Kept { alone, supervised, under_a_service_manager };

std::unique_ptr<Keeper> keep(Kept how, Settings settings);

}  // namespace baton::harness
