#include "handoff/offering.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <numeric>
#include <utility>

#include "handoff/insist.hpp"
#include "handoff/limits.hpp"
#include "handoff/records.hpp"

namespace baton::handoff {

namespace {

// Why a parcel is refused before it is offered.
constexpr const char* larger_than_a_frame = "it is larger than a handover message may be";

std::size_t descriptors_in_flight_max() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return std::min<std::size_t>(limits::descriptors_in_flight_max, limit.rlim_cur / 2);
}

// A donor that always has more, as one with a canary may, must not keep us from looking up.
constexpr std::chrono::milliseconds look_every{100};

constexpr std::size_t pauses_max = 1'000'000;

template <class Value>
void make_room(std::vector<Value>& values, std::size_t more) {
  if (values.capacity() < values.size() + more) values.reserve(2 * (values.size() + more));
}

bool fits_into_a_frame(const Parcel& parcel) {
  return parcel.descriptors.size() <= limits::descriptors_per_frame_max &&
         parcel.payload.size() <= limits::parcel_bytes_max && parcel.secrets.size() <= limits::secret_bytes_max;
}

// Pauses in microseconds, one for each connection that moved.
Pauses summarise(std::vector<std::uint64_t>& pauses) {
  if (pauses.empty()) return {};
  std::sort(pauses.begin(), pauses.end());
  const auto at = [&](double share) {
    return pauses[static_cast<std::size_t>(share * static_cast<double>(pauses.size() - 1))];
  };
  Pauses summary{at(0.5), at(0.99), pauses.back(), {}};
  summary.sum_us = std::accumulate(pauses.begin(), pauses.end(), std::uint64_t{0});
  summary.by_log2.resize(static_cast<std::size_t>(std::bit_width(pauses.back())) + 1);
  for (const std::uint64_t pause : pauses) ++summary.by_log2[static_cast<std::size_t>(std::bit_width(pause))];
  return summary;
}

}  // namespace

std::chrono::milliseconds step_time(std::chrono::milliseconds step_timeout, std::size_t bytes) {
  return step_timeout * static_cast<std::int64_t>(1 + bytes / limits::step_bytes);
}

Offering::Offering(Channel& channel, Donor& donor, std::chrono::milliseconds step_timeout, std::vector<ParcelId>* taken)
    : channel_(channel),
      donor_(donor),
      step_timeout_(step_timeout),
      window_(descriptors_in_flight_max()),
      taken_(taken) {}

Result<void> Offering::run(const std::function<Result<Deadline>()>& go_on,
                           const std::function<Result<void>(const Frame&)>& other) {
  bool finished = false;
  Deadline look_at = Clock::now() + look_every;
  while (!finished || !waiting_.empty() || !in_flight_.empty()) {
    bool has_advanced = false;
    if (Clock::now() >= look_at) {
      if (const auto goes_on = go_on(); !goes_on) return std::unexpected(goes_on.error());
      look_at = Clock::now() + look_every;
    }
    if (!finished && waiting_.empty() && has_room()) {
      Batch batch = donor_.freeze_next(room());
      finished = batch.finished;
      waiting_ = std::move(batch.parcels);
      has_advanced = !waiting_.empty();
      refuse_what_no_frame_carries();
    }
    if (const std::size_t count = how_many_can_go(); count != 0) {
      has_advanced = true;
      if (auto sent = offer(count); !sent) return sent;
    }
    auto frame = channel_.try_receive();
    if (!frame) return std::unexpected(frame.error());
    if (*frame) {
      const bool is_answer = (*frame)->kind == Kind::adopted;
      if (auto heard = is_answer ? hear_adopted(**frame) : other(**frame); !heard) return heard;
      continue;
    }
    if (has_advanced || (finished && waiting_.empty() && in_flight_.empty())) continue;
    const auto again = go_on();
    if (!again) return std::unexpected(again.error());
    const int wake = donor_.wake_descriptor();
    const bool await_donor = !finished && waiting_.empty() && has_room();
    const Deadline deadline = in_flight_.empty() ? no_deadline : answer_deadline_;
    if (Clock::now() >= deadline) return fail(Fault::timed_out, "no answer in time (waiting for Adopted)");
    channel_.wait(await_donor ? std::span(&wake, 1) : std::span<const int>{}, std::min(deadline, *again));
  }
  return {};
}

