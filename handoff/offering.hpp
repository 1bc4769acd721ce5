// One direction of moving connections: offers what a donor freezes, in batches or, if it is larger than a batch, alone,
// and knows what is in flight. A predecessor does it, and so does a successor that gives back what it has.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "handoff/channel.hpp"
#include "handoff/parties.hpp"
#include "handoff/report.hpp"

namespace baton::handoff {

// How long a step may take in which so many bytes move.
std::chrono::milliseconds step_time(std::chrono::milliseconds step_timeout, std::size_t bytes);

class Offering {
 public:
  // Both outlive it.
  Offering(Channel& channel, Donor& donor, std::chrono::milliseconds step_timeout);

  // Until the donor has nothing left and everything is answered for. `go_on` is asked between two steps, and `other` is
  // given every frame that is no answer; an error of theirs ends the run, and what is in flight stays so.
  Result<void> run(const std::function<Result<void>()>& go_on, const std::function<Result<void>(const Frame&)>& other);

  // An answer that came. Fault::malformed: it names what was not offered, or nothing.
  Result<void> hear_adopted(const Frame& frame);

  // The one way to give up: no Adopted can get into the channel any more, and those that are in it are heard. What is left
  // is the donor's, to be taken back.
  std::vector<ParcelId> give_up();
  // Why the other side broke off, if giving up has found that in the channel; else empty.
  const std::string& last_words() const { return last_words_; }
  // The other side has said that it answers for nothing more: what is left is the donor's, to be taken back.
  std::vector<ParcelId> let_go();

  // Frozen, and not offered yet.
  Remaining waiting() const;
  std::uint64_t moved_total() const { return moved_total_; }
  void write_into(Report& report);

 private:
  struct InFlight {
    std::string label;
    std::int64_t frozen_at_us;
    std::size_t share;  // of the window
  };

  bool has_room() const;
  Room room() const;
  std::size_t how_many_can_go() const;
  Deadline in_step(std::size_t bytes = 0) const { return Clock::now() + step_time(step_timeout_, bytes); }
  Result<void> offer(std::size_t count);
  std::vector<Parcel> take_waiting(std::size_t count);
  void refuse_what_no_frame_carries();
  void land(std::unordered_map<ParcelId, InFlight>::iterator found);

  Channel& channel_;
  Donor& donor_;
  const std::chrono::milliseconds step_timeout_;
  const std::size_t window_;                          // so many descriptors may be in flight
  std::size_t window_used_ = 0;                       // all of it by a parcel that goes alone
  std::vector<Parcel> waiting_;                       // frozen, and not offered yet
  std::unordered_map<ParcelId, InFlight> in_flight_;  // offered, or about to be, and not answered for
  Deadline answer_deadline_ = no_deadline;
  std::uint64_t moved_total_ = 0;
  std::map<std::string, std::uint64_t> moved_;         // by label
  std::map<std::string, std::uint64_t> refused_;       // by reason
  std::vector<std::uint64_t> pauses_us_;
  std::string last_words_;
};

}  // namespace baton::handoff
