#include "handoff/predecessor.hpp"

#include <poll.h>
#include <sys/socket.h>

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

// How often a changed Remaining is sent.
constexpr std::chrono::seconds remaining_every{1};
// Beside a canary, how long a wait may last, and by how much longer it did if this process did not run.
constexpr std::chrono::milliseconds canary_looks_every{250};
constexpr std::chrono::milliseconds slept_at_least{500};

bool is_readable(int descriptor) {
  pollfd polled{descriptor, POLLIN, 0};
  return ::poll(&polled, 1, 0) > 0;
}

class Conversation {
 public:
  Conversation(Channel channel, Donor& donor, const PredecessorTerms& terms, Adopter* returns)
      : channel_(std::move(channel)),
        donor_(donor),
        terms_(terms),
        offering_(channel_, donor, terms.step_timeout),
        returns_(returns),
        started_us_(monotonic_us()) {}

  HandoverOutcome run() {
    return run([this] { return talk(); });
  }
  // In place of a dead predecessor, in the spare. `channel` is what that one used; it is shut down here.
  HandoverOutcome resume(int channel) {
    return run([this, channel] { return talk_in_its_place(channel); });
  }

 private:
  template <class Talk>
  HandoverOutcome run(Talk talk) {
    auto finished = as_result([&]() -> Result<void> {
      auto talked = talk();
      is_talk_over_ = true;
      return talked;
    });
    const bool may_have_connections = can_return_ && listen_said_;
    const bool is_hung_canary = !finished && is_canary_ && finished.error().fault == Fault::timed_out;
    if (is_hung_canary) end_hung_canary(finished.error().text);
    if (!finished && may_have_connections && spare_.begins_with(Kind::returning)) {
      finished = as_result([this] { return hear_its_keeper(); });
    }
    note_time();
    outcome_.had_begun_to_move = listen_said_;
    insist([this] { donor_.converses(channel_.descriptor(), -1); });
    spare_.close();
    if (finished) {
      outcome_.ending = Ending::completed;
    } else {
      insist([&] { give_up(finished.error()); });
    }
    insist([this] { donor_.converses(-1, -1); });
    if (returns_ != nullptr) returns_->expect({});
    insist([this] { offering_.write_into(outcome_.report); });
    if (adopting_) outcome_.report.returned = adopting_->taken();
    note_time();
    return std::move(outcome_);
  }

  Deadline in_step() const { return Clock::now() + terms_.step_timeout; }
  void note_time() { outcome_.report.duration_us = static_cast<std::uint64_t>(monotonic_us() - started_us_); }

  // ── The conversation when all goes well; any error leads to give_up ─────────────────────────────────────────────

  Result<void> talk() {
    ready_deadline_ = Clock::now() + terms_.ready_timeout;
    outcome_.report.from = terms_.self;
    if (returns_ != nullptr) adopting_.emplace(channel_, *returns_, terms_.features, terms_.step_timeout);
    if (auto met = say_hello(); !met) return met;
    Estate estate = donor_.estate();
    if (estate.sockets.size() > successor_sockets_max_) {
      const std::string text = "the successor takes at most " + std::to_string(successor_sockets_max_) +
                               " listening sockets, and there are " + std::to_string(estate.sockets.size());
      tell_abort(text);
      return fail(Fault::refused, text);
    }
    if (auto sent = send_with_spare(estate); !sent) return sent;
    auto ready = await(Kind::ready, ready_deadline_);
    if (!ready) return std::unexpected(ready.error());
    auto record = parse<wire::Ready>(*ready);
    if (!record) return std::unexpected(record.error());

    const bool on_probation = can_return_ && terms_.probation.count() > 0 && !terms_.canary;
    listen_said_ = true;
    if (terms_.canary) {
      auto proved = prove_canary();
      if (!proved && recalled_) return take_returns();
      if (!proved) return proved;
    }
    donor_.stop_accepting({record->addresses().begin(), record->addresses().end()});
    if (auto sent = say_listen(on_probation ? terms_.probation : std::chrono::milliseconds(0)); !sent) return sent;
    if (auto listening = await_listening(); !listening) return recalled_ ? take_returns() : listening;

    auto moved = on_probation ? watch_trial() : Result<void>();
    if (moved) moved = offer_all();
    if (!moved && recalled_) return take_returns();
    if (!moved) return moved;
    return say_done();
  }

