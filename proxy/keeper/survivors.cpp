#include "proxy/keeper/survivors.hpp"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "handoff/insist.hpp"
#include "proxy/engine/engine.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/runtime/loop.hpp"
#include "proxy/state/codec.hpp"

namespace baton::keeper {

namespace {

// Of a state that may be torn, only what never changes is read.
std::string running_text(const state::ConnectionState& state) {
  const bool is_ip = state.client_address.family == state::Family::ipv4 || state.client_address.family == state::Family::ipv6;
  const char* const protocols[] = {"HTTP/1.1", "TCP", "its first bytes", "HTTP/2"};
  const std::size_t protocol = state.protocol.index();
  return fmt::format("{} of {} (connection {:x})", protocol < std::size(protocols) ? protocols[protocol] : "nothing known",
                     is_ip ? state.client_address.text() : "a client on a Unix socket", state.id);
}

// Each process that got this one, and no other, has died.
void log_culprit(const Survivor& one) {
  const std::string what =
      one.state != nullptr ? running_text(*one.state) : fmt::format("connection {:x}", one.returned.id);
  runtime::log::error("drops {}: a successor died of it", what);
}

// The worker's; nothing if the descriptor is something else by now.
handoff::InstanceLock lock_of(const Control& control) {
  struct stat file{};
  const int descriptor = control.lock_descriptor;
  const bool is_lock = ::fstat(descriptor, &file) == 0 && S_ISREG(file.st_mode) &&
                       handoff::FileIdentity{file.st_dev, file.st_ino} == control.lock_file();
  if (!is_lock) return {};
  auto lock = handoff::InstanceLock::held_through(handoff::UniqueFd(descriptor));
  if (control.has_resigned) lock.release();
  return lock;
}

std::vector<int> descriptors_of(const Survivor& one) {
  std::vector<int> descriptors;
  if (one.state != nullptr) state::append_descriptors(*one.state, descriptors);
  for (const handoff::UniqueFd& descriptor : one.returned.descriptors) descriptors.push_back(descriptor.get());
  return descriptors;
}

}  // namespace

Survivors::Survivors(const Control& control, std::int64_t worker)
    : testament_(control.testament), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), lock_(lock_of(control)) {
  if (!wake_) throw std::system_error(errno, std::generic_category(), "eventfd");
  if (testament_ != nullptr) {
    handoff::insist([this] {
      if (auto record = state::decode_instance_record(testament_->estate().application)) record_ = std::move(*record);
    });
  }
  frozen_at_us_ = runtime::monotonic_us();
  crash_.pid = worker;
  crash_.signal = control.signal;
  crash_.at_unix_us = runtime::unix_us();
}

void Survivors::sort_out(const Roster& roster, Survive survive) {
  crash_.lost = 0;
  crash_.running.clear();
  ending_.clear();
  waiting_.clear();
  in_transit_.clear();
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  for (int client = 0; client < static_cast<int>(std::min<rlim_t>(limit.rlim_cur, roster.size())); ++client) {
    const state::ConnectionState* const state = roster.find(client);
    if (state == nullptr) continue;
    if (roster.is_running(client)) {
      crash_.running.push_back(running_text(*state));
      ending_.push_back(client);
      ++crash_.lost;
    } else if (!state::is_movable(*state) || (survive == Survive::idle_ones && !engine::is_idle(*state))) {
      Survivor one{.state = state};
      end(one);
    } else {
      waiting_.push_back({.state = state});
      if (roster.is_in_transit(client)) in_transit_.insert(state);
    }
  }
}

void Survivors::drop_those_in_transit(bool are_lost) {
  for (auto* const states : {&suspects_, &waiting_}) {
    const auto dropped = std::erase_if(*states, [this](const Survivor& one) { return in_transit_.contains(one.state); });
    if (are_lost) crash_.lost += dropped;
  }
}

handoff::Estate Survivors::estate() {
  handoff::Estate estate = testament_->estate();
  state::InstanceRecord record = record_;
  record.keeper = 0;
  record.holds_lock = true;
  estate.application = state::encode(record);
  estate.heir = lock_.name_heir();
  return estate;
}

handoff::Remaining Survivors::remaining() {
  handoff::Remaining remaining{.connections = suspects_.size() + waiting_.size(), .descriptors = 0};
  for (const auto* some : {&suspects_, &waiting_}) {
    for (const Survivor& one : *some) remaining.descriptors += descriptors_of(one).size();
  }
  return remaining;
}

handoff::Batch Survivors::freeze_next(const handoff::Room& room) {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(wake_.get(), &count, sizeof count);
  handoff::Batch batch;
  try {
    if (!suspects_.empty()) {
      if (offered_.empty()) offer(suspects_, batch);
      is_alone_ = true;
      return batch;
    }
    is_alone_ = false;
    for (handoff::Room left = room; !waiting_.empty() && !left.is_used_up();) {
      offer(waiting_, batch);
      left.take(batch.parcels.back());
    }
  } catch (...) {
    // These have not been offered yet.
    handoff::insist([&] {
      for (const handoff::Parcel& parcel : batch.parcels) {
        const auto found = offered_.find(parcel.id);
        if (found == offered_.end()) continue;
        waiting_.emplace_front() = std::move(found->second);
        offered_.erase(found);
      }
    });
    throw;
  }
  batch.finished = waiting_.empty();
  return batch;
}