// Wait for a whole batch of connections, and for a quarter of the window of descriptors, so that batches do not shrink
// to single connections.
bool Offering::has_room() const {
  return in_flight_.size() + limits::batch_connections_max <= limits::connections_in_flight_max &&
         window_used_ + window_ / 4 <= window_;
}

Room Offering::room() const {
  return {limits::batch_connections_max, std::min(limits::batch_descriptors_max, window_ - window_used_),
          limits::batch_bytes};
}

// As many waiting parcels as a batch has room for; the first one alone if nothing is in flight and it can never fit.
std::size_t Offering::how_many_can_go() const {
  Room left = room();
  std::size_t count = 0;
  while (count < waiting_.size() && left.fits(waiting_[count])) left.take(waiting_[count++]);
  return count == 0 && in_flight_.empty() ? std::min<std::size_t>(waiting_.size(), 1) : count;
}

// The other side would treat such a frame as malformed.
void Offering::refuse_what_no_frame_carries() {
  std::vector<ParcelId> refused;
  insist([&] {
    refused.clear();
    for (const Parcel& parcel : waiting_) {
      if (!fits_into_a_frame(parcel)) refused.push_back(parcel.id);
    }
  });
  if (refused.empty()) return;
  std::erase_if(waiting_, [](const Parcel& parcel) { return !fits_into_a_frame(parcel); });
  insist([&] { refused_[larger_than_a_frame] += refused.size(); });
  insist([&] { donor_.refused(refused); });
}

std::vector<Parcel> Offering::take_waiting(std::size_t count) {
  if (count == waiting_.size()) return std::exchange(waiting_, {});
  std::vector<Parcel> taken;
  insist([&] { taken.reserve(count); });
  const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(count);
  std::move(waiting_.begin(), end, std::back_inserter(taken));
  waiting_.erase(waiting_.begin(), end);
  return taken;
}

Result<void> Offering::offer(std::size_t count) {
  const bool is_alone = !room().fits(waiting_.front());
  // A failure from here on must take these back, so all of them are recorded as in flight before anything can fail.
  insist([&] {
    for (const Parcel& parcel : std::span(waiting_).first(count)) {
      in_flight_[parcel.id] = {parcel.label, parcel.frozen_at_us, is_alone ? window_ : parcel.descriptors.size()};
    }
  });
  std::vector<Parcel> parcels = take_waiting(count);
  std::size_t bytes = 0;
  std::size_t secret_bytes = 0;
  std::size_t descriptor_count = 0;
  for (const Parcel& parcel : parcels) {
    bytes += parcel.bytes();
    secret_bytes += parcel.secrets.size();
    descriptor_count += parcel.descriptors.size();
  }
  // The time runs from the first unanswered offer.
  if (in_flight_.size() == count) answer_deadline_ = in_step(bytes);
  window_used_ += is_alone ? window_ : descriptor_count;
  wire::Offer record;
  std::vector<int> descriptors;
  descriptors.reserve(descriptor_count);
  SecretBytes secrets(secret_bytes);
  std::size_t at = 0;
  for (Parcel& parcel : parcels) {
    auto& wire_parcel = *record.add_parcels();
    wire_parcel.set_id(parcel.id);
    for (const auto& feature : parcel.required_features) wire_parcel.add_required_features(feature);
    wire_parcel.set_descriptors(static_cast<std::uint32_t>(parcel.descriptors.size()));
    wire_parcel.set_secret_bytes(static_cast<std::uint32_t>(parcel.secrets.size()));
    wire_parcel.set_payload(std::move(parcel.payload));
    descriptors.insert(descriptors.end(), parcel.descriptors.begin(), parcel.descriptors.end());
    if (parcel.secrets.empty()) continue;
    std::memcpy(secrets.data() + at, parcel.secrets.data(), parcel.secrets.size());
    at += parcel.secrets.size();
  }
  return send_record(channel_, Kind::offer, record, in_step(bytes), descriptors, secrets);
}