  Result<void> say_listen(std::chrono::milliseconds probation) {
    wire::Listen listen;
    listen.set_probation_ms(static_cast<std::uint64_t>(probation.count()));
    told_ = donor_.remaining();
    next_told_ = Clock::now() + remaining_every;
    *listen.mutable_remaining() = to_wire(told_);
    return send_record(channel_, Kind::listen, listen, in_step());
  }

  // What a canary has said before it read Listen is passed over; but it may give back what it has. A call-off waits.
  Result<void> await_listening() {
    is_listening_awaited_ = true;
    for (const Deadline deadline = in_step();;) {
      auto frame = next_frame(Kind::listening, deadline);
      if (!frame) return std::unexpected(frame.error());
      if (frame->kind == Kind::trial && terms_.canary) continue;
      if (frame->kind == Kind::returning && terms_.canary) return hear_other(*frame);
      if (frame->kind != Kind::listening) return std::unexpected(unexpected_frame(*frame, Kind::listening));
      outcome_.successor_serves = true;
      is_listening_awaited_ = false;
      return {};
    }
  }

  Result<void> offer_all() {
    return offering_.run([this] { return go_on(); }, [this](const Frame& frame) { return hear_other(frame); });
  }

  Result<void> say_hello() {
    wire::Hello ours = make_hello(terms_.self, terms_.features);
    ours.set_returns(adopting_.has_value());
    auto sent = send_record(channel_, Kind::hello, ours, ready_deadline_);
    if (!sent) return sent;
    auto frame = await(Kind::hello, ready_deadline_);
    if (!frame) return std::unexpected(frame.error());
    auto hello = parse<wire::Hello>(*frame);
    if (!hello) return std::unexpected(hello.error());
    outcome_.report.to = {terms_.self.generation + 1, hello->pid(), hello->version()};
    can_return_ = adopting_ && hello->returns();
    successor_keeps_places_ = hello->keeps_places();
    if (hello->sockets_max() != 0) successor_sockets_max_ = hello->sockets_max();
    if (auto common = check_hello(*hello); !common) return common;
    if (!terms_.canary || (hello->canary() && can_return_)) return {};
    const std::string text = "its version cannot be a canary; upgrade to it without one";
    tell_abort(text);
    return fail(Fault::refused, text);
  }

  Result<void> say_done() {
    resigned_ = true;
    wire::Done done;
    done.set_application(donor_.resign());
    const LeftBehind left = donor_.left_behind();
    outcome_.report.left_behind = left.connections;
    outcome_.report.left_behind_ms = left.connections != 0 ? static_cast<std::uint64_t>(left.at_most.count()) : 0;
    offering_.write_into(outcome_.report);
    note_time();
    *done.mutable_report() = to_wire(outcome_.report);
    if (auto sent = send_record(channel_, Kind::done, done, in_step()); !sent) return sent;
    auto frame = channel_.receive(in_step());
    if (!frame) return fail(frame.error().fault, frame.error().text + " (waiting for Bye)");
    if (frame->kind == Kind::bye) return {};
    if (frame->kind != Kind::returning || !can_return_ || !donor_.reclaim()) return std::unexpected(unexpected_frame(*frame, Kind::bye));
    resigned_ = false;                            // the successor cancelled before it read Done
    if (auto begun = begin_returns(*frame); !begun) return begun;
    return take_returns();
  }

  // Waits for one frame while watching for a request to call the upgrade off.
  Result<Frame> await(Kind kind, Deadline deadline) {
    auto frame = next_frame(kind, deadline);
    if (frame && frame->kind != kind) return std::unexpected(unexpected_frame(*frame, kind));
    return frame;
  }

  Result<Frame> next_frame(Kind kind, Deadline deadline) {
    for (;;) {
      if (auto goes_on = heed_call(); !goes_on) return std::unexpected(goes_on.error());
      auto frame = channel_.try_receive();
      if (!frame) {
        return fail(frame.error().fault, frame.error().text + " (waiting for " + kind_name(kind) + ")");
      }
      if (*frame) return std::move(**frame);
      if (Clock::now() >= deadline) {
        return fail(Fault::timed_out, std::string("no answer in time (waiting for ") + kind_name(kind) + ")");
      }
      // Once connections can be frozen, the wake descriptor stays readable until freeze_next, which is not called now.
      // Then wait on the channel alone and poll the donor for a call-off.
      const int wake = donor_.wake_descriptor();
      if (is_readable(wake)) {
        channel_.wait({}, std::min(deadline, Clock::now() + std::chrono::milliseconds(10)));
      } else {
        channel_.wait({&wake, 1}, deadline);
      }
    }
  }