// These may be called again when memory is short, so each is done with one connection before the next.
void Survivors::adopted(std::span<const handoff::ParcelId> ids) {
  for (const handoff::ParcelId id : ids) {
    const auto found = offered_.find(id);
    if (found == offered_.end()) continue;
    adopted_.insert(id);
    if (found->second.state != nullptr) {
      for (const int descriptor : descriptors_of(found->second)) ::close(descriptor);
    }
    offered_.erase(found);
  }
  wake();
}

void Survivors::refused(std::span<const handoff::ParcelId> ids) {
  for (const handoff::ParcelId id : ids) {
    const auto found = offered_.find(id);
    if (found == offered_.end()) continue;
    end(found->second);
    offered_.erase(found);
  }
  wake();
}

void Survivors::take_back(std::span<const handoff::ParcelId> ids) {
  if (!ids.empty()) has_suspects_ = true;
  for (const handoff::ParcelId id : ids) {
    const auto found = offered_.find(id);
    if (found == offered_.end()) continue;
    if (is_alone_) {
      log_culprit(found->second);
      end(found->second);
    } else {
      suspects_.emplace_back() = std::move(found->second);
    }
    offered_.erase(found);
  }
}

handoff::Result<std::vector<std::string>> Survivors::inherit(handoff::Inheritance) {
  return handoff::fail(handoff::Fault::refused, "a keeper does not serve");
}

handoff::Result<void> Survivors::take_over(const std::string&, const handoff::Report&) {
  return handoff::fail(handoff::Fault::refused, "a keeper does not serve");
}

std::vector<handoff::Verdict> Survivors::prepare(std::vector<handoff::ReceivedParcel> parcels) {
  for (handoff::ReceivedParcel& parcel : parcels) {
    const handoff::ParcelId id = parcel.id;
    prepared_.insert_or_assign(id, std::move(parcel));
  }
  return std::vector<handoff::Verdict>(parcels.size());
}

void Survivors::start(std::span<const handoff::ParcelId> ids) {
  for (const handoff::ParcelId id : ids) {
    const auto found = prepared_.find(id);
    if (found == prepared_.end()) continue;
    waiting_.emplace_back().returned = std::move(found->second);
    prepared_.erase(found);
    adopted_.erase(id);
  }
}

void Survivors::drop(std::span<const handoff::ParcelId> ids) {
  for (const handoff::ParcelId id : ids) prepared_.erase(id);
}

std::string Survivors::resign() {
  auto told = told_of_crash(record_);
  lock_.release();
  return told;
}

std::string Survivors::counted() {
  return told_of_crash({});
}

std::string Survivors::told_of_crash(state::InstanceRecord record) {
  crash_.stall_us = static_cast<std::uint64_t>(runtime::monotonic_us() - frozen_at_us_);
  record.after_crash = true;
  record.crashes.last = crash();
  return state::encode(record);
}

const state::Crash& Survivors::crash() {
  crash_.whole = adopted_.size();
  return crash_;
}

bool Survivors::may_try_again() {
  crash_.lost += adopted_.size();
  adopted_.clear();
  return std::exchange(has_suspects_, false);
}

void Survivors::give_up() {
  for (auto* const some : {&suspects_, &waiting_}) {
    for (; !some->empty(); some->pop_front()) end(some->front());
  }
}

void Survivors::end(Survivor& one) {
  const std::vector<int> descriptors = descriptors_of(one);
  ending_.reserve(ending_.size() + descriptors.size());
  ending_.insert(ending_.end(), descriptors.begin(), descriptors.end());
  for (handoff::UniqueFd& descriptor : one.returned.descriptors) (void)descriptor.release();
  ++crash_.lost;
}

void Survivors::offer(std::list<Survivor>& from, handoff::Batch& batch) {
  handoff::Parcel parcel = parcel_of(from.front());
  batch.parcels.reserve(batch.parcels.size() + 1);
  offered_[parcel.id] = std::move(from.front());
  from.pop_front();
  batch.parcels.push_back(std::move(parcel));
}

handoff::Parcel Survivors::parcel_of(const Survivor& one) const {
  if (one.state == nullptr) {
    return {.id = one.returned.id,
            .frozen_at_us = frozen_at_us_,
            .descriptors = descriptors_of(one),
            .payload = one.returned.payload,
            .secrets = handoff::SecretBytes(one.returned.secrets.view())};
  }
  return {.id = one.state->id,
          .label = std::string(state::phase_name(*one.state)),
          .frozen_at_us = frozen_at_us_,
          .required_features = state::required_features(*one.state),
          .descriptors = descriptors_of(one),
          .payload = state::encode(*one.state),
          .secrets = state::encode_secrets(*one.state)};
}

void Survivors::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

}  // namespace baton::keeper
