#include "handoff/successor.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "handoff/adopting.hpp"
#include "handoff/estate.hpp"
#include "handoff/insist.hpp"
#include "handoff/limits.hpp"
#include "handoff/offering.hpp"
#include "handoff/records.hpp"
#include "handoff/spare.hpp"

namespace baton::handoff {

namespace {

// How often a successor on probation reports.
constexpr std::chrono::milliseconds trial_every{100};

Result<void> say_returning(Channel& channel, Donor& donor, const std::string& why) {
  wire::Returning returning;
  returning.set_text(why.substr(0, limits::text_bytes_max));
  *returning.mutable_remaining() = to_wire(donor.remaining());
  return send_record(channel, Kind::returning, returning, no_deadline);
}

// Gives everything back by the same two messages. After an error the donor has back what was not taken.
Result<void> offer_all(Channel& channel, Donor& donor, Offering& offering, std::vector<ParcelId>& left) {
  // Skip what the predecessor sent before it read Returning: anything it offered stays its own.
  const auto ignore_earlier = [](const Frame& frame) -> Result<void> {
    const bool is_earlier = frame.kind == Kind::offer || frame.kind == Kind::remaining || frame.kind == Kind::listen ||
                            frame.kind == Kind::recall || frame.kind == Kind::done;
    if (is_earlier) return {};
    return std::unexpected(unexpected_frame(frame, Kind::adopted));
  };
  auto offered = as_result([&] { return offering.run([] { return Result<Deadline>(no_deadline); }, ignore_earlier); });
  if (offered) {
    wire::Returned returned;
    insist([&] { returned.set_application(donor.counted()); });
    return send_record(channel, Kind::returned, returned, no_deadline);
  }
  left = insist([&] { return offering.give_up(); });
  insist([&] { donor.accept_again(); });
  insist([&] { donor.take_back(left); });
  return offered;
}

class Conversation {
 public:
  Conversation(UniqueFd socket, Adopter& adopter, const SuccessorTerms& terms, const Probation* probation)
      : channel_(std::move(socket)),
        adopter_(adopter),
        terms_(terms),
        probation_(probation) {}

  SuccessionOutcome run() {
    auto outcome = talk();
    insist([this] { adopter_.converses(-1, -1); });
    adopter_.expect({});
    return outcome;
  }

 private:
  // Nothing here may need memory outside of `as_result` and `insist`: the server would end with all that it serves.
  SuccessionOutcome talk() {
    auto begun = as_result([this] { return begin(); });
    if (!begun) {
      tell_abort(begun.error());
      return {Succession::failed, std::move(begun.error().text)};
    }
    // No time limit from here on: while the predecessor lives it is the instance, however long it waits for requests to
    // finish, and if it dies the channel ends.
    auto frame = as_result([this] { return next_frame(); });
    if (returning_because_) {
      Error error{Fault::refused, std::move(*returning_because_)};
      tell_abort(error);
      return {Succession::failed, std::move(error.text)};
    }
    if (!frame || frame->kind != Kind::listen) {
      // The predecessor may have died before it sent Listen, but we have the listening sockets.
      Error error = frame ? insist([&] { return unexpected_frame(*frame, Kind::listen); }) : std::move(frame.error());
      if (frame && frame->kind != Kind::abort) tell_abort(error);
      return {frame ? Succession::failed : Succession::orphaned, std::move(error.text)};
    }
    auto finished = as_result([&] { return serve(*frame); });
    if (finished && returning_because_) {
      finished = as_result([this] { return give_back(); });
      if (goes_on_in_spare()) {
        finished = as_result([this] { return serve_again(); });
      } else if (finished) {
        return {Succession::returned, std::move(*returning_because_)};
      }
    }
    if (finished) return {Succession::completed, {}};
    tell_abort(finished.error());
    return {Succession::orphaned, std::move(finished.error().text)};
  }

