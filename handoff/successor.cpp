#include "handoff/successor.hpp"

#include <unistd.h>

#include <cstring>
#include <unordered_set>

#include "handoff/estate.hpp"
#include "handoff/limits.hpp"
#include "handoff/records.hpp"

namespace baton::handoff {

namespace {

class Conversation {
 public:
  Conversation(UniqueFd socket, Adopter& adopter, const SuccessorTerms& terms)
      : channel_(std::move(socket)), adopter_(adopter), terms_(terms) {
    known_features_.insert(terms.features.begin(), terms.features.end());
  }

  SuccessionOutcome run() {
    auto begun = begin();
    if (!begun) {
      tell_abort(begun.error());
      return {Succession::failed, begun.error().text};
    }
    // There is no time limit from here on: a predecessor that lives is the instance, however long it waits for
    // requests to finish, and one that dies ends the channel.
    auto frame = channel_.receive(no_deadline);
    if (frame && frame->kind == Kind::abort) return {Succession::failed, unexpected_frame(*frame, Kind::listen).text};
    if (!frame || frame->kind != Kind::listen) {
      // The predecessor may have died before it said Listen; the listening sockets are here all the same.
      const Error error = frame ? unexpected_frame(*frame, Kind::listen) : frame.error();
      if (frame) tell_abort(error);
      return {frame ? Succession::failed : Succession::orphaned, error.text};
    }
    adopter_.accept();
    auto finished = adopt_everything();
    if (!finished) {
      tell_abort(finished.error());
      return {Succession::orphaned, finished.error().text};
    }
    return {Succession::completed, {}};
  }

 private:
  // Hello, Inherit, Ready.
  Result<void> begin() {
    const Deadline deadline = Clock::now() + terms_.hello_timeout;
    auto frame = receive_kind(channel_, Kind::hello, deadline);
    if (!frame) return std::unexpected(frame.error());
    auto hello = parse<wire::Hello>(*frame);
    if (!hello) return std::unexpected(hello.error());
    const Side self{hello->generation() + 1, ::getpid(), terms_.version};
    auto sent = send_record(channel_, Kind::hello, make_hello(self, terms_.features), deadline);
    if (!sent) return sent;
    if (auto common = check_hello(*hello); !common) return common;

    Inheritance inheritance;
    inheritance.generation = hello->generation();
    inheritance.version = hello->version();
    inheritance.features.assign(hello->features().begin(), hello->features().end());
    // What the message took to arrive is no difference of clocks. A predecessor that does not name its clock has ours.
    const std::int64_t offset_us = hello->monotonic_us() == 0 ? 0 : monotonic_us() - hello->monotonic_us();
    inheritance.clock_offset_us = offset_us >= 0 && offset_us < 5'000'000 ? 0 : offset_us;
    if (auto received = receive_estate(channel_, inheritance, deadline); !received) return received;

    auto addresses = adopter_.inherit(std::move(inheritance));
    if (!addresses) return std::unexpected(addresses.error());
    wire::Ready ready;
    for (const auto& address : *addresses) ready.add_addresses(address);
    return send_record(channel_, Kind::ready, ready, Clock::now() + terms_.hello_timeout);
  }

  Result<void> adopt_everything() {
    if (auto sent = send_record(channel_, Kind::listening, wire::Listening{}, no_deadline); !sent) return sent;
    for (;;) {
      auto frame = channel_.receive(no_deadline);
      if (!frame) return std::unexpected(frame.error());
      if (frame->kind == Kind::done) return take_over(*frame);
      if (frame->kind != Kind::offer) return std::unexpected(unexpected_frame(*frame, Kind::offer));
      if (auto adopted = adopt(*frame); !adopted) return adopted;
    }
  }

