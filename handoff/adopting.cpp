#include "handoff/adopting.hpp"

#include <algorithm>

#include "handoff/insist.hpp"
#include "handoff/limits.hpp"
#include "handoff/records.hpp"

namespace baton::handoff {

namespace {

void refuse(wire::Adopted& answer, ParcelId id, const std::string& reason) {
  auto& refusal = *answer.add_refused();
  refusal.set_id(id);
  refusal.set_reason(reason);
}

}  // namespace

Adopting::Adopting(Channel& channel, Adopter& adopter, const std::vector<std::string>& features,
                   std::optional<std::chrono::milliseconds> answer_timeout)
    : channel_(channel),
      adopter_(adopter),
      known_features_(features.begin(), features.end()),
      answer_timeout_(answer_timeout) {}

void Adopting::disown(std::span<const ParcelId> ids) {
  for (const ParcelId id : ids) {
    owned_.erase(id);
    lately_owned_.erase(id);
  }
}

void Adopting::own_lately(std::span<const ParcelId> ids) {
  constexpr std::size_t kept = 4 * limits::descriptors_in_flight_max;
  lately_owned_.insert(ids.begin(), ids.end());
  lately_.insert(lately_.end(), ids.begin(), ids.end());
  for (; lately_.size() > kept; lately_.pop_front()) lately_owned_.erase(lately_.front());
}

Result<void> Adopting::answer(Frame& frame) {
  auto offer = parse<wire::Offer>(frame);
  if (!offer) return std::unexpected(offer.error());
  std::string().swap(frame.record);  // it may be large, and the parcels are copies
  wire::Adopted answer;
  auto parcels = unpack(*offer, frame, answer);
  if (!parcels) return std::unexpected(parcels.error());
  std::vector<ParcelId> ids;
  for (const auto& parcel : *parcels) ids.push_back(parcel.id);
  std::vector<ParcelId> taken = ids;  // on an exception from here on, everything prepared is dropped
  auto judged = as_result([&] {
    auto accepted = judge(std::move(*parcels), ids, answer);
    own_lately(*accepted);
    return accepted;
  });
  if (!judged) {
    disown(taken);
    insist([&] { adopter_.drop(taken); });
    return std::unexpected(judged.error());
  }
  taken = std::move(*judged);
  // No socket is read or written before Adopted is in the channel, so exactly one process touches them.
  auto sent = as_result([&] {
    return send_record(channel_, Kind::adopted, answer,
                       answer_timeout_ ? Clock::now() + *answer_timeout_ : no_deadline);
  });
  if (!sent) {
    disown(taken);
    insist([&] { adopter_.drop(taken); });
    return sent;
  }
  taken_ += taken.size();
  insist([&] { adopter_.start(taken); });
  return {};
}

// Returns the parcels that are taken. `ids` are those of `parcels`.
Result<std::vector<ParcelId>> Adopting::judge(std::vector<ReceivedParcel> parcels, const std::vector<ParcelId>& ids,
                                              wire::Adopted& answer) {
  std::vector<ParcelId> taken;
  const std::vector<Verdict> verdicts = adopter_.prepare(std::move(parcels));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (verdicts[i]) {
      refuse(answer, ids[i], *verdicts[i]);
    } else {
      answer.add_taken(ids[i]);
      taken.push_back(ids[i]);
    }
  }
  return taken;
}

// Returns the parcels that arrived whole and are not ours already; the others are answered, and their descriptors
// closed.
Result<std::vector<ReceivedParcel>> Adopting::unpack(wire::Offer& offer, Frame& frame, wire::Adopted& answer) const {
  std::vector<ReceivedParcel> parcels;
  const std::size_t descriptors_sent = frame.descriptors.size() + frame.descriptors_lost;
  // Without a free descriptor a process could adopt, but then neither connect to a server nor answer an operator.
  const std::size_t spared =
      frame.descriptors_lost == 0 ? 0 : std::min(limits::descriptors_spared, frame.descriptors.size());
  const std::size_t room = frame.descriptors.size() - spared;
  std::size_t descriptor = 0;
  std::size_t secret = 0;
  std::unordered_set<ParcelId> ids;
  for (auto& in : *offer.mutable_parcels()) {
    if (in.descriptors() > descriptors_sent - descriptor || in.secret_bytes() > frame.secrets.size() - secret ||
        in.payload().size() > limits::parcel_bytes_max || !ids.insert(in.id()).second) {
      return fail(Fault::malformed, "Offer names other descriptors or secrets than came with it");
    }
    ReceivedParcel parcel;
    parcel.id = in.id();
    const std::size_t end = descriptor + in.descriptors();
    const bool has_room = in.descriptors() == 0 || end <= room;
    for (; descriptor < std::min(end, frame.descriptors.size()); ++descriptor) {
      parcel.descriptors.push_back(std::move(frame.descriptors[descriptor]));
    }
    descriptor = end;
    if (in.secret_bytes() != 0) parcel.secrets = SecretBytes(frame.secrets.view().substr(secret, in.secret_bytes()));
    secret += in.secret_bytes();
    parcel.payload = std::move(*in.mutable_payload());
    if (owns(in.id())) {
      answer.add_taken(in.id());
    } else if (const std::string* unknown = first_unknown(in); unknown != nullptr) {
      refuse(answer, in.id(), "the successor does not know the feature " + *unknown);
    } else if (!has_room) {
      refuse(answer, in.id(), "too few descriptors are free in the successor (ulimit -n)");
    } else {
      parcels.push_back(std::move(parcel));
    }
  }
  if (descriptor != descriptors_sent || secret != frame.secrets.size()) {
    return fail(Fault::malformed, "Offer came with descriptors or secrets that it does not name");
  }
  return parcels;
}

const std::string* Adopting::first_unknown(const wire::Offer::Parcel& parcel) const {
  for (const auto& feature : parcel.required_features()) {
    if (!known_features_.contains(feature)) return &feature;
  }
  return nullptr;
}

}  // namespace baton::handoff
