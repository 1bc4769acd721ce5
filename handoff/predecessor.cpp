#include "handoff/predecessor.hpp"

#include <poll.h>
#include <sys/resource.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_map>

#include "handoff/estate.hpp"
#include "handoff/limits.hpp"
#include "handoff/records.hpp"

namespace baton::handoff {

namespace {

std::size_t descriptors_in_flight_max() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return std::min<std::size_t>(limits::descriptors_in_flight_max, limit.rlim_cur / 2);
}

bool is_readable(int descriptor) {
  pollfd polled{descriptor, POLLIN, 0};
  return ::poll(&polled, 1, 0) > 0;
}

// Pauses in microseconds, one for each connection that moved.
Pauses summarise(std::vector<std::uint64_t>& pauses) {
  if (pauses.empty()) return {};
  std::sort(pauses.begin(), pauses.end());
  const auto at = [&](double share) {
    return pauses[static_cast<std::size_t>(share * static_cast<double>(pauses.size() - 1))];
  };
  Pauses summary{at(0.5), at(0.99), pauses.back(), {}};
  summary.by_log2.resize(static_cast<std::size_t>(std::bit_width(pauses.back())) + 1);
  for (const std::uint64_t pause : pauses) ++summary.by_log2[static_cast<std::size_t>(std::bit_width(pause))];
  return summary;
}

class Conversation {
 public:
  Conversation(UniqueFd socket, Donor& donor, const PredecessorTerms& terms)
      : channel_(std::move(socket)), donor_(donor), terms_(terms), started_us_(monotonic_us()) {
    outcome_.report.from = terms.self;
  }

  HandoverOutcome run() {
    auto finished = talk();
    outcome_.report.duration_us = static_cast<std::uint64_t>(monotonic_us() - started_us_);
    if (finished) {
      outcome_.ending = Ending::completed;
    } else {
      give_up(finished.error());
    }
    outcome_.adopted_any = outcome_.report.moved_total() != 0;
    outcome_.report.pauses = summarise(pauses_);
    outcome_.report.duration_us = static_cast<std::uint64_t>(monotonic_us() - started_us_);
    return std::move(outcome_);
  }

 private:
  struct InFlight {
    std::string label;
    std::int64_t frozen_at_us;
    std::size_t descriptors;
  };

  Deadline in_step() const { return Clock::now() + terms_.step_timeout; }

  // ── The conversation when all goes well; any error is answered by give_up ───────────────────────────────────────

  Result<void> talk() {
    ready_deadline_ = Clock::now() + terms_.ready_timeout;
    if (auto met = say_hello(); !met) return met;
    if (auto sent = send_estate(channel_, donor_.estate(), ready_deadline_); !sent) return sent;
    auto ready = await(Kind::ready, ready_deadline_);
    if (!ready) return std::unexpected(ready.error());
    auto record = parse<wire::Ready>(*ready);
    if (!record) return std::unexpected(record.error());

    accepting_ = false;
    donor_.stop_accepting({record->addresses().begin(), record->addresses().end()});
    if (auto sent = send_record(channel_, Kind::listen, wire::Listen{}, in_step()); !sent) return sent;
    if (auto listening = await(Kind::listening, in_step()); !listening) return std::unexpected(listening.error());

    if (auto moved = move_everything(); !moved) return moved;
    return say_done();
  }

  Result<void> say_hello() {
    auto sent = send_record(channel_, Kind::hello, make_hello(terms_.self, terms_.features), ready_deadline_);
    if (!sent) return sent;
    auto frame = await(Kind::hello, ready_deadline_);
    if (!frame) return std::unexpected(frame.error());
    auto hello = parse<wire::Hello>(*frame);
    if (!hello) return std::unexpected(hello.error());
    outcome_.report.to = {terms_.self.generation + 1, hello->pid(), hello->version()};
    return check_hello(*hello);
  }