  Result<void> adopt(Frame& frame) {
    auto offer = parse<wire::Offer>(frame);
    if (!offer) return std::unexpected(offer.error());
    wire::Adopted answer;
    std::vector<ParcelId> taken;
    if (frame.descriptors_lost) {
      for (const auto& parcel : offer->parcels()) {
        refuse(answer, parcel.id(), "too few descriptors are free in the successor (ulimit -n)");
      }
    } else {
      auto parcels = unpack(*offer, frame, answer);
      if (!parcels) return std::unexpected(parcels.error());
      std::vector<ParcelId> ids;
      for (const auto& parcel : *parcels) ids.push_back(parcel.id);
      const std::vector<Verdict> verdicts = adopter_.prepare(std::move(*parcels));
      for (std::size_t i = 0; i < ids.size(); ++i) {
        if (verdicts[i]) {
          refuse(answer, ids[i], *verdicts[i]);
        } else {
          answer.add_taken(ids[i]);
          taken.push_back(ids[i]);
        }
      }
    }
    // Nothing is read or written before Adopted is in the channel, so exactly one process touches these sockets.
    auto sent = send_record(channel_, Kind::adopted, answer, no_deadline);
    if (!sent) {
      adopter_.drop(taken);
      return sent;
    }
    adopter_.start(taken);
    return {};
  }

  Result<std::vector<ReceivedParcel>> unpack(wire::Offer& offer, Frame& frame, wire::Adopted& answer) {
    std::vector<ReceivedParcel> parcels;
    std::size_t descriptor = 0;
    std::size_t secret = 0;
    std::unordered_set<ParcelId> ids;
    for (auto& in : *offer.mutable_parcels()) {
      if (in.descriptors() > frame.descriptors.size() - descriptor ||
          in.secret_bytes() > frame.secrets.size() - secret || in.payload().size() > limits::parcel_bytes_max ||
          !ids.insert(in.id()).second) {
        return fail(Fault::malformed, "Offer names other descriptors or secrets than came with it");
      }
      ReceivedParcel parcel;
      parcel.id = in.id();
      for (std::uint32_t i = 0; i < in.descriptors(); ++i) {
        parcel.descriptors.push_back(std::move(frame.descriptors[descriptor++]));
      }
      if (in.secret_bytes() != 0) parcel.secrets = SecretBytes(frame.secrets.view().substr(secret, in.secret_bytes()));
      secret += in.secret_bytes();
      parcel.payload = std::move(*in.mutable_payload());
      if (const std::string* unknown = first_unknown(in); unknown != nullptr) {
        refuse(answer, in.id(), "the successor does not know the feature " + *unknown);
        continue;
      }
      parcels.push_back(std::move(parcel));
    }
    if (descriptor != frame.descriptors.size() || secret != frame.secrets.size()) {
      return fail(Fault::malformed, "Offer came with descriptors or secrets that it does not name");
    }
    return parcels;
  }

  const std::string* first_unknown(const wire::Offer::Parcel& parcel) const {
    for (const auto& feature : parcel.required_features()) {
      if (!known_features_.contains(feature)) return &feature;
    }
    return nullptr;
  }

  static void refuse(wire::Adopted& answer, ParcelId id, const std::string& reason) {
    auto& refusal = *answer.add_refused();
    refusal.set_id(id);
    refusal.set_reason(reason);
  }

  Result<void> take_over(const Frame& frame) {
    auto done = parse<wire::Done>(frame);
    if (!done) return std::unexpected(done.error());
    auto taken = adopter_.take_over(done->application(), from_wire(done->report()));
    if (!taken) return taken;
    // Whether the predecessor hears it or not: we hold the lock.
    (void)send_record(channel_, Kind::bye, wire::Bye{}, Clock::now() + terms_.hello_timeout);
    return {};
  }

  void tell_abort(const Error& error) {
    if (error.fault == Fault::closed) return;
    wire::Abort abort;
    abort.set_code(static_cast<std::uint32_t>(error.fault));
    abort.set_text(error.text.substr(0, limits::text_bytes_max));
    (void)send_record(channel_, Kind::abort, abort, Clock::now() + std::chrono::milliseconds(100));
  }

  Channel channel_;
  Adopter& adopter_;              // outlives the conversation
  const SuccessorTerms& terms_;
  std::unordered_set<std::string> known_features_;
};

}  // namespace

SuccessionOutcome succeed(UniqueFd channel, Adopter& adopter, const SuccessorTerms& terms) {
  return Conversation(std::move(channel), adopter, terms).run();
}

}  // namespace baton::handoff
