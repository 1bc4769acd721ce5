// The keeper's side of a crash.
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <map>
#include <system_error>
#include <utility>

#include "handoff/after_death.hpp"
#include "handoff/instance.hpp"
#include "handoff/predecessor.hpp"
#include "handoff/records.hpp"
#include "handoff/start.hpp"
#include "handoff/survival.hpp"
#include "handoff/temporary.hpp"

namespace baton::handoff {

namespace {

// In a row: so many are survived by all connections, and some more by the service alone. What makes a process crash may
// be in what it is given. No one else bounds this: the process may have no parent that starts it.
constexpr std::uint64_t crashes_with_connections = 2;
constexpr std::uint64_t crashes_in_a_row_max = 4;

class Survivors final : public Donor {
 public:
  Survivors(const Kept::Control& control, Parcel listeners, std::vector<Parcel> whole, const CrashesInARow& crashes)
      : listeners_(std::move(listeners)),
        lock_(InstanceLock::held_through(UniqueFd(control.lock))),
        lock_to_pass_on_(control.lock_to_pass_on),
        crashes_(crashes),
        waiting_(std::move(whole)),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!wake_) throw std::system_error(errno, std::generic_category(), "eventfd");
    for (Parcel& parcel : waiting_) parcel.frozen_at_us = frozen_at_us_;
  }

  Estate estate() override {
    Estate estate;
    for (std::size_t i = 0; i < listeners_.descriptors.size(); ++i) {
      const std::string& name = listeners_.required_features.at(i);
      estate.sockets.push_back({name, name, listeners_.descriptors[i]});
    }
    if (lock_to_pass_on_ >= 0) estate.sockets.push_back({"@lock", "", lock_to_pass_on_});
    estate.application = crashes_.text();
    estate.heir = lock_.name_heir();
    return estate;
  }
  void stop_accepting(const std::vector<std::string>&) override {}
  void accept_again() override {}
  Remaining remaining() override {
    Remaining remaining{.connections = waiting_.size(), .descriptors = 0};
    for (const Parcel& parcel : waiting_) remaining.descriptors += parcel.descriptors.size();
    return remaining;
  }
  Batch freeze_next(const Room& room) override {
    Batch batch;
    for (Room left = room; !waiting_.empty() && !left.is_used_up();) {
      left.take(waiting_.back());
      offered_[waiting_.back().id] = waiting_.back().descriptors;
      batch.parcels.push_back(std::move(waiting_.back()));
      waiting_.pop_back();
    }
    batch.finished = waiting_.empty();
    return batch;
  }
  int wake_descriptor() override { return wake_.get(); }
  void adopted(std::span<const ParcelId> ids) override {
    // It may be called again when memory is short.
    for (const ParcelId id : ids) {
      const auto found = offered_.find(id);
      if (found == offered_.end()) continue;
      for (const int descriptor : found->second) {
        struct stat file{};
        if (::fstat(descriptor, &file) == 0) adopted_.insert(file.st_ino);
      }
      for (const int descriptor : found->second) ::close(descriptor);
      offered_.erase(found);
      ++whole_;
    }
  }
  // These are reset at our end.
  void refused(std::span<const ParcelId> ids) override {
    for (const ParcelId id : ids) offered_.erase(id);
  }
  void take_back(std::span<const ParcelId> ids) override { refused(ids); }
  std::string resign() override {
    lock_.release();
    return {};
  }
  bool reclaim() override { return lock_.try_take(); }

  // A successor has died: of what it was given, perhaps, so the next one gets no connections. What it had is lost.
  void begin_again_without_connections() {
    waiting_.clear();
    whole_ = 0;
  }

  std::size_t whole() const { return whole_; }
  const std::set<ino_t>& adopted() const { return adopted_; }