Result<void> Offering::hear_adopted(const Frame& frame) {
  if (frame.kind != Kind::adopted) return std::unexpected(unexpected_frame(frame, Kind::adopted));
  // A frame cannot be read again: if its content were lost, both processes would continue to use its connections.
  auto record = insist([&] { return parse<wire::Adopted>(frame); });
  if (!record) return std::unexpected(record.error());
  const std::int64_t now_us = monotonic_us();
  answer_deadline_ = in_step();
  std::vector<ParcelId> taken;
  std::vector<ParcelId> refused;
  // Nothing below may throw between recording an answer and telling the donor.
  insist([&] {
    taken.reserve(in_flight_.size());
    refused.reserve(in_flight_.size());
    make_room(pauses_us_, in_flight_.size());
    if (taken_ != nullptr) make_room(*taken_, in_flight_.size());
  });
  // An empty answer would only extend the deadline while the clients in flight wait.
  bool lied = record->taken().empty() && record->refused().empty();
  for (ParcelId id : record->taken()) {
    const auto found = in_flight_.find(id);
    if (found == in_flight_.end()) {
      lied = true;
      continue;
    }
    insist([&] { ++moved_[found->second.label]; });
    if (taken_ != nullptr) taken_->push_back(id);
    note_pause(static_cast<std::uint64_t>(std::max<std::int64_t>(0, now_us - found->second.frozen_at_us)));
    land(found);
    taken.push_back(id);
  }
  for (const auto& refusal : record->refused()) {
    const auto found = in_flight_.find(refusal.id());
    if (found == in_flight_.end()) {
      lied = true;
      continue;
    }
    insist([&] { ++refused_[refusal.reason().substr(0, limits::text_bytes_max)]; });
    land(found);
    refused.push_back(refusal.id());
  }
  if (!taken.empty()) insist([&] { donor_.adopted(taken); });
  if (!refused.empty()) insist([&] { donor_.refused(refused); });
  if (lied) return fail(Fault::malformed, "the other side answered for a connection that was not offered");
  return {};
}

// A canary may take newcomers for hours.
void Offering::note_pause(std::uint64_t pause_us) {
  if (pauses_us_.size() < pauses_max) return pauses_us_.push_back(pause_us);
  pauses_us_[next_pause_++ % pauses_max] = pause_us;
}

void Offering::land(std::unordered_map<ParcelId, InFlight>::iterator found) {
  window_used_ -= found->second.share;
  in_flight_.erase(found);
}

std::vector<ParcelId> Offering::give_up() {
  hear_to_the_end();
  return let_go();
}

void Offering::hear_to_the_end() {
  channel_.shut_down();
  for (;;) {
    auto frame = channel_.receive(no_deadline);
    if (!frame) break;
    if (frame->kind == Kind::adopted) (void)hear_adopted(*frame);
    if (frame->kind == Kind::abort) last_words_ = unexpected_frame(*frame, Kind::adopted).text;
  }
}

std::vector<ParcelId> Offering::let_go() {
  std::vector<ParcelId> left;
  left.reserve(in_flight_.size() + waiting_.size());
  for (const auto& [id, parcel] : in_flight_) left.push_back(id);
  for (const Parcel& parcel : waiting_) left.push_back(parcel.id);
  in_flight_.clear();
  waiting_.clear();
  window_used_ = 0;
  return left;
}

Remaining Offering::waiting() const {
  Remaining remaining{.connections = waiting_.size(), .descriptors = 0};
  for (const Parcel& parcel : waiting_) remaining.descriptors += parcel.descriptors.size();
  return remaining;
}

void Offering::write_into(Report& report) {
  report.moved = moved_;
  report.refused = refused_;
  report.pauses = summarise(pauses_us_);
}

}  // namespace baton::handoff
