// The successor's side of a handover, carried out by our workers.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>

#include "handoff/parties.hpp"
#include "proxy/server/main_thread.hpp"
#include "proxy/server/workers.hpp"

namespace baton::proxy {

// What only the server itself can do, in the main thread or, where it is not an InMain, in the conversation's. Each
// returns when it is done. A predecessor that takes connections back sets only `workers`, `expect` and `returned`.
struct AdopterDuties {
  // Does everything that must precede service. Afterwards `workers` can be called.
  InMain<handoff::Result<std::vector<std::string>>(handoff::Inheritance)> inherit;
  std::function<void(int channel, int spare)> converses;
  std::function<Workers&()> workers;
  InMain<void()> accept;
  InMain<void()> accept_on_own;
  std::function<void(const handoff::Remaining&)> expect;
  std::function<handoff::Result<void>(const std::string& application, const handoff::Report& report)> take_over;
  InMain<void(const std::string& application)> returned;
};

class WorkersAdopter final : public handoff::Adopter {
 public:
  explicit WorkersAdopter(AdopterDuties duties) : duties_(std::move(duties)) {}

  handoff::Result<std::vector<std::string>> inherit(handoff::Inheritance inheritance) override;
  void converses(int channel, int spare) override { duties_.converses(channel, spare); }
  void accept() override { duties_.accept(); }
  void accept_on_own() override { duties_.accept_on_own(); }
  void expect(const handoff::Remaining& remaining) override;
  std::vector<handoff::Verdict> prepare(std::vector<handoff::ReceivedParcel> parcels) override;
  void start(std::span<const handoff::ParcelId> ids) override;
  void drop(std::span<const handoff::ParcelId> ids) override;
  handoff::Result<void> take_over(const std::string& application, const handoff::Report& report) override;
  void returned(const std::string& application) override { duties_.returned(application); }

 private:
  void no_longer_expect(const handoff::Remaining& here);
  template <class Task>
  void in_their_workers(std::span<const handoff::ParcelId> ids, Task task);

  AdopterDuties duties_;
  std::int64_t clock_offset_ms_ = 0;
  std::size_t turn_ = 0;             // the worker that gets the next connection
  std::size_t idle_turn_ = 0;        // and the next idle upstream connection: each worker needs its share of both
  handoff::Remaining expected_;      // what the donor still has
  handoff::Remaining prepared_;      // the part of that which is prepared but not yet started
  std::unordered_map<handoff::ParcelId, std::size_t> worker_of_;     // prepared but not yet started
};

}  // namespace baton::proxy
