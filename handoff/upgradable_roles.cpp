#include "handoff/upgradable_roles.hpp"

#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <system_error>

#include "handoff/survival.hpp"

namespace baton::handoff {

Upgradable::Roles::Roles(Upgradable& process)
    : process_(process), wake_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
  if (!wake_) throw std::system_error(errno, std::generic_category(), "timerfd");
}

void Upgradable::Roles::wake_at(Clock::time_point at) const {
  itimerspec when{};                 // all zero: never
  if (at != Clock::time_point::max()) {
    const auto since_boot = std::chrono::nanoseconds(at.time_since_epoch()).count();
    when.it_value = {since_boot / 1'000'000'000, since_boot % 1'000'000'000};
  }
  ::timerfd_settime(wake_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

void Upgradable::Roles::call_off() {
  called_off_ = true;
  wake_at(Clock::now());
}

Result<void> Upgradable::Roles::take_lock() {
  if (process_.lock_.take_within(process_.terms_.step_timeout)) return {};
  return fail(Fault::timed_out, "another process holds the instance lock");
}

// ── As the predecessor ────────────────────────────────────────────────────────────────────────────────────────────

Estate Upgradable::Roles::estate() {
  return in_server([this] {
    Estate estate;
    for (const auto& [name, socket] : process_.listeners_) estate.sockets.push_back({name, name, socket.get()});
    if (process_.terms_.lock.empty()) estate.sockets.push_back({"@lock", "", process_.lock_.to_pass_on()});
    estate.heir = process_.lock_.name_heir();
    if (process_.survival_) estate.application = process_.survival_->kept().control().before.text();
    return estate;
  });
}

void Upgradable::Roles::stop_accepting(const std::vector<std::string>&) {
  finish_at_ = Clock::now() + process_.terms_.finish_timeout;
  in_server([this] {
    process_.service_->stop_accepting();
    process_.fleet_.begin_handover([this] { wake_at(Clock::now()); });
  });
}

void Upgradable::Roles::accept_again() {
  in_server([this] {
    process_.fleet_.end_handover();
    process_.service_->accept();
  });
}

Batch Upgradable::Roles::freeze_next(const Room& room) {
  // Reset the timer before asking the fleet: a later wake-up may announce something that this call does not see.
  wake_at(finish_at_);
  Batch batch = in_server([&] { return process_.fleet_.freeze_next(room); });
  // Connections that cannot be frozen by now stay here to their end.
  if (batch.parcels.empty() && Clock::now() >= finish_at_) batch.finished = true;
  return batch;
}

void Upgradable::Roles::adopted(std::span<const ParcelId> ids) {
  in_server([&] {
    for (const ParcelId id : ids) process_.fleet_.adopted(id);
  });
}

void Upgradable::Roles::take_back(std::span<const ParcelId> ids) {
  in_server([&] {
    for (const ParcelId id : ids) process_.fleet_.take_back(id);
  });
}

std::string Upgradable::Roles::resign() {
  return in_server([this] {
    process_.fleet_.end_handover();
    process_.lock_.release();
    return process_.service_->state();
  });
}

// The server decides how long they stay.
LeftBehind Upgradable::Roles::left_behind() {
  return in_server([this] { return LeftBehind{.connections = process_.fleet_.size(), .at_most = {}}; });
}

bool Upgradable::Roles::reclaim() {
  // A dying successor releases the lock a moment after it closes the channel.
  if (!take_lock()) return false;
  publish_pid();  // the successor may have written its own PID already
  return true;
}

std::optional<std::string> Upgradable::Roles::called_off() {
  if (called_off_) return "told to stop by a signal";
  return std::nullopt;
}

// ── As the successor ──────────────────────────────────────────────────────────────────────────────────────────────

Result<Inheritance> Upgradable::Roles::await_inheritance() { return inheritance_.get_future().get(); }

void Upgradable::Roles::no_inheritance(const std::string& why) {
  if (!has_inherited_) inheritance_.set_value(fail(Fault::closed, why));
}

Result<std::vector<std::string>> Upgradable::Roles::inherit(Inheritance inheritance) {
  has_inherited_ = true;
  inheritance_.set_value(std::move(inheritance));
  return ready_.get_future().get();
}

void Upgradable::Roles::accept() {
  in_server([this] { process_.service_->accept(); });
}

std::vector<Verdict> Upgradable::Roles::prepare(std::vector<ReceivedParcel> parcels) {
  return in_server([&] {
    std::vector<Verdict> verdicts;
    for (ReceivedParcel& parcel : parcels) {
      const ParcelId id = parcel.id;
      Result<std::shared_ptr<Movable>> connection;
      try {
        connection = process_.service_->adopt(std::move(parcel));
      } catch (const std::exception& error) {
        connection = fail(Fault::refused, describe(error));
      }
      if (connection) process_.fleet_.prepare(id, std::move(*connection));
      verdicts.push_back(connection ? Verdict() : Verdict(connection.error().text));
    }
    return verdicts;
  });
}

void Upgradable::Roles::start(std::span<const ParcelId> ids) {
  in_server([&] {
    for (const ParcelId id : ids) process_.fleet_.start(id);
  });
}

void Upgradable::Roles::drop(std::span<const ParcelId> ids) {
  in_server([&] {
    for (const ParcelId id : ids) process_.fleet_.drop(id);
  });
}

Result<void> Upgradable::Roles::take_over(const std::string& application, const Report&) {
  if (auto taken = take_lock(); !taken) return taken;
  publish_pid();
  if (!application.empty()) in_server([&] { process_.service_->restore(application); });
  return {};
}

// In the conversation's thread: a file system may be slow.
void Upgradable::Roles::publish_pid() {
  const auto published = process_.pid_file_.publish();
  if (!published) in_server([&] { process_.say(published.error().text); });
}

}  // namespace baton::handoff
