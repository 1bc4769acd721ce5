// The receiving side of Offers. A successor uses it, and so does a predecessor whose successor gives back what it had.
#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "handoff/channel.hpp"
#include "handoff/handoff.pb.h"
#include "handoff/parties.hpp"

namespace baton::handoff {

class Adopting {
 public:
  // `channel` and `adopter` must outlive it. `features` are what our decoder understands. `answer_timeout` limits the
  // wait for room in a full channel; nothing: wait until the answer is written or the channel ends.
  Adopting(Channel& channel, Adopter& adopter, const std::vector<std::string>& features,
           std::optional<std::chrono::milliseconds> answer_timeout = {});

  // Handles one Offer: prepares its parcels, answers, and starts those taken; drops them if the answer cannot be
  // written whole.
  Result<void> answer(Frame& offer);

  // How many have been taken here.
  std::uint64_t taken() const { return taken_; }

  // These are ours: if they are offered again, the answer is that they are taken, and nothing else happens. So are
  // those that have been taken here last, until `disown`: before the other side offers more, it has handled the answers
  // to all but `limits::descriptors_in_flight_max`.
  void own(std::span<const ParcelId> ids) { owned_.insert(ids.begin(), ids.end()); }
  void disown(std::span<const ParcelId> ids);

 private:
  Result<std::vector<ReceivedParcel>> unpack(wire::Offer& offer, Frame& frame, wire::Adopted& answer) const;
  Result<std::vector<ParcelId>> judge(std::vector<ReceivedParcel> parcels, const std::vector<ParcelId>& ids,
                                      wire::Adopted& answer);
  const std::string* first_unknown(const wire::Offer::Parcel& parcel) const;

  Channel& channel_;
  Adopter& adopter_;
  const std::unordered_set<std::string> known_features_;
  const std::optional<std::chrono::milliseconds> answer_timeout_;
  void own_lately(std::span<const ParcelId> ids);
  bool owns(ParcelId id) const { return owned_.contains(id) || lately_owned_.contains(id); }

  std::uint64_t taken_ = 0;
  std::unordered_set<ParcelId> owned_;
  std::unordered_set<ParcelId> lately_owned_;
  std::deque<ParcelId> lately_;  // the same and perhaps some that are disowned, the oldest first
};

}  // namespace baton::handoff
