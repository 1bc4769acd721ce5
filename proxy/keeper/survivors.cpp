#include "proxy/keeper/survivors.hpp"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <deque>
#include <string>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "handoff/instance.hpp"
#include "handoff/predecessor.hpp"
#include "proxy/engine/engine.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/runtime/loop.hpp"
#include "proxy/state/codec.hpp"
#include "proxy/state/instance_record.hpp"
#include "proxy/supervisor/replacement.hpp"

namespace baton::keeper {

namespace log = runtime::log;

namespace {

// Our descriptors of a kind, by what their links in /proc begin with.
std::vector<int> descriptors_like(std::string_view kind) {
  std::vector<int> found;
  DIR* const directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return found;
  while (const dirent* const entry = ::readdir(directory)) {
    char target[32];
    const ssize_t bytes = ::readlinkat(::dirfd(directory), entry->d_name, target, sizeof target);
    if (bytes > 0 && std::string_view(target, static_cast<std::size_t>(bytes)).starts_with(kind)) {
      found.push_back(std::atoi(entry->d_name));
    }
  }
  ::closedir(directory);
  return found;
}

// Nobody waits in the worker's epolls any more.
void close_epolls() {
  for (const int one : descriptors_like("anon_inode:[eventpoll]")) ::close(one);
}

// When it is closed, the other side sees a reset.
void end_by_reset(int descriptor) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

// What still is connected belongs to no connection that is whole: for the other side an end must not look like that of
// a message. Listening sockets have other owners, too.
void reset_all_that_is_connected() {
  for (const int one : descriptors_like("socket:")) {
    int is_listening = 1;
    socklen_t bytes = sizeof is_listening;
    if (::getsockopt(one, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &bytes) == 0 && is_listening == 0) end_by_reset(one);
  }
}

constexpr std::uint64_t crashes_with_all = 2;   // in a row, after which only idle connections go on
constexpr std::uint64_t crashes_with_idle = 3;  // and after which none does: an exchange may be what kills us
constexpr int successors_max = 8;

Survive what_survives(const Control& control, const state::Crashes& before, std::int64_t now_us) {
  const std::uint64_t in_a_row = before.in_a_row_at(now_us);
  if (in_a_row <= crashes_with_all) return control.survive;
  if (in_a_row <= crashes_with_idle) return control.survive == Survive::all ? Survive::idle_ones : control.survive.load();
  return Survive::none;
}

// Of a state that may be torn, only what never changes is read.
std::string running_text(const state::ConnectionState& state) {
  const bool is_ip = state.client_address.family == state::Family::ipv4 || state.client_address.family == state::Family::ipv6;
  const char* const protocols[] = {"HTTP/1.1", "TCP", "its first bytes", "HTTP/2"};
  const std::size_t protocol = state.protocol.index();
  return fmt::format("{} of {} (connection {:x})", protocol < std::size(protocols) ? protocols[protocol] : "nothing known",
                     is_ip ? state.client_address.text() : "a client on a Unix socket", state.id);
}

// Nothing if it is something else by now.
handoff::UniqueFd lock_at(int descriptor) {
  struct stat file{};
  const bool is_lock = ::fstat(descriptor, &file) == 0 && S_ISREG(file.st_mode);
  return handoff::UniqueFd(is_lock ? descriptor : -1);
}

class Survivors final : public handoff::Donor {
 public:
  Survivors(const Testament& testament, int lock)
      : testament_(testament),
        lock_(handoff::InstanceLock::held_through(lock_at(lock))),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!wake_) throw std::system_error(errno, std::generic_category(), "eventfd");
    if (auto record = state::decode_instance_record(testament.estate().application)) record_ = std::move(*record);
    frozen_at_us_ = runtime::monotonic_us();
    crash_.pid = testament.pid();
    crash_.at_unix_us = runtime::unix_us();
  }

  // Which ones are whole and can move. The others end.
  void sort_out(const Roster& roster, Survive survive) {
    for (const int client : descriptors_like("socket:")) {
      const state::ConnectionState* const state = roster.find(client);
      if (state == nullptr) continue;
      if (roster.is_running(client)) {
        crash_.running.push_back(running_text(*state));
        ++crash_.lost;
      } else if (!state::is_movable(*state) || (survive == Survive::idle_ones && !engine::is_idle(*state))) {
        ++crash_.lost;
      } else {
        waiting_.push_back(state);
      }
    }
  }

  handoff::Estate estate() override {
    handoff::Estate estate = testament_.estate();
    state::InstanceRecord record = record_;
    record.keeper = 0;
    record.holds_lock = true;
    estate.application = state::encode(record);
    estate.heir = lock_.name_heir();
    return estate;
  }
  void stop_accepting(const std::vector<std::string>&) override {}
  void accept_again() override {}
  handoff::Remaining remaining() override {
    handoff::Remaining remaining{.connections = suspects_.size() + waiting_.size(), .descriptors = 0};
    for (const auto* states : {&suspects_, &waiting_}) {
      for (const state::ConnectionState* one : *states) remaining.descriptors += state::descriptors(*one);
    }
    return remaining;
  }
  handoff::Batch freeze_next(const handoff::Room& room) override {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(wake_.get(), &count, sizeof count);
    handoff::Batch batch;
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
    batch.finished = waiting_.empty();
    return batch;
  }
  int wake_descriptor() override { return wake_.get(); }
  void adopted(std::span<const handoff::ParcelId> ids) override {
    for (const handoff::ParcelId id : ids) {
      const auto found = offered_.find(id);
      for (const int descriptor : descriptors_of(*found->second)) ::close(descriptor);
      offered_.erase(found);
      ++crash_.whole;
    }
    wake();
  }
  void refused(std::span<const handoff::ParcelId> ids) override {
    for (const handoff::ParcelId id : ids) crash_.lost += offered_.erase(id);
    wake();
  }
  // The successor may have died of one of these; of one that was offered alone, it has.
  void take_back(std::span<const handoff::ParcelId> ids) override {
    has_suspects_ = !ids.empty();
    for (const handoff::ParcelId id : ids) {
      const auto found = offered_.find(id);
      if (is_alone_) {
        ++crash_.lost;
      } else {
        suspects_.push_back(found->second);
      }
      offered_.erase(found);
    }
  }
  std::string resign() override {
    crash_.stall_us = static_cast<std::uint64_t>(runtime::monotonic_us() - frozen_at_us_);
    state::InstanceRecord record;
    record.crashes.last = crash_;
    lock_.release();
    return state::encode(record);
  }
  bool reclaim() override { return lock_.try_take(); }

