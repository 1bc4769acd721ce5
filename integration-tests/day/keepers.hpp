// Who keeps a service running: an operator alone, the parent of --supervise, or a service manager. What differs between
// them is whom signals go to, who notices what, and who does something about a crash.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "harness/baton.hpp"

namespace baton::harness {

// An operator; the others are this one with more.
class Keeper {
 public:
  explicit Keeper(Settings settings) : baton(std::move(settings)) {}
  virtual ~Keeper() = default;
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  // Signals for the service go there.
  virtual pid_t main_pid() const { return baton.pid(); }

  // Each sees through what was begun, until all of it has happened. The upgrade's report is its answer.
  virtual std::string finish_upgrade() { return baton.finish_upgrade(); }
  virtual void finish_reload();
  virtual void finish_stop();

  // Kills the process that serves; afterwards another one does.
  virtual void crash();
  // Whether that one counts on from where the one that was killed had begun to.
  virtual bool counts_outlive_a_crash() const { return false; }

  Baton baton;

 protected:
  // Kills the main process, which serves itself.
  void kill_main() const;
};

enum class Kept { alone, supervised, under_a_service_manager };

std::unique_ptr<Keeper> keep(Kept how, Settings settings);

}  // namespace baton::harness
