// The connections of a worker that has crashed, as the donor of a handover: its keeper offers each one that no thread
// was running.
#pragma once

#include <list>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "handoff/instance.hpp"
#include "handoff/parties.hpp"
#include "proxy/keeper/arena.hpp"
#include "proxy/keeper/testament.hpp"
#include "proxy/state/crashes.hpp"
#include "proxy/state/instance_record.hpp"
#include "proxy/state/state.hpp"

namespace baton::keeper {

// One of them: a state of the worker, or what a successor that has crashed gave back, as it came.
struct Survivor {
  const state::ConnectionState* state = nullptr;
  handoff::ReceivedParcel returned = {};
};

class Survivors final : public handoff::Donor, public handoff::Adopter {
 public:
  // `worker`: the dead one's PID. Throws std::system_error.
  Survivors(const Control& control, std::int64_t worker);

  // Which ones are whole and can move. The others end.
  void sort_out(const Roster& roster, Survive survive);
  bool is_empty() const { return waiting_.empty(); }
  // Those that another process may own, which cannot be asked any more. `are_lost`: unless it does own them.
  void drop_those_in_transit(bool are_lost);

  handoff::Estate estate() override;
  void stop_accepting(const std::vector<std::string>&) override {}
  void accept_again() override {}
  handoff::Remaining remaining() override;
  handoff::Batch freeze_next(const handoff::Room& room) override;
  int wake_descriptor() override { return wake_.get(); }
  void adopted(std::span<const handoff::ParcelId> ids) override;
  void refused(std::span<const handoff::ParcelId> ids) override;
  // The successor may have died of one of these; of one that was offered alone, it has.
  void take_back(std::span<const handoff::ParcelId> ids) override;
  std::string resign() override;
  bool reclaim() override { return take_lock(); }
  std::string counted() override;

  // ── What a successor gives back that has crashed: only kept here ────────────────────────────────────────────────
  handoff::Result<std::vector<std::string>> inherit(handoff::Inheritance inheritance) override;
  void accept() override {}
  void converses(int, int) override {}
  std::vector<handoff::Verdict> prepare(std::vector<handoff::ReceivedParcel> parcels) override;
  void start(std::span<const handoff::ParcelId> ids) override;
  void drop(std::span<const handoff::ParcelId> ids) override;
  handoff::Result<void> take_over(const std::string& application, const handoff::Report& report) override;

  bool take_lock() { return lock_.try_take(); }
  void release_lock() { lock_.release(); }
  // The successor has failed, and what it has not given back is lost. False: nothing was being offered, and another one
  // may fare no better.
  bool may_try_again();
  // No one else will adopt any.
  void give_up();
  // Some of what is left may be another process's.
  bool may_be_shared() const { return !in_transit_.empty(); }

  // The worker's; empty if it has never been the instance.
  const state::InstanceRecord& record() const { return record_; }
  // Counts what has been adopted up to now.
  const state::Crash& crash();
  // What ends with the worker, as far as it is known: of a connection that was being run, only the client's.
  const std::vector<int>& ending() const { return ending_; }

 private:
  void offer(std::list<Survivor>& from, handoff::Batch& batch);
  handoff::Parcel parcel_of(const Survivor& one) const;
  void end(Survivor& one);
  std::string told_of_crash(state::InstanceRecord record);
  void wake();

  const Testament* const testament_;
  state::InstanceRecord record_;
  handoff::UniqueFd wake_;
  handoff::InstanceLock lock_;
  std::int64_t frozen_at_us_ = 0;
  // Each connection is in one of these, or counted in `crash_`. (An empty list needs no memory.)
  std::list<Survivor> waiting_;
  std::list<Survivor> suspects_;  // offered one at a time
  std::unordered_map<handoff::ParcelId, Survivor> offered_;
  std::unordered_set<handoff::ParcelId> adopted_;
  std::unordered_map<handoff::ParcelId, handoff::ReceivedParcel> prepared_;  // given back in a moment
  std::unordered_set<const state::ConnectionState*> in_transit_;             // beside one of these
  bool is_alone_ = false;                                                    // what is offered
  bool has_suspects_ = false;                                                // of the successor that has just failed
  state::Crash crash_;
  std::vector<int> ending_;
};

}  // namespace baton::keeper