  Result<void> move_everything() {
    bool finished = false;
    while (!finished || !in_flight_.empty()) {
      bool offered = false;
      if (!finished && has_room()) {
        Batch batch = donor_.freeze_next(room());
        finished = batch.finished;
        offered = !batch.parcels.empty();
        if (offered) {
          if (auto sent = offer(batch); !sent) return sent;
        }
      }
      auto frame = channel_.try_receive();
      if (!frame) return std::unexpected(frame.error());
      if (*frame) {
        if (auto heard = hear_adopted(**frame); !heard) return heard;
        continue;
      }
      if (offered || (finished && in_flight_.empty())) continue;
      if (auto off = called_off(); off) return std::unexpected(*off);
      const int wake = donor_.wake_descriptor();
      const bool await_donor = !finished && has_room();
      const Deadline deadline = in_flight_.empty() ? no_deadline : answer_deadline_;
      if (Clock::now() >= deadline) return fail(Fault::timed_out, "no answer in time (waiting for Adopted)");
      channel_.wait(await_donor ? std::span(&wake, 1) : std::span<const int>{}, deadline);
    }
    return {};
  }

  // At least a quarter of the window is free: batches do not shrink to single connections.
  bool has_room() const {
    return in_flight_descriptors_ + descriptors_in_flight_max() / 4 <= descriptors_in_flight_max();
  }

  Room room() const {
    return {limits::batch_connections_max,
            std::min(limits::batch_descriptors_max, descriptors_in_flight_max() - in_flight_descriptors_),
            limits::batch_bytes};
  }

  Result<void> offer(Batch& batch) {
    wire::Offer record;
    std::vector<int> descriptors;
    std::size_t secret_bytes = 0;
    // The time runs from the first offer that is not answered for.
    if (in_flight_.empty()) answer_deadline_ = in_step();
    for (Parcel& parcel : batch.parcels) {
      // From here on a failure must take it back, so it is in flight before anything can fail.
      in_flight_[parcel.id] = {parcel.label, parcel.frozen_at_us, parcel.descriptors.size()};
      in_flight_descriptors_ += parcel.descriptors.size();
      auto& wire_parcel = *record.add_parcels();
      wire_parcel.set_id(parcel.id);
      for (const auto& feature : parcel.required_features) wire_parcel.add_required_features(feature);
      wire_parcel.set_descriptors(static_cast<std::uint32_t>(parcel.descriptors.size()));
      wire_parcel.set_secret_bytes(static_cast<std::uint32_t>(parcel.secrets.size()));
      wire_parcel.set_payload(std::move(parcel.payload));
      descriptors.insert(descriptors.end(), parcel.descriptors.begin(), parcel.descriptors.end());
      secret_bytes += parcel.secrets.size();
    }
    SecretBytes secrets(secret_bytes);
    std::size_t at = 0;
    for (const Parcel& parcel : batch.parcels) {
      if (parcel.secrets.empty()) continue;
      std::memcpy(secrets.data() + at, parcel.secrets.data(), parcel.secrets.size());
      at += parcel.secrets.size();
    }
    return send_record(channel_, Kind::offer, record, in_step(), descriptors, secrets);
  }

  Result<void> hear_adopted(const Frame& frame) {
    if (frame.kind != Kind::adopted) return std::unexpected(unexpected_frame(frame, Kind::adopted));
    auto record = parse<wire::Adopted>(frame);
    if (!record) return std::unexpected(record.error());
    const std::int64_t now_us = monotonic_us();
    answer_deadline_ = in_step();
    std::vector<ParcelId> taken;
    std::vector<ParcelId> refused;
    // An answer for nothing would only buy time, while the clients of what is in flight wait.
    bool lied = record->taken().empty() && record->refused().empty();
    for (ParcelId id : record->taken()) {
      const auto found = in_flight_.find(id);
      if (found == in_flight_.end()) {
        lied = true;
        continue;
      }
      ++outcome_.report.moved[found->second.label];
      pauses_.push_back(static_cast<std::uint64_t>(std::max<std::int64_t>(0, now_us - found->second.frozen_at_us)));
      land(found);
      taken.push_back(id);
    }
    for (const auto& refusal : record->refused()) {
      const auto found = in_flight_.find(refusal.id());
      if (found == in_flight_.end()) {
        lied = true;
        continue;
      }
      ++outcome_.report.refused[refusal.reason().substr(0, limits::text_bytes_max)];
      land(found);
      refused.push_back(refusal.id());
    }
    if (!taken.empty()) donor_.adopted(taken);
    if (!refused.empty()) donor_.refused(refused);
    if (lied) return fail(Fault::malformed, "the successor answered for a connection that was not offered");
    return {};
  }

