// The sending side of Offers: offers what a donor freezes, in batches, or alone if it is larger than a batch, and
// tracks what is in flight. A predecessor uses it, and so does a successor that gives back what it has.
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

// How long a step that moves `bytes` may take.
std::chrono::milliseconds step_time(std::chrono::milliseconds step_timeout, std::size_t bytes);

class Offering {
 public:
  // `channel` and `donor` must outlive it, and so must `taken`, to which what the other side has taken is added; null:
  // to nothing.
  Offering(Channel& channel, Donor& donor, std::chrono::milliseconds step_timeout,
           std::vector<ParcelId>* taken = nullptr);

  // Runs until the donor has nothing left and everything has been answered. Calls `go_on` when there is nothing to do
  // but wait, and ten times a second at least; it returns when it must be called again. Calls `other` with every frame
  // that is not an answer; an error from either ends the run, and what is in flight stays in flight.
  Result<void> run(const std::function<Result<Deadline>()>& go_on,
                   const std::function<Result<void>(const Frame&)>& other);

  // Handles an answer. Fault::malformed: it names a parcel that was not offered, or none at all.
  Result<void> hear_adopted(const Frame& frame);

  // The one way to give up: no more Adopted can enter the channel, and those already in it are handled. The donor must
  // take back the rest, which is returned.
  std::vector<ParcelId> give_up();
  // Its first half: what is in flight afterwards was not adopted, and never will be.
  void hear_to_the_end();
  // Why the other side gave up, if give_up found an Abort in the channel; else empty.
  const std::string& last_words() const { return last_words_; }
  // The other side has said that it will answer no more Offers. The donor must take back the rest, which is returned.
  std::vector<ParcelId> let_go();

  // When the next answer is late, or would have been if more had been offered.
  Deadline answer_deadline() const { return answer_deadline_; }
  // Frozen but not offered yet.
  Remaining waiting() const;
  // The other side has taken something.
  bool has_taken() const { return !moved_.empty(); }
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
  void note_pause(std::uint64_t pause_us);
  void land(std::unordered_map<ParcelId, InFlight>::iterator found);

  Channel& channel_;
  Donor& donor_;
  const std::chrono::milliseconds step_timeout_;
  const std::size_t window_;                          // how many descriptors may be in flight
  std::size_t window_used_ = 0;                       // a parcel that goes alone uses all of it
  std::vector<Parcel> waiting_;                       // frozen but not offered yet
  std::unordered_map<ParcelId, InFlight> in_flight_;  // offered or about to be, and not answered
  Deadline answer_deadline_ = Deadline::min();
  std::vector<ParcelId>* const taken_;
  std::map<std::string, std::uint64_t> moved_;         // by label
  std::map<std::string, std::uint64_t> refused_;       // by reason
  std::vector<std::uint64_t> pauses_us_;               // the last ones, if there are very many
  std::size_t next_pause_ = 0;
  std::string last_words_;
};

}  // namespace baton::handoff
