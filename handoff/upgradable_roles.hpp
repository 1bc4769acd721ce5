// The two roles of an Upgradable, called by the conversation's thread. Work on connections is done in the server's
// thread while this one waits; work that may block on the lock is done here.
#pragma once

#include <atomic>
#include <future>
#include <map>
#include <utility>

#include "handoff/upgradable.hpp"

namespace baton::handoff {

class Upgradable::Roles final : public Donor, public Adopter {
 public:
  explicit Roles(Upgradable& process);

  // ── From the server's thread ──────────────────────────────────────────────────────────────────────────────────
  void call_off();
  Result<Inheritance> await_inheritance();
  void answer_ready(Result<std::vector<std::string>> names) { ready_.set_value(std::move(names)); }

  // ── From the conversation's ───────────────────────────────────────────────────────────────────────────────────
  void no_inheritance(const std::string& why);       // does nothing if there is one
  Result<void> take_lock();

  Estate estate() override;
  void stop_accepting(const std::vector<std::string>& taken) override;
  void accept_again() override;
  Batch freeze_next(const Room& room) override;
  int wake_descriptor() override { return wake_.get(); }
  void adopted(std::span<const ParcelId> ids) override;
  void refused(std::span<const ParcelId> ids) override { take_back(ids); }
  void take_back(std::span<const ParcelId> ids) override;
  std::string resign() override;
  LeftBehind left_behind() override;
  bool reclaim() override;
  std::optional<std::string> called_off() override;

  Result<std::vector<std::string>> inherit(Inheritance inheritance) override;
  void accept() override;
  std::vector<Verdict> prepare(std::vector<ReceivedParcel> parcels) override;
  void start(std::span<const ParcelId> ids) override;
  void drop(std::span<const ParcelId> ids) override;
  Result<void> take_over(const std::string& application, const Report& report) override;

  // Runs `task` in the server's thread and waits for its result.
  template <class Task>
  auto in_server(Task task) {
    return run_there(process_.by_post(), std::move(task));
  }

 private:
  using Clock = std::chrono::steady_clock;

  // Makes `wake_` readable at `at` and not before.
  void wake_at(Clock::time_point at) const;
  void publish_pid();

  Upgradable& process_;              // outlives the conversation
  UniqueFd wake_;                    // a timer
  Clock::time_point finish_at_ = Clock::time_point::max();
  std::atomic<bool> called_off_ = false;

  bool has_inherited_ = false;
  std::promise<Result<Inheritance>> inheritance_;
  std::promise<Result<std::vector<std::string>>> ready_;
};

}  // namespace baton::handoff
