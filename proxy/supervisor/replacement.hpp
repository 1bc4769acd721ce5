// A process that replaces one that crashed. The supervisor plays its predecessor, with an estate and no connections:
// the conversation is the usual one, in its own thread.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "handoff/guarded.hpp"
#include "handoff/parties.hpp"
#include "handoff/predecessor.hpp"
#include "handoff/start.hpp"
#include "proxy/state/crashes.hpp"

namespace baton::supervisor {

// What is known of an instance: its complete announcement.
using Heritage = handoff::Inheritance;

// Starts the program that the instance ran, with its configuration; it inherits `door`. `arguments` are for an instance
// that has not told its own.
handoff::Result<handoff::Started> start_again(const handoff::Estate& estate, const std::vector<std::string>& arguments,
                                              int door);
// From now on this process logs in the format of the instance whose record this is.
void log_like(const std::string& application);
// The sockets and the executable stay the heritage's.
handoff::Estate estate_of(const Heritage& heritage);

class Replacement final : private handoff::Donor {
 public:
  Replacement(handoff::Started started, std::shared_ptr<const Heritage> heritage, state::Crash crash,
              std::int64_t crashed_at_us);
  ~Replacement() override;

  pid_t pid() const { return pid_; }
  // Readable when the conversation is over; then `outcome` may be called.
  int over_descriptor() const { return over_.get(); }
  const handoff::HandoverOutcome& outcome();
  // For when another process is the instance, or none should be.
  void call_off(const std::string& why);

 private:
  handoff::Estate estate() override;
  void stop_accepting(const std::vector<std::string>&) override {}
  void accept_again() override {}
  handoff::Batch freeze_next(const handoff::Room&) override { return {.parcels = {}, .finished = true}; }
  int wake_descriptor() override { return wake_.get(); }
  void adopted(std::span<const handoff::ParcelId>) override {}
  void refused(std::span<const handoff::ParcelId>) override {}
  void take_back(std::span<const handoff::ParcelId>) override {}
  std::string resign() override;
  // There is nothing to take back: whoever holds the lock is the instance.
  bool reclaim() override { return true; }
  std::optional<std::string> called_off() override;

  std::shared_ptr<const Heritage> heritage_;
  const state::Crash crash_;
  const std::int64_t crashed_at_us_;  // on the monotonic clock
  pid_t pid_ = 0;
  handoff::UniqueFd wake_;
  handoff::UniqueFd over_;
  handoff::Guarded<std::optional<std::string>> called_off_;
  handoff::HandoverOutcome outcome_;
  std::thread conversation_;
};

}  // namespace baton::supervisor
