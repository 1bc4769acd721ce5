#include "proxy/server/donor.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "handoff/insist.hpp"

namespace baton::proxy {

WorkersDonor::WorkersDonor(Workers& workers, std::chrono::milliseconds finish_timeout, DonorDuties duties)
    : workers_(workers),
      finish_timeout_(finish_timeout),
      duties_(std::move(duties)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      empty_(workers.size(), false),
      has_more_(workers.size()) {
  if (!wake_) throw std::system_error(errno, std::generic_category(), "eventfd");
}

WorkersDonor::~WorkersDonor() {
  handoff::insist([this] { end_handover(); });
}

void WorkersDonor::end_handover() {
  if (handover_ == Handover::none) return;
  workers_.each([](Worker& worker) { worker.end_handover(); });
  handover_ = Handover::none;
}

void WorkersDonor::call_off(const char* reason) {
  called_off_ = reason;
  wake();
}

void WorkersDonor::promote() {
  promoted_ = true;
  wake();
}

std::optional<std::string> WorkersDonor::called_off() {
  if (const char* reason = called_off_) return reason;
  return std::nullopt;
}

void WorkersDonor::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

void WorkersDonor::stop_accepting(const std::vector<std::string>& taken) {
  has_stopped_accepting_ = true;
  duties_.stop_accepting(taken);
}

void WorkersDonor::begin_handover() {
  duties_.begin_moving();
  handover_ = Handover::all;
  const std::int64_t finish_at_ms = runtime::monotonic_ms() + finish_timeout_.count();
  workers_.each([&](Worker& worker) { worker.begin_handover(finish_at_ms, [this] { wake(); }); });
}

void WorkersDonor::begin_canary() {
  duties_.begin_canary();
  handover_ = Handover::canary;
  for (std::size_t index = 0; index < workers_.size(); ++index) {
    has_more_[index] = true;
    Worker& worker = workers_.at(index);
    worker.loop().call([&] {
      worker.begin_canary(duties_.experiment, [this, index] {
        has_more_[index] = true;
        wake();
      });
    });
  }
}

void WorkersDonor::accept_again() {
  end_handover();
  if (!has_stopped_accepting_) return;  // for a canary we accept on
  duties_.accept_again();
  has_stopped_accepting_ = false;
}

handoff::Remaining WorkersDonor::remaining() {
  handoff::Remaining total;
  workers_.each([&](Worker& worker) {
    const handoff::Remaining part = worker.remaining();
    total.connections += part.connections;
    total.descriptors += part.descriptors;
  });
  return total;
}

handoff::Batch WorkersDonor::freeze_next(const handoff::Room& room) {
  if (handover_ == Handover::canary && promoted_) {
    end_handover();
    return {.parcels = {}, .finished = true};
  }
  if (handover_ == Handover::none) begin_handover();
  // Clear the wake-up first: a later one announces something that this call may miss.
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(wake_.get(), &count, sizeof count);
  handoff::Batch batch;
  handoff::Room left = room;
  for (std::size_t asked = 0; asked < workers_.size() && batch.parcels.empty(); ++asked) {
    const std::size_t index = turn_++ % workers_.size();
    // Newcomers come all the time: only those workers are interrupted that have one.
    if (handover_ == Handover::canary && !has_more_[index].exchange(false)) continue;
    Worker& worker = workers_.at(index);
    bool more = false;
    try {
      worker.loop().call([&] { more = worker.freeze_next(left, batch); });
      for (const auto& parcel : batch.parcels) worker_of_[parcel.id] = index;
    } catch (...) {
      // These have not been offered yet.
      handoff::insist([&] {
        worker.loop().call([&] {
          for (const auto& parcel : batch.parcels) worker.take_back(parcel.id);
        });
      });
      throw;
    }
    empty_[index] = !more;
    if (!batch.parcels.empty()) has_more_[index] = true;  // and perhaps more
  }
  batch.finished = handover_ == Handover::all;
  for (const bool empty : empty_) batch.finished = batch.finished && empty;
  return batch;
}

template <class Task>
void WorkersDonor::in_their_workers(std::span<const handoff::ParcelId> ids, Task task) {
  std::vector<std::vector<handoff::ParcelId>> by_worker(workers_.size());
  for (const handoff::ParcelId id : ids) {
    const auto found = worker_of_.find(id);
    if (found != worker_of_.end()) by_worker[found->second].push_back(id);
  }
  for (std::size_t index = 0; index < by_worker.size(); ++index) {
    if (by_worker[index].empty()) continue;
    Worker& worker = workers_.at(index);
    worker.loop().call([&] {
      for (const handoff::ParcelId id : by_worker[index]) task(worker, id);
    });
  }
  // Last, so that the whole step can be repeated if memory runs out.
  for (const handoff::ParcelId id : ids) worker_of_.erase(id);
}

void WorkersDonor::adopted(std::span<const handoff::ParcelId> ids) {
  in_their_workers(ids, [](Worker& worker, handoff::ParcelId id) { worker.adopted(id); });
}

void WorkersDonor::refused(std::span<const handoff::ParcelId> ids) {
  in_their_workers(ids, [](Worker& worker, handoff::ParcelId id) { worker.refused(id); });
}

void WorkersDonor::take_back(std::span<const handoff::ParcelId> ids) {
  in_their_workers(ids, [](Worker& worker, handoff::ParcelId id) { worker.take_back(id); });
}

std::string WorkersDonor::resign() {
  // Connections that stay continue outside the handover.
  end_handover();
  return duties_.resign();
}

bool WorkersDonor::reclaim() {
  if (!duties_.take_lock()) return false;
  duties_.reclaim();
  return true;
}

}  // namespace baton::proxy
