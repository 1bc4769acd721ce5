// The donor of an upgrade with a canary.
#pragma once

#include <functional>

#include "handoff/testing/parties.hpp"

namespace baton::handoff::test {

// Of its connections, the first few are of clients of the canary.
class CanaryDonor : public FakeDonor {
 public:
  explicit CanaryDonor(std::size_t of_canary, std::size_t all = 100, std::size_t per_batch = 1000)
      : FakeDonor(all, per_batch), of_canary_(of_canary) {}

  void begin_canary() override {
    calls.push_back("begin_canary");
    frozen_max = of_canary_;
    is_canary_ = true;
  }
  Batch freeze_next(const Room& room) override {
    if (always_has_more && is_canary_) ++frozen_max;
    if (is_canary_ && promoted) {
      is_canary_ = false;
      if (ever_finished) frozen_max = SIZE_MAX;
      return {.parcels = {}, .finished = true};
    }
    return FakeDonor::freeze_next(room);
  }
  void on_probation(const Conduct& conduct) override {
    seen.push_back(conduct);
    adopted_when_seen = with(&Fate::adopted).size();
    decide(*this);
    ::eventfd_write(wake.get(), 1);
  }
  void stop_accepting(const std::vector<std::string>& taken) override {
    FakeDonor::stop_accepting(taken);
    when_stopping();
  }
  void end_canary() override {
    is_canary_ = false;
    frozen_max = 0;
  }
  bool kill_canary() override {
    calls.push_back("kill_canary");
    return false;
  }

  std::function<void(CanaryDonor&)> decide = [](CanaryDonor&) {};
  std::function<void()> when_stopping = [] {};
  bool always_has_more = false;
  bool promoted = false;
  std::vector<Conduct> seen;
  std::size_t adopted_when_seen = 0;

 private:
  const std::size_t of_canary_;
  bool is_canary_ = false;
};

}  // namespace baton::handoff::test