  // ── When a process dies, and its keeper goes on in the spare ────────────────────────────────────────────────────

  // Nothing moves before the successor has its end of the spare.
  Result<void> send_with_spare(Estate& estate) {
    const bool has_room = estate.sockets.size() < successor_sockets_max_;
    UniqueFd theirs = has_room ? spare_.open(estate) : UniqueFd();
    auto sent = send_estate(channel_, estate, ready_deadline_);
    theirs.reset();
    donor_.converses(channel_.descriptor(), spare_.descriptor());
    return sent;
  }

  // The successor may be anywhere between its inheritance and its last word, and knows which parcels it has taken.
  Result<void> talk_in_its_place(int channel) {
    ready_deadline_ = Clock::now() + terms_.ready_timeout;
    outcome_.report.from = terms_.self;
    listen_said_ = true;
    if (auto sent = say_listen({}); !sent) return sent;
    ::shutdown(channel, SHUT_RDWR);  // not before: an end with nothing in the spare is the end
    if (auto listening = await(Kind::listening, ready_deadline_); !listening) return std::unexpected(listening.error());
    outcome_.successor_serves = true;
    if (auto moved = offer_all(); !moved) return moved;
    return say_done();
  }

  // The successor's keeper gives back what the successor had. Always an error, as take_returns.
  Result<void> hear_its_keeper() {
    insist([this] { offering_.hear_to_the_end(); });
    insist([this] { donor_.converses(spare_.descriptor(), -1); });
    channel_ = spare_.take();
    if (resigned_) {
      has_reclaimed_ = insist([this] { return donor_.reclaim(); });
      if (!*has_reclaimed_) return fail(Fault::closed, "the successor crashed, and another process is the instance");
    }
    resigned_ = false;
    is_with_keeper_ = may_return_ = true;
    if (!recalled_) recalled_ = "the successor crashed";
    return take_returns();
  }

  // ── Probation, and giving back ──────────────────────────────────────────────────────────────────────────────────

  // The successor reports several times a second how it serves; silence means failure.
  Result<void> watch_trial() {
    for (;;) {
      auto frame = next_frame(Kind::trial, in_step());
      if (!frame) return std::unexpected(frame.error());
      if (frame->kind == Kind::returning) {
        if (auto begun = begin_returns(*frame); !begun) return begun;
        return fail(Fault::refused, *recalled_);
      }
      if (frame->kind != Kind::trial) return std::unexpected(unexpected_frame(*frame, Kind::trial));
      auto trial = parse<wire::Trial>(*frame);
      if (!trial) return std::unexpected(trial.error());
      if (trial->passed()) return {};
      donor_.on_probation({trial->accepted(), trial->served(), trial->failed(), {}});
      if (auto told = tell_remaining(); !told) return told;
    }
  }

  // Returns when it must be called again.
  Result<Deadline> go_on() {
    if (auto goes_on = heed_call(); !goes_on) return std::unexpected(goes_on.error());
    if (!is_canary_) {
      if (auto told = tell_remaining(); !told) return std::unexpected(told.error());
      return no_deadline;
    }
    // If we did not run either, the whole machine may have stood still.
    const Deadline now = Clock::now();
    if (now - looks_again_at_ > slept_at_least) trial_deadline_ = in_step();
    // It says nothing else while it adopts.
    const Deadline deadline = std::max(trial_deadline_, offering_.answer_deadline());
    if (now >= deadline) return fail(Fault::timed_out, "no answer in time (waiting for Trial)");
    looks_again_at_ = std::min(deadline, now + canary_looks_every);
    return looks_again_at_;
  }

  // ── A canary ────────────────────────────────────────────────────────────────────────────────────────────────────

  // Until the donor promotes it. After an error with `recalled_`, it gives back what it has.
  Result<void> prove_canary() {
    is_canary_ = true;
    wire::Listen listen;
    listen.set_canary(true);
    if (auto sent = send_record(channel_, Kind::listen, listen, in_step()); !sent) return sent;
    if (auto listening = await_listening(); !listening) return listening;
    trial_deadline_ = in_step();
    looks_again_at_ = trial_deadline_;
    donor_.begin_canary();
    auto proved = offer_all();
    if (proved) is_canary_ = false;
    return proved;
  }

