// What makes an Upgradable survive a crash: a keeper. That is a process that does nothing as long as this one lives. If
// this one dies without an orderly end, the keeper plays the predecessor of an upgrade: it starts the program again,
// and hands over the listening sockets and every connection that was not being run.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "handoff/kept.hpp"
#include "handoff/unique_fd.hpp"
#include "handoff/upgradable.hpp"

namespace baton::handoff {

class Survival {
 public:
  // Starts the keeper, in which this does not return. Throws std::exception; then a crash is survived by nothing.
  static std::unique_ptr<Survival> begin(const UpgradableTerms& terms);
  // Ends it, and waits for its end: it would otherwise hold the lock for a moment longer than we do.
  ~Survival();
  Survival(const Survival&) = delete;
  Survival& operator=(const Survival&) = delete;

  Kept& kept() { return *kept_; }
  pid_t keeper() const { return pid_; }
  // Readable when the keeper is dead.
  const UniqueFd& descriptor() const { return handle_; }
  bool is_keeper_dead() const;

 private:
  Survival(std::unique_ptr<Kept> kept, pid_t pid);

  std::unique_ptr<Kept> kept_;
  const pid_t process_;  // that made it: a child of this process has no keeper
  const pid_t pid_;      // reaped by nobody else
  UniqueFd handle_;
};

// To the operator, in either process.
void say(const UpgradableTerms& terms, const std::string& line);

// In the keeper, when the process `dead` has crashed. True: another process has everything that was whole.
bool rescue(Kept& kept, pid_t dead, const UpgradableTerms& terms, int executable);

}  // namespace baton::handoff