  // The successor has died, and what it had adopted is lost. False: nothing was being offered, and another successor
  // would fare no better.
  bool may_try_again() {
    crash_.lost += std::exchange(crash_.whole, 0);
    return std::exchange(has_suspects_, false);
  }
  // No one else will adopt any.
  void give_up() { crash_.lost += suspects_.size() + waiting_.size(); }

  const state::InstanceRecord& record() const { return record_; }
  state::Crash& crash() { return crash_; }

 private:
  void offer(std::deque<const state::ConnectionState*>& from, handoff::Batch& batch) {
    const state::ConnectionState& state = *from.front();
    batch.parcels.push_back(parcel_of(state));
    offered_[state.id] = &state;
    from.pop_front();
  }
  handoff::Parcel parcel_of(const state::ConnectionState& state) const {
    return {.id = state.id,
            .label = std::string(state::phase_name(state)),
            .frozen_at_us = frozen_at_us_,
            .required_features = state::required_features(state),
            .descriptors = descriptors_of(state),
            .payload = state::encode(state),
            .secrets = state::encode_secrets(state)};
  }
  static std::vector<int> descriptors_of(const state::ConnectionState& state) {
    std::vector<int> descriptors;
    state::append_descriptors(state, descriptors);
    return descriptors;
  }
  void wake() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
  }

  const Testament& testament_;
  state::InstanceRecord record_;  // of the worker
  handoff::InstanceLock lock_;
  handoff::UniqueFd wake_;
  std::int64_t frozen_at_us_ = 0;
  // Each connection is in one of these, or counted in `crash_`.
  std::deque<const state::ConnectionState*> waiting_;
  std::deque<const state::ConnectionState*> suspects_;  // offered one at a time
  std::unordered_map<handoff::ParcelId, const state::ConnectionState*> offered_;
  bool is_alone_ = false;      // what is offered
  bool has_suspects_ = false;  // of the successor that has just failed
  state::Crash crash_;
};

bool hand_over(Survivors& survivors, const Testament& testament, const Origin& origin) {
  for (int successor = 0; successor < successors_max; ++successor) {
    auto started = supervisor::start_again(testament.estate(), origin.arguments, origin.door);
    if (!started) {
      log::error("no successor starts: {}", started.error().text);
      return false;
    }
    const handoff::HandoverOutcome outcome = handoff::hand_over(std::move(started->channel), survivors, testament.terms());
    if (outcome.ending != handoff::Ending::rolled_back) return true;
    log::error("the successor, PID {}, failed: {}", started->pid, outcome.reason);
    // It may live, and serve what it has: then it is the instance once this process is gone.
    if (outcome.successor_serves && ::waitpid(started->pid, nullptr, WNOHANG) == 0) return false;
    ::kill(started->pid, SIGKILL);
    if (!survivors.may_try_again()) return false;
  }
  return false;
}

}  // namespace

bool hand_over_survivors(const Control& control, const Roster& roster, const Origin& origin) try {
  const Testament& testament = *control.testament.load();
  const int signal = control.signal;
  const std::string died = signal != 0 ? fmt::format("died of signal {}", signal) : "was killed";
  if (control.is_upgrading) {
    // What the successor has adopted shares its sockets with us, so nothing may be done to them.
    log::error("PID {} {} during an upgrade: what had not been adopted ends", testament.pid(), died);
    return false;
  }
  Survivors survivors(testament, control.lock_descriptor);
  state::Crash& crash = survivors.crash();
  crash.signal = signal;
  const Survive survive = what_survives(control, survivors.record().crashes, crash.at_unix_us);
  survivors.sort_out(roster, survive);
  for (const std::string& running : crash.running) log::error("PID {} {} while it ran {}", crash.pid, died, running);
  bool is_done = false;
  if (survive == Survive::none) {
    log::error("PID {} {}: no connection goes on, because {}", crash.pid, died,
               control.survive == Survive::none ? "handoff.survive is off" : "it is one crash of many in a row");
  } else {
    close_epolls();
    is_done = hand_over(survivors, testament, origin);
  }
  survivors.give_up();
  reset_all_that_is_connected();
  log::info("PID {} crashed: {} connections go on, {} were lost", crash.pid, crash.whole, crash.lost);
  return is_done;
} catch (const std::exception& error) {
  log::error("no connection goes on: {}", handoff::describe(error));
  reset_all_that_is_connected();
  return false;
}

}  // namespace baton::keeper