  // Hello, Inherit, Ready.
  Result<void> begin() {
    const Deadline deadline = Clock::now() + terms_.hello_timeout;
    adopting_.emplace(channel_, adopter_, terms_.features);
    // Even if this fails, what the other side sent before it closed is still to be read.
    if (terms_.speaks_first) (void)say_hello(0, deadline);
    auto frame = receive_kind(channel_, Kind::hello, deadline);
    if (!frame) return std::unexpected(frame.error());
    auto hello = parse<wire::Hello>(*frame);
    if (!hello) return std::unexpected(hello.error());
    if (!terms_.speaks_first) {
      if (auto sent = say_hello(hello->generation() + 1, deadline); !sent) return sent;
    }
    if (auto common = check_hello(*hello); !common) return common;
    predecessor_takes_back_ = hello->returns();

    Inheritance inheritance;
    inheritance.generation = hello->generation();
    inheritance.version = hello->version();
    inheritance.features.assign(hello->features().begin(), hello->features().end());
    // Transit time is not a clock difference. A predecessor that does not send its clock shares ours.
    const std::int64_t offset_us = hello->monotonic_us() == 0 ? 0 : monotonic_us() - hello->monotonic_us();
    inheritance.clock_offset_us = offset_us >= 0 && offset_us < 5'000'000 ? 0 : offset_us;
    if (auto received = receive_estate(channel_, inheritance, deadline); !received) return received;
    spare_.take_from(inheritance);
    if (spare_.is_open()) adopter_.converses(channel_.descriptor(), spare_.descriptor());

    auto addresses = adopter_.inherit(std::move(inheritance));
    if (!addresses) return std::unexpected(addresses.error());
    shared_addresses_ = std::move(*addresses);
    wire::Ready ready;
    for (const auto& address : shared_addresses_) ready.add_addresses(address);
    auto sent = send_record(channel_, Kind::ready, ready, Clock::now() + terms_.hello_timeout);
    if (!sent && goes_on_in_spare()) return {};
    return sent;
  }

  // ── The spare: the predecessor has died, and its keeper goes on there ───────────────────────────────────────────

  // Called when the channel has ended. What was in it has been read, so we know what we have taken.
  bool goes_on_in_spare() {
    if (!spare_.begins_with(Kind::listen)) return false;
    insist([this] { adopter_.converses(-1, -1); });
    channel_ = spare_.take();
    is_told_again_ = has_listened_;
    predecessor_takes_back_ = false;
    returning_because_.reset();
    return true;
  }

  Result<void> say_hello(std::uint64_t generation, Deadline deadline) {
    wire::Hello hello = make_hello({generation, ::getpid(), terms_.version}, terms_.features);
    hello.set_returns(probation_ != nullptr);
    hello.set_keeps_places(true);
    hello.set_canary(probation_ != nullptr);
    return send_record(channel_, Kind::hello, hello, deadline);
  }

  // Runs until we are the instance or have a reason to give back what we have.
  Result<void> serve(const Frame& said) {
    auto listen = parse<wire::Listen>(said);
    if (listen) adopter_.expect(from_wire(listen->remaining()));
    const bool is_canary = listen && listen->canary() && probation_ != nullptr;
    is_canary ? adopter_.accept_on_own() : adopter_.accept();
    if (!listen) return std::unexpected(listen.error());
    has_listened_ = true;
    auto sent = send_record(channel_, Kind::listening, wire::Listening{}, no_deadline);
    if (!sent && !goes_on_in_spare()) return sent;
    if (is_canary) {
      if (auto promoted = be_canary(); !promoted) return promoted;
    } else if (sent && listen->probation_ms() != 0 && probation_ != nullptr) {
      const auto probation_ms = std::min<std::uint64_t>(listen->probation_ms(), limits::probation_ms_max);
      auto tried = be_tried(std::chrono::milliseconds(probation_ms));
      if (!tried && !goes_on_in_spare()) return tried;
    }
    return serve_on();
  }

  Result<void> serve_on() {
    while (!returning_because_) {
      auto frame = next_frame();
      if (returning_because_) break;
      if (!frame) return std::unexpected(frame.error());
      if (frame->kind == Kind::done) return take_over(*frame);
      if (frame->kind == Kind::listen && std::exchange(is_told_again_, false)) {
        if (auto heard = hear_listen_again(*frame); !heard) return heard;
        continue;
      }
      if (auto heard = hear_in_service(*frame); !heard) return heard;
    }
    return {};
  }

