#include "proxy/server/adopter.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "proxy/process/secrecy.hpp"
#include "proxy/state/codec.hpp"
#include "proxy/tls/record_layer.hpp"

namespace baton::proxy {

namespace {

bool speaks(const state::Leg& leg) {
  return !leg.tls || leg.tls->stage != state::TlsStage::records || tls::RecordLayer::can_speak(*leg.tls);
}

bool speaks(const state::Moved& moved) {
  if (const auto* idle = std::get_if<state::IdleUpstream>(&moved)) return speaks(idle->leg);
  const auto& state = std::get<state::ConnectionState>(moved);
  return speaks(state.client) && (state.upstream() == nullptr || speaks(*state.upstream()));
}

}  // namespace

handoff::Result<std::vector<std::string>> WorkersAdopter::inherit(handoff::Inheritance inheritance) {
  clock_offset_ms_ = inheritance.clock_offset_us / 1000;
  return duties_.inherit(std::move(inheritance));
}

void WorkersAdopter::expect(const handoff::Remaining& remaining) {
  expected_ = remaining;
  duties_.expect(expected_);
}

void WorkersAdopter::no_longer_expect(const handoff::Remaining& here) {
  expected_.connections -= std::min(expected_.connections, here.connections);
  expected_.descriptors -= std::min(expected_.descriptors, here.descriptors);
  duties_.expect(expected_);
}

std::vector<handoff::Verdict> WorkersAdopter::prepare(std::vector<handoff::ReceivedParcel> parcels) {
  prepared_ = {};
  for (const auto& parcel : parcels) prepared_.descriptors += parcel.descriptors.size();
  Workers& workers = duties_.workers();
  struct Prepared {
    std::size_t place;               // in `verdicts`
    handoff::ParcelId id;
    state::Moved moved;
    std::vector<handoff::UniqueFd> descriptors;
  };
  std::vector<handoff::Verdict> verdicts(parcels.size());
  std::vector<std::vector<Prepared>> by_worker(workers.size());
  for (std::size_t i = 0; i < parcels.size(); ++i) {
    // Our own configuration may have no TLS any more; what we adopt has.
    if (!parcels[i].secrets.empty()) process::keep_memory_private();
    auto moved = state::decode(parcels[i].payload, parcels[i].secrets.view(), clock_offset_ms_);
    if (!moved) {
      verdicts[i] = "the successor cannot read the connection's state";
      continue;
    }
    if (!speaks(*moved)) {
      verdicts[i] = "the successor does not speak the connection's cipher suite";
      continue;
    }
    const bool is_client = std::holds_alternative<state::ConnectionState>(*moved);
    if (is_client) ++prepared_.connections;
    const std::size_t index = (is_client ? turn_++ : idle_turn_++) % workers.size();
    worker_of_[parcels[i].id] = index;
    by_worker[index].push_back({i, parcels[i].id, std::move(*moved), std::move(parcels[i].descriptors)});
  }
  for (std::size_t index = 0; index < by_worker.size(); ++index) {
    if (by_worker[index].empty()) continue;
    Worker& worker = workers.at(index);
    worker.loop().call([&] {
      for (Prepared& one : by_worker[index]) {
        try {
          if (worker.prepare(one.id, std::move(one.moved), std::move(one.descriptors))) continue;
          verdicts[one.place] = "the successor cannot register the connection";
        } catch (const std::bad_alloc&) {
          verdicts[one.place] = "the successor has no memory for the connection";
        }
      }
    });
  }
  return verdicts;
}

template <class Task>
void WorkersAdopter::in_their_workers(std::span<const handoff::ParcelId> ids, Task task) {
  Workers& workers = duties_.workers();
  std::vector<std::vector<handoff::ParcelId>> by_worker(workers.size());
  for (const handoff::ParcelId id : ids) {
    // A parcel that was refused or never examined has no worker.
    if (const auto found = worker_of_.find(id); found != worker_of_.end()) by_worker[found->second].push_back(id);
  }
  for (std::size_t index = 0; index < by_worker.size(); ++index) {
    if (by_worker[index].empty()) continue;
    Worker& worker = workers.at(index);
    worker.loop().call([&] {
      for (const handoff::ParcelId id : by_worker[index]) task(worker, id);
    });
  }
  // An Offer is answered before the next one is read. Last, so that the whole step can be repeated if memory runs out.
  worker_of_.clear();
}

// Parcels are expected until they are counted. (Refused ones are no longer expected either.)
void WorkersAdopter::start(std::span<const handoff::ParcelId> ids) {
  no_longer_expect({.connections = 0, .descriptors = std::exchange(prepared_.descriptors, 0)});
  in_their_workers(ids, [](Worker& worker, handoff::ParcelId id) { worker.start(id); });
  no_longer_expect({.connections = prepared_.connections, .descriptors = 0});
}

void WorkersAdopter::drop(std::span<const handoff::ParcelId> ids) {
  in_their_workers(ids, [](Worker& worker, handoff::ParcelId id) { worker.drop(id); });
}

handoff::Result<void> WorkersAdopter::take_over(const std::string& application, const handoff::Report& report) {
  return duties_.take_over(application, report);
}

}  // namespace baton::proxy