  void land(std::unordered_map<ParcelId, InFlight>::iterator found) {
    in_flight_descriptors_ -= found->second.descriptors;
    in_flight_.erase(found);
  }

  Result<void> say_done() {
    resigned_ = true;
    wire::Done done;
    done.set_application(donor_.resign());
    outcome_.report.pauses = summarise(pauses_);
    outcome_.report.duration_us = static_cast<std::uint64_t>(monotonic_us() - started_us_);
    *done.mutable_report() = to_wire(outcome_.report);
    if (auto sent = send_record(channel_, Kind::done, done, in_step()); !sent) return sent;
    auto bye = receive_kind(channel_, Kind::bye, in_step());
    if (!bye) return std::unexpected(bye.error());
    return {};
  }

  // Waits for one frame, and for somebody who calls the upgrade off.
  Result<Frame> await(Kind kind, Deadline deadline) {
    for (;;) {
      if (auto off = called_off(); off) return std::unexpected(*off);
      auto frame = channel_.try_receive();
      if (!frame) {
        return fail(frame.error().fault, frame.error().text + " (waiting for " + kind_name(kind) + ")");
      }
      if (*frame) {
        if ((*frame)->kind != kind) return std::unexpected(unexpected_frame(**frame, kind));
        return std::move(**frame);
      }
      if (Clock::now() >= deadline) {
        return fail(Fault::timed_out, std::string("no answer in time (waiting for ") + kind_name(kind) + ")");
      }
      // Once connections freeze the donor stays awake until it is asked for them, which is not now. Then the channel is
      // watched alone, and the donor is asked now and then whether to go on.
      const int wake = donor_.wake_descriptor();
      if (is_readable(wake)) {
        channel_.wait({}, std::min(deadline, Clock::now() + std::chrono::milliseconds(10)));
      } else {
        channel_.wait({&wake, 1}, deadline);
      }
    }
  }

  std::optional<Error> called_off() {
    if (outcome_.report.moved_total() != 0) return std::nullopt;
    if (auto reason = donor_.called_off()) {
      tell_abort(*reason);
      return Error{Fault::refused, *reason};
    }
    return std::nullopt;
  }

  void tell_abort(const std::string& text) {
    wire::Abort abort;
    abort.set_text(text);
    // Best effort: the end of the channel says the same.
    (void)send_record(channel_, Kind::abort, abort, Clock::now());
  }

  // ── The one way to give up ──────────────────────────────────────────────────────────────────────────────────────

  // After shut_down no Adopted can get in any more; what is in by then is the successor's, all the rest is ours.
  void give_up(const Error& error) {
    outcome_.reason = error.text;
    channel_.shut_down();
    for (;;) {
      auto frame = channel_.receive(no_deadline);
      if (!frame) break;
      if (frame->kind == Kind::adopted) (void)hear_adopted(*frame);
    }
    std::vector<ParcelId> ours;
    ours.reserve(in_flight_.size());
    for (const auto& [id, parcel] : in_flight_) ours.push_back(id);
    in_flight_.clear();
    in_flight_descriptors_ = 0;
    outcome_.report.taken_back = ours.size();

    outcome_.ending = Ending::rolled_back;
    if (resigned_ && !donor_.reclaim()) {
      outcome_.ending = Ending::superseded;
    } else if (!accepting_) {
      donor_.accept_again();
    }
    donor_.take_back(ours);
  }

  Channel channel_;
  Donor& donor_;                  // outlives the conversation
  const PredecessorTerms& terms_;
  const std::int64_t started_us_;
  HandoverOutcome outcome_;
  std::unordered_map<ParcelId, InFlight> in_flight_;   // offered, or about to be, and not answered for
  std::size_t in_flight_descriptors_ = 0;
  std::vector<std::uint64_t> pauses_;
  Deadline ready_deadline_;
  Deadline answer_deadline_ = no_deadline;
  bool accepting_ = true;
  bool resigned_ = false;
};

}  // namespace

HandoverOutcome hand_over(UniqueFd channel, Donor& donor, const PredecessorTerms& terms) {
  return Conversation(std::move(channel), donor, terms).run();
}

}  // namespace baton::handoff
