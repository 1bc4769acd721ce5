#include "handoff/fleet.hpp"

#include <time.h>

#include <utility>

#include "handoff/kept.hpp"
#include "handoff/limits.hpp"

namespace baton::handoff {

namespace {

std::int64_t now_us() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

// One step of so many checks that its connection is as it was published: often enough to find a handler without a Step
// before users do.
constexpr unsigned steps_per_check = 16;

bool may_move(const Parcel& parcel) {
  return parcel.payload.size() <= limits::parcel_bytes_max && parcel.secrets.size() <= limits::secret_bytes_max &&
         parcel.descriptors.size() <= limits::descriptors_per_frame_max;
}

}  // namespace

void Fleet::add(std::shared_ptr<Movable> connection) {
  const Serial serial = enter(std::move(connection));
  if (kept_ != nullptr) publish(running_.at(serial));
}

Fleet::Serial Fleet::enter(std::shared_ptr<Movable> connection) {
  const Serial serial = ++last_serial_;
  serials_[connection.get()] = serial;
  running_[serial] = {std::move(connection), kept_ != nullptr ? kept_->take_place() : 0};
  return serial;
}

void Fleet::remove(const Movable& connection) {
  const auto found = serials_.find(&connection);
  if (found == serials_.end()) return;
  // Remove it from both tables first: its destructor may call us again.
  const auto ended = running_.extract(found->second);
  serials_.erase(found);
  if (kept_ != nullptr) kept_->leave(ended.mapped().place);
  if (wake_ && running_.empty()) wake_();
}

void Fleet::look_again(const Movable& connection) {
  if (!wake_) return;
  const auto found = serials_.find(&connection);
  if (found == serials_.end() || found->second > asked_up_to_ || found->second > ask_up_to_) return;
  look_again_.push_back(found->second);
  wake_();
}

// ── For a crash ─────────────────────────────────────────────────────────────────────────────────────────────────────

// Whatever goes wrong here costs only what a crash would: it may be better after the next step.
void Fleet::publish(Running& running) noexcept {
  try {
    const auto parcel = running.connection->parcel();
    if (parcel && may_move(*parcel)) return kept_->publish(running.place, *parcel);
  } catch (const std::exception&) {
  }
  kept_->withdraw(running.place);
}

void Fleet::check(const Running& running) noexcept {
  try {
    kept_->check(running.place, running.connection->parcel());
  } catch (const std::exception&) {
  }
}

Fleet::Serial Fleet::begin_step(const Movable& connection) {
  const auto found = serials_.find(&connection);
  if (found == serials_.end()) return 0;
  Running& running = running_.at(found->second);
  if (++steps_ % steps_per_check == 0) check(running);
  ++running.steps;
  kept_->withdraw(running.place);
  return found->second;
}

void Fleet::end_step(Serial serial, bool is_whole) noexcept {
  const auto found = running_.find(serial);
  if (found == running_.end() || kept_ == nullptr) return;
  if (--found->second.steps == 0 && is_whole) publish(found->second);
}

// ── For a handover ──────────────────────────────────────────────────────────────────────────────────────────────────

void Fleet::begin_handover(std::function<void()> wake) {
  wake_ = std::move(wake);
  asked_up_to_ = 0;
  ask_up_to_ = last_serial_;
  look_again_.clear();
}

void Fleet::end_handover() { wake_ = nullptr; }

Batch Fleet::freeze_next(const Room& room) {
  Batch batch;
  Room left = room;
  while (!left.is_used_up()) {
    const auto serial = next_to_ask();
    if (!serial) {
      // Wait only for connections that may still call look_again.
      batch.finished = running_.empty() || running_.begin()->first > ask_up_to_;
      break;
    }
    ask(*serial, left, batch);
  }
  return batch;
}

std::optional<Fleet::Serial> Fleet::next_to_ask() {
  const auto next = running_.upper_bound(asked_up_to_);
  if (next != running_.end() && next->first <= ask_up_to_) return asked_up_to_ = next->first;
  while (!look_again_.empty()) {
    const Serial serial = look_again_.front();
    look_again_.pop_front();
    if (running_.contains(serial)) return serial;
  }
  return std::nullopt;
}

void Fleet::ask(Serial serial, Room& left, Batch& batch) {
  const auto [connection, place, steps] = running_.at(serial);
  if (kept_ != nullptr) check(running_.at(serial));
  auto parcel = connection->freeze();
  if (!parcel) return;
  if (kept_ != nullptr) kept_->leave(place);
  serials_.erase(connection.get());
  running_.erase(serial);
  parcel->id = serial;
  parcel->frozen_at_us = now_us();
  frozen_[serial] = connection;
  left.take(*parcel);
  batch.parcels.push_back(std::move(*parcel));
}

void Fleet::adopted(ParcelId id) { take_frozen(id); }

void Fleet::take_back(ParcelId id) {
  const auto connection = take_frozen(id);
  if (!connection) return;
  enter(connection);
  const Step step(*this, *connection);
  connection->resume();
}

void Fleet::prepare(ParcelId id, std::shared_ptr<Movable> frozen) { frozen_[id] = std::move(frozen); }

void Fleet::start(ParcelId id) { take_back(id); }

void Fleet::drop(ParcelId id) { take_frozen(id); }

std::shared_ptr<Movable> Fleet::take_frozen(ParcelId id) {
  const auto found = frozen_.extract(id);
  return found ? std::move(found.mapped()) : nullptr;
}

}  // namespace baton::handoff
