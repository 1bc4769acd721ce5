// The predecessor's side of a handover, carried out by our workers.
#pragma once

#include <atomic>
#include <functional>
#include <unordered_map>

#include "handoff/parties.hpp"
#include "handoff/unique_fd.hpp"
#include "proxy/canary/experiment.hpp"
#include "proxy/server/main_thread.hpp"
#include "proxy/server/workers.hpp"

namespace baton::proxy {

// What only the server itself can do, in the main thread or, where it is not an InMain, in the conversation's. Each
// returns when it is done. A successor that gives connections back sets only the first few.
struct DonorDuties {
  InMain<void(const std::vector<std::string>& taken)> stop_accepting;
  // The successor is a canary, whose clients `experiment` selects; null: it is none.
  std::shared_ptr<canary::Experiment> experiment;
  InMain<void()> begin_canary;
  std::function<bool()> kill_canary;
  // Live connections start to move.
  InMain<void()> begin_moving;
  InMain<void()> accept_again;
  InMain<handoff::Estate()> estate;
  std::function<void(int channel, int spare)> converses;
  InMain<void(const handoff::Conduct&)> on_probation;
  InMain<std::string()> resign;
  // Waits for the lock.
  std::function<bool()> take_lock;
  InMain<void()> reclaim;
  std::function<handoff::LeftBehind()> left_behind;
  InMain<std::string()> counted;
};

class WorkersDonor final : public handoff::Donor {
 public:
  WorkersDonor(Workers& workers, std::chrono::milliseconds finish_timeout, DonorDuties duties);
  // The workers forget it.
  ~WorkersDonor() override;

  // From any thread: cancels the upgrade and says why.
  void call_off(const char* reason);
  // The same: the canary has proved itself, so all others move.
  void promote();

  handoff::Estate estate() override { return duties_.estate(); }
  void converses(int channel, int spare) override { duties_.converses(channel, spare); }
  void stop_accepting(const std::vector<std::string>& taken) override;
  void accept_again() override;
  handoff::Remaining remaining() override;
  handoff::LeftBehind left_behind() override { return duties_.left_behind(); }
  void on_probation(const handoff::Conduct& conduct) override { duties_.on_probation(conduct); }
  void begin_canary() override;
  void end_canary() override { end_handover(); }
  bool kill_canary() override { return duties_.kill_canary(); }
  handoff::Batch freeze_next(const handoff::Room& room) override;
  int wake_descriptor() override { return wake_.get(); }
  void adopted(std::span<const handoff::ParcelId> ids) override;
  void refused(std::span<const handoff::ParcelId> ids) override;
  void take_back(std::span<const handoff::ParcelId> ids) override;
  std::string resign() override;
  bool reclaim() override;
  std::string counted() override { return duties_.counted(); }
  std::optional<std::string> called_off() override;

 private:
  void begin_handover();
  void end_handover();
  void wake();
  // Groups the ids by the worker they came from, and calls `task(worker, id)` for each in its thread.
  template <class Task>
  void in_their_workers(std::span<const handoff::ParcelId> ids, Task task);

  Workers& workers_;                 // outlives the donor
  const std::chrono::milliseconds finish_timeout_;
  DonorDuties duties_;
  handoff::UniqueFd wake_;           // eventfd
  std::atomic<const char*> called_off_{nullptr};
  std::size_t turn_ = 0;             // the worker to ask next
  std::vector<bool> empty_;          // workers with nothing movable left
  std::vector<std::atomic<bool>> has_more_;  // workers that may have a connection for a canary
  std::unordered_map<handoff::ParcelId, std::size_t> worker_of_;
  std::atomic<bool> promoted_{false};
  enum class Handover { none, canary, all };
  Handover handover_ = Handover::none;  // what the workers do
  bool has_stopped_accepting_ = false;
};

}  // namespace baton::proxy