  Result<void> hear_in_service(Frame& frame) {
    if (frame.kind == Kind::recall && probation_ != nullptr) {
      returning_because_ = "the predecessor cancelled it";
    } else if (frame.kind == Kind::remaining) {
      return hear_remaining(frame);
    } else if (frame.kind != Kind::offer) {
      return std::unexpected(unexpected_frame(frame, Kind::offer));
    } else if (auto adopted = adopting_->answer(frame); !adopted && !goes_on_in_spare()) {
      return adopted;
    }
    return {};
  }

  // The predecessor died while we gave back. We serve what is still here, and accept.
  Result<void> serve_again() {
    probation_->donor().accept_again();
    adopter_.accept();
    return serve_on();
  }

  Result<void> hear_listen_again(const Frame& frame) {
    auto listen = parse<wire::Listen>(frame);
    if (!listen) return std::unexpected(listen.error());
    adopter_.expect(from_wire(listen->remaining()));
    return send_record(channel_, Kind::listening, wire::Listening{}, no_deadline);
  }

  Result<void> hear_remaining(const Frame& frame) {
    auto remaining = parse<wire::Remaining>(frame);
    if (!remaining) return std::unexpected(remaining.error());
    adopter_.expect(from_wire(*remaining));
    return {};
  }

  // A frame from the predecessor takes precedence over a call-off, which sets `returning_because_` and yields no frame.
  Result<Frame> next_frame() {
    for (;;) {
      auto frame = channel_.try_receive();
      if (!frame && goes_on_in_spare()) continue;
      if (!frame) return std::unexpected(frame.error());
      if (*frame) return std::move(**frame);
      returning_because_ = await_more(no_deadline);
      if (returning_because_) return fail(Fault::refused, *returning_because_);
    }
  }

  // Waits for the predecessor, or until it is called off: then the result is why.
  std::optional<std::string> await_more(Deadline deadline) {
    const bool can_return = probation_ != nullptr && predecessor_takes_back_;
    if (can_return) {
      if (auto called_off = probation_->called_off()) return called_off;
    }
    const int wake = can_return ? probation_->wake_descriptor : -1;
    channel_.wait(wake >= 0 ? std::span(&wake, 1) : std::span<const int>{}, deadline);
    return std::nullopt;
  }

  // ── Probation ───────────────────────────────────────────────────────────────────────────────────────────────────

  Result<void> be_tried(std::chrono::milliseconds probation) {
    const Deadline end = Clock::now() + probation;
    for (;;) {
      const bool at_end = Clock::now() >= end;
      const Conduct conduct = probation_->conduct(at_end);
      returning_because_ = probation_->called_off();
      if (!returning_because_) returning_because_ = conduct.failing;
      if (returning_because_) return {};
      wire::Trial trial;
      trial.set_passed(at_end);
      trial.set_accepted(conduct.accepted);
      trial.set_served(conduct.served);
      trial.set_failed(conduct.failed);
      if (auto sent = send_record(channel_, Kind::trial, trial, no_deadline); !sent) return sent;
      if (at_end) return {};
      channel_.wait({}, std::min(end, Clock::now() + trial_every));
      auto frame = channel_.try_receive();
      if (!frame) return std::unexpected(frame.error());
      if (!*frame) continue;
      if ((*frame)->kind == Kind::remaining) {
        if (auto heard = hear_remaining(**frame); !heard) return heard;
        continue;
      }
      if ((*frame)->kind != Kind::recall) return std::unexpected(unexpected_frame(**frame, Kind::recall));
      returning_because_ = "the predecessor cancelled it";
      return {};
    }
  }

  // Serves what is offered and says how it fares, until it is told to accept, or has a reason to give back what it has.
  Result<void> be_canary() {
    Deadline next_trial = Clock::now();
    while (!returning_because_) {
      // A keeper does not judge.
      if (predecessor_takes_back_ && Clock::now() >= next_trial) {
        if (auto said = say_trial(); !said && !goes_on_in_spare()) return said;
        next_trial = Clock::now() + trial_every;
      }
      auto frame = channel_.try_receive();
      if (!frame && goes_on_in_spare()) continue;
      if (!frame) return std::unexpected(frame.error());
      if (!*frame) {
        if (auto called_off = await_more(next_trial)) returning_because_ = std::move(called_off);
        continue;
      }
      if ((*frame)->kind == Kind::listen) return be_promoted(**frame);
      if (auto heard = hear_in_service(**frame); !heard) return heard;
    }
    return {};
  }