  Result<void> hear_trial_of_canary(const Frame& frame) {
    auto trial = parse<wire::Trial>(frame);
    if (!trial) return std::unexpected(trial.error());
    trial_deadline_ = in_step();
    donor_.on_probation(
        {trial->accepted(), trial->served(), trial->failed(), {}, trial->application(), from_wire(trial->remaining())});
    return {};
  }

  // It is silent: its keeper gives back what it had, once it is dead. If it has none, the channel ends.
  void end_hung_canary(const std::string& why) {
    insist([this] { donor_.end_canary(); });
    if (!insist([this] { return donor_.kill_canary(); })) return;
    if (!recalled_) insist([&] { recalled_ = why; });
    for (const Deadline deadline = in_step(); Clock::now() < deadline && !spare_.begins_with(Kind::returning);) {
      pollfd polled[] = {{channel_.descriptor(), 0, 0}, {spare_.descriptor(), POLLIN, 0}};
      ::poll(polled, std::size(polled), 10);
      const bool is_over = (polled[0].revents & POLLHUP) != 0;
      if (is_over && !spare_.begins_with(Kind::returning)) return;
    }
  }

  // Connections that end here no longer need the places kept for them.
  Result<void> tell_remaining() {
    if (!successor_keeps_places_ || Clock::now() < next_told_) return {};
    next_told_ = Clock::now() + remaining_every;
    Remaining now = donor_.remaining();
    const Remaining waiting = offering_.waiting();
    now.connections += waiting.connections;
    now.descriptors += waiting.descriptors;
    if (now == std::exchange(told_, now)) return {};
    return send_record(channel_, Kind::remaining, to_wire(now), in_step());
  }

  // Handles a call-off. Before the successor serves, it ends the upgrade. After that, the successor is asked to give
  // back what it has. Once connections have moved it is too late, unless it is a canary.
  Result<void> heed_call() {
    const auto reason = donor_.called_off();
    if (!reason || recalled_ || (offering_.has_taken() && !is_canary_)) return {};
    if (can_return_ && listen_said_) {
      if (is_listening_awaited_) return {};  // in a moment
      recalled_ = *reason;
      if (is_canary_) insist([this] { donor_.end_canary(); });
      if (auto sent = send_record(channel_, Kind::recall, wire::Recall{}, in_step()); !sent) return sent;
    } else {
      tell_abort(*reason);
    }
    return fail(Fault::refused, *reason);
  }

  // Always an error: why the upgrade was called off, or what went wrong on the way back.
  Result<void> take_returns() {
    for (;;) {
      auto frame = channel_.receive(Clock::now() + terms_.return_timeout);
      if (!frame) return fail(frame.error().fault, *recalled_ + "; then " + frame.error().text + " (waiting for Returned)");
      if (frame->kind == Kind::returned && is_returning_) {
        if (const auto returned = parse<wire::Returned>(*frame))
          insist([&] { returns_->returned(returned->application()); });
        return fail(Fault::refused, *recalled_);
      }
      if (auto heard = hear_return(*frame); !heard) return heard;
    }
  }

  Result<void> hear_return(Frame& frame) {
    if (frame.kind == Kind::adopted) return offering_.hear_adopted(frame);     // for Offers sent before the Recall
    if (frame.kind == Kind::trial) return {};
    if (frame.kind == Kind::returning && may_return_) return begin_returns(frame);
    if (frame.kind == Kind::offer && is_returning_) return adopting_->answer(frame);
    return std::unexpected(unexpected_frame(frame, Kind::returned));
  }

  Result<void> begin_returns(const Frame& frame) {
    auto returning = parse<wire::Returning>(frame);
    if (!returning) return std::unexpected(returning.error());
    if (!recalled_) recalled_ = "the successor gave back what it had: " + returning->text().substr(0, limits::text_bytes_max);
    may_return_ = false;
    returns_->expect(from_wire(returning->remaining()));
    // These must not be skipped when memory is short: no later step repeats them.
    if (!std::exchange(is_returning_, true)) insist([this] { donor_.accept_again(); });
    const std::vector<ParcelId> ours = insist([this] { return offering_.let_go(); });  // it will answer no more Offers
    // A keeper cannot know whether its process's last answer was sent, and then offers these, too.
    if (is_with_keeper_) insist([&] { adopting_->own(ours); });
    outcome_.report.taken_back += ours.size();
    insist([&] { donor_.take_back(ours); });
    return {};
  }

