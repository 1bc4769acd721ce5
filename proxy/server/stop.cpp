// How the server ends: what is here is served to its end, for as long as that may take.
#include "handoff/insist.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/server/server.hpp"
#include "proxy/server/timer.hpp"

namespace baton::proxy {

namespace log = runtime::log;

namespace {

constexpr std::chrono::milliseconds drain_look_every{20};
// For whoever asked us something and reads slowly, when all else is over.
constexpr std::chrono::seconds last_answers{5};

// Who stops a service has said how long it may take; who upgrades one was promised that nothing is cut.
void log_cut(std::size_t cut, const admin::Connections& kinds, bool in_an_upgrade) {
  const std::pair<const char*, std::uint64_t> counts[] = {{"idle", kinds.idle},
                                                          {"head", kinds.head},
                                                          {"exchange", kinds.exchange},
                                                          {"tunnel", kinds.tunnel},
                                                          {"closing", kinds.closing}};
  std::string text;
  for (const auto& [name, count] : counts) {
    if (count != 0) text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", name, count);
  }
  const auto line = fmt::format("time is over: {} connections are cut ({})", cut, text);
  in_an_upgrade ? log::error("{}", line) : log::warning("{}", line);
}

}  // namespace

void Server::begin_stop(const char* why, std::optional<std::chrono::milliseconds> limit) {
  role_.stop();
  is_ending_ = true;
  drop_reload("this process is stopping");
  leave_supervisor();
  if (role_.is_instance()) handoff::insist([&] { manager_.stopping(std::string("stopping: ") + why); });
  log::info("stopping ({}): {} connections are served to their end{}", why, shared_.connections.load(),
            limit ? fmt::format(", at most {} s", limit->count() / 1000) : "");
  handoff::insist([this] {
    const auto listening = listening_sockets();
    workers_->each([](Worker& worker) { worker.stop_accepting(); });
    workers_->at(0).loop().call([&] {
      for (const auto& socket : listening) workers_->at(0).empty_queue(socket);
    });
  });
  if (role_.is_instance()) {
    for (const BoundSocket& socket : sockets_) unlink_path(socket);
  }
  sockets_.clear();
  handoff::insist([this] { workers_->each([](Worker& worker) { worker.begin_stop(); }); });
  drain_deadline_.reset();
  if (limit) drain_deadline_ = std::chrono::steady_clock::now() + *limit;
  watch_drain();
}

void Server::stop_within_limit(const char* why) {
  const auto limit = settings_->config.timeouts.shutdown;
  if (!is_ending_) return begin_stop(why, limit);
  handoff::insist([this] { workers_->each([](Worker& worker) { worker.begin_stop(); }); });
  const auto deadline = std::chrono::steady_clock::now() + limit;
  if (drain_deadline_ && *drain_deadline_ <= deadline) return;
  log::info("stopping ({}): {} connections are served to their end, now at most {} s", why, shared_.connections.load(),
            limit.count() / 1000);
  drain_deadline_ = deadline;
}

void Server::drain_what_stays() {
  is_ending_ = true;
  takers_.close();
  sockets_.clear();
  handoff::insist([this] { workers_->each([](Worker& worker) { worker.begin_drain(); }); });
  drain_deadline_ = std::chrono::steady_clock::now() + settings_->config.handoff.drain_timeout;
  watch_drain();
}

void Server::watch_drain() {
  // First: whatever goes wrong below, there is a next time.
  call_after(drain_timer_, drain_look_every, [this] { watch_drain(); });
  reap();
  const auto now = std::chrono::steady_clock::now();
  if (shared_.connections.load() == 0 && leftovers_.empty()) return exit_when_answered(now + last_answers);
  if (drain_deadline_ && now >= *drain_deadline_) {
    std::size_t cut = 0;
    admin::Connections kinds;
    workers_->each([&](Worker& worker) {
      worker.begin_stop();
      worker.count(kinds);
      cut += worker.cut_all();
    });
    if (cut != 0) log_cut(cut, kinds, role_.is_retired());
    return exit_when_answered(now + last_answers);
  }
  if (role_.is_instance()) manager_.ask_for_time(shared_.connections.load());
}

// Somebody may be waiting for the report of the upgrade that ends us, and a supervisor that has not heard of it yet may
// send us what is meant for the instance.
void Server::exit_when_answered(std::chrono::steady_clock::time_point deadline) {
  call_after(drain_timer_, drain_look_every, [this, deadline] { exit_when_answered(deadline); });
  admin_.pause();
  const bool is_needed = admin_.is_answering() || heir_ != 0;
  if (is_needed && std::chrono::steady_clock::now() < deadline) return;
  if (heir_ != 0) heir_is_known();
  exit_with(exit_code_);
}

}  // namespace baton::proxy