  Result<void> say_trial() {
    const Conduct conduct = probation_->conduct(false);
    wire::Trial trial;
    trial.set_accepted(conduct.accepted);
    trial.set_served(conduct.served);
    trial.set_failed(conduct.failed);
    trial.set_application(conduct.application);
    *trial.mutable_remaining() = to_wire(conduct.held);
    return send_record(channel_, Kind::trial, trial, no_deadline);
  }

  // By the predecessor, or by the keeper of one that is dead.
  Result<void> be_promoted(const Frame& frame) {
    is_told_again_ = false;
    auto listen = parse<wire::Listen>(frame);
    if (!listen) return std::unexpected(listen.error());
    if (listen->canary()) return std::unexpected(unexpected_frame(frame, Kind::offer));
    adopter_.expect(from_wire(listen->remaining()));
    adopter_.accept();
    auto sent = send_record(channel_, Kind::listening, wire::Listening{}, no_deadline);
    if (!sent && goes_on_in_spare()) return {};
    return sent;
  }

  // What the predecessor refuses stays here.
  Result<void> give_back() {
    Donor& donor = probation_->donor();
    adopter_.expect({});          // nothing more will come: new connections may use its places
    donor.stop_accepting(shared_addresses_);
    if (auto sent = say_returning(channel_, donor, *returning_because_); !sent) return sent;
    std::vector<ParcelId> given_back;
    Offering offering(channel_, donor, terms_.step_timeout, &given_back);
    std::vector<ParcelId> left;
    auto given = offer_all(channel_, donor, offering, left);
    adopting_->disown(given_back);
    insist([&] { adopting_->own(left); });
    // Until the predecessor ends the channel, it may die without having read this, and its keeper needs us.
    while (given && spare_.is_open() && channel_.receive(no_deadline)) {
    }
    return given;
  }

  Result<void> take_over(const Frame& frame) {
    auto done = parse<wire::Done>(frame);
    if (!done) return std::unexpected(done.error());
    adopter_.expect({});          // nothing more will come
    auto taken = adopter_.take_over(done->application(), from_wire(done->report()));
    if (!taken) return taken;
    // We hold the lock whether or not the predecessor gets this.
    (void)send_record(channel_, Kind::bye, wire::Bye{}, Clock::now() + terms_.hello_timeout);
    return {};
  }

  void tell_abort(const Error& error) {
    if (error.fault == Fault::closed) return;
    // Without memory for it, end-of-file is enough.
    (void)as_result([&]() -> Result<void> {
      send_abort(channel_, error, Clock::now() + std::chrono::milliseconds(100));
      return {};
    });
  }

  Channel channel_;
  Spare spare_;  // until we are in it
  Adopter& adopter_;              // outlives the conversation
  const SuccessorTerms& terms_;
  const Probation* probation_;    // the same; may be null
  std::optional<Adopting> adopting_;
  std::vector<std::string> shared_addresses_;          // the predecessor listens there too
  bool predecessor_takes_back_ = false;
  bool has_listened_ = false;   // Listen has come
  bool is_told_again_ = false;  // a second one will come, in the spare
  std::optional<std::string> returning_because_;
};

}  // namespace

Result<void> give_back_for(Channel spare, int channel, Donor& donor, const std::string& why,
                           std::chrono::milliseconds step_timeout) {
  return as_result([&]() -> Result<void> {
    if (auto sent = say_returning(spare, donor, why); !sent) return sent;
    ::shutdown(channel, SHUT_RDWR);  // not before: an end with nothing in the spare is the end
    Offering offering(spare, donor, step_timeout);
    std::vector<ParcelId> left;
    return offer_all(spare, donor, offering, left);
  });
}

SuccessionOutcome succeed(UniqueFd channel, Adopter& adopter, const SuccessorTerms& terms, const Probation* probation) {
  return Conversation(std::move(channel), adopter, terms, probation).run();
}

}  // namespace baton::handoff