  // The successor may give everything back at any time while connections move.
  Result<void> hear_other(const Frame& frame) {
    if (frame.kind == Kind::trial && is_canary_) return hear_trial_of_canary(frame);
    if (frame.kind != Kind::returning || !can_return_) return std::unexpected(unexpected_frame(frame, Kind::adopted));
    if (auto begun = begin_returns(frame); !begun) return begun;
    return fail(Fault::refused, *recalled_);
  }

  void tell_abort(const std::string& text) {
    send_abort(channel_, {Fault::refused, text}, Clock::now());
  }

  // ── The one way to give up ──────────────────────────────────────────────────────────────────────────────────────

  // Connections named in an Adopted by now are the successor's; all others are ours.
  // Every step can be retried, so none is skipped when memory is short.
  void give_up(const Error& error) {
    outcome_.reason = error.text;
    const std::vector<ParcelId> ours = insist([this] { return offering_.give_up(); });
    // Sending may have failed on a closed channel that still held the reason.
    if (error.fault == Fault::closed && !offering_.last_words().empty()) outcome_.reason = offering_.last_words();
    outcome_.report.taken_back += ours.size();
    // A successor that is silent or sends nonsense is stopped, unless it is known to have connections. If an exception
    // on our side ended the conversation, the successor is not at fault.
    const bool is_sane = error.fault == Fault::closed || error.fault == Fault::refused || !is_talk_over_;
    outcome_.successor_serves = outcome_.successor_serves && is_sane;
    if (offering_.has_taken()) outcome_.successor_serves = true;

    outcome_.ending = Ending::rolled_back;
    outcome_.report.left_behind = outcome_.report.left_behind_ms = 0;      // set for a Done that failed
    if (resigned_ && !has_reclaimed_) has_reclaimed_ = insist([this] { return donor_.reclaim(); });
    if (resigned_ && !*has_reclaimed_) {
      outcome_.ending = Ending::superseded;
    } else if (listen_said_ && !is_returning_) {
      insist([this] { donor_.accept_again(); });
    }
    insist([&] { donor_.take_back(ours); });
  }

  Channel channel_;
  Spare spare_;
  Donor& donor_;                  // outlives the conversation
  const PredecessorTerms& terms_;
  Offering offering_;
  std::optional<Adopting> adopting_;
  Adopter* const returns_;        // outlives the conversation; may be null
  const std::int64_t started_us_;
  HandoverOutcome outcome_;
  Deadline ready_deadline_;
  bool is_talk_over_ = false;     // it returned a result; false: it threw
  bool can_return_ = false;       // both sides support it
  bool successor_keeps_places_ = false;   // it understands Remaining
  std::size_t successor_sockets_max_ = limits::sockets_inherited_of_old;
  Remaining told_;                // the last one sent
  Deadline next_told_ = Clock::now();     // send no Remaining before
  bool listen_said_ = false;              // we have stopped accepting, or move a part of the clients
  bool is_listening_awaited_ = false;
  bool is_canary_ = false;                 // a part of the clients is the successor's, and we accept on
  Deadline trial_deadline_ = no_deadline;  // for a canary's next word
  Deadline looks_again_at_;
  bool is_returning_ = false;     // except for what comes back
  bool may_return_ = true;        // a Returning may come
  bool is_with_keeper_ = false;   // the successor is dead
  std::optional<std::string> recalled_;   // why everything comes back
  bool resigned_ = false;
  std::optional<bool> has_reclaimed_;     // after that; empty: not tried
};

}  // namespace

HandoverOutcome hand_over(Channel channel, Donor& donor, const PredecessorTerms& terms, Adopter* returns) {
  return Conversation(std::move(channel), donor, terms, returns).run();
}

HandoverOutcome resume_handover(Channel spare, int channel, Donor& donor, const PredecessorTerms& terms) {
  return Conversation(std::move(spare), donor, terms, nullptr).resume(channel);
}

}  // namespace baton::handoff