 private:
  const Parcel listeners_;
  InstanceLock lock_;
  const int lock_to_pass_on_;
  const CrashesInARow crashes_;
  std::vector<Parcel> waiting_;
  std::map<ParcelId, std::vector<int>> offered_;
  std::set<ino_t> adopted_;  // sockets, by their inodes
  std::size_t whole_ = 0;
  const std::int64_t frozen_at_us_ = monotonic_us();
  UniqueFd wake_;
};

enum class Attempt { done, failed, out_of_our_hands };

Attempt hand_over_once(Survivors& survivors, const Kept::Control& control, pid_t dead, const UpgradableTerms& terms,
                       int executable) {
  auto started =
      start_successor({.arguments = terms.arguments, .executable = executable, .configuration = {}, .descriptors = {}});
  if (!started) {
    say(terms, started.error().text);
    return Attempt::failed;
  }
  const HandoverOutcome outcome = hand_over(Channel(std::move(started->channel)), survivors,
                                            {.self = {control.generation, dead, terms.version},
                                             .features = terms.features,
                                             .ready_timeout = terms.ready_timeout,
                                             .step_timeout = terms.step_timeout});
  if (outcome.ending != Ending::rolled_back) return Attempt::done;
  say(terms, "after the crash: PID " + std::to_string(started->pid) + " failed: " + outcome.reason);
  // It may live, and serve what it has: then it is the instance once this process is gone.
  if (outcome.successor_serves && ::waitpid(started->pid, nullptr, WNOHANG) == 0) return Attempt::out_of_our_hands;
  ::kill(started->pid, SIGKILL);
  while (::waitpid(started->pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (!terms.pid_file.empty()) discard_temporaries_beside(terms.pid_file, started->pid);
  return Attempt::failed;
}

void withdraw_pid_file(const UpgradableTerms& terms, pid_t dead) {
  if (terms.pid_file.empty()) return;
  PidFile::remove_if_it_names(terms.pid_file, dead);
  discard_temporaries_beside(terms.pid_file, dead);
}

std::int64_t unix_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

bool rescue(Kept& kept, pid_t dead, const UpgradableTerms& terms, int executable) {
  bool is_done = false;
  std::set<ino_t> adopted;
  const auto tried = as_result([&]() -> Result<void> {
    const Kept::Control& control = kept.control();
    const int signal = control.signal;
    const CrashesInARow crashes = control.before.and_one_at(unix_us());
    Kept::Found found = kept.find();
    const std::size_t all = found.whole.size() + found.lost;
    const bool are_too_many = crashes.number > crashes_with_connections;
    if (are_too_many || control.is_wrong) found.whole.clear();
    say(terms, "PID " + std::to_string(dead) +
                   (signal != 0 ? " died of signal " + std::to_string(signal) : " was killed") +
                   (crashes.number > 1 ? ", crash " + std::to_string(crashes.number) + " in a row" : ""));
    if (crashes.number > crashes_in_a_row_max) return fail(Fault::refused, "too many crashes in a row");
    auto listeners = kept.listeners();
    if (!listeners || listeners->required_features.size() != listeners->descriptors.size()) {
      return fail(Fault::malformed, "its listening sockets are not known");
    }
    close_epolls();
    // Not all code sets close-on-exec.
    ::close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
    Survivors survivors(control, std::move(*listeners), std::move(found.whole), crashes);
    Attempt attempt = hand_over_once(survivors, control, dead, terms, executable);
    if (attempt == Attempt::failed) {
      survivors.begin_again_without_connections();
      attempt = hand_over_once(survivors, control, dead, terms, executable);
    }
    adopted = survivors.adopted();
    is_done = attempt != Attempt::failed;
    if (!is_done) withdraw_pid_file(terms, dead);  // while we have the lock
    say(terms, "after the crash: " + std::to_string(survivors.whole()) + " connections go on, " +
                   std::to_string(all - survivors.whole()) + " are reset");
    return {};
  });
  if (!tried) say(terms, "after the crash: nothing goes on: " + tried.error().text);
  if (!tried) withdraw_pid_file(terms, dead);
  reset_all_that_is_connected(adopted);
  return is_done;
}

}  // namespace baton::handoff
