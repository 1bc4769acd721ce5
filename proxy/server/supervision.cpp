// The server as the worker of a supervisor: it keeps that informed, and does not outlive it.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "handoff/insist.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/server/server.hpp"

namespace baton::proxy {

namespace asio = boost::asio;
namespace log = runtime::log;

namespace {

// What a supervisor that hangs may cost; less where the predecessor waits for us meanwhile.
constexpr std::chrono::milliseconds telling_limit{1000};

}  // namespace

pid_t Server::lasting_pid() const { return options_.supervisor ? options_.supervisor->supervisor() : ::getpid(); }

void Server::watch_supervisor() {
  if (!options_.supervisor) return;
  supervisor_.assign(::fcntl(options_.supervisor->descriptor(), F_DUPFD_CLOEXEC, 3));
  handoff::insist([this] {
    supervisor_.async_wait(asio::posix::stream_descriptor::wait_read, [this](boost::system::error_code error) {
      if (error) return;
      if (heir_ != 0) return heir_is_known();
      supervisor_gone();
    });
  });
}

// What the supervisor sends us from now on is meant for us.
void Server::heir_is_known() {
  hear_signals();
  heir_ = 0;
}

// Nobody would start anything anew, and the next start would find the lock taken.
void Server::supervisor_gone() {
  supervisor_gone_ = true;
  if (role_.is_succeeding() && !workers_) return exit_with(1);
  if (role_.is_succeeding() && is_taker_) call_off_succession("the supervisor is gone");
  // In the middle of an upgrade both have seen it: whoever is the instance afterwards stops.
  if (role_.is_conversing() || role_.is_stopping()) return;
  log::error("the supervisor, PID {}, is gone", lasting_pid());
  begin_stop("the supervisor is gone", settings_->config.timeouts.shutdown);
}

void Server::announce() {
  if (!options_.supervisor || !role_.is_instance()) return;
  handoff::insist([this] { options_.supervisor->announce(announcement()); });
  await_telling();
}

supervisor::Announcement Server::announcement() {
  state::InstanceRecord said = record();
  const Counters counters = workers_->counters();
  said.accepted_total = inherited_accepted_ + counters.accepted;
  said.requests_total = inherited_requests_ + counters.requests;
  // It is passed on as it is, by a supervisor that need not understand it.
  said.after_crash = true;
  handoff::Estate known = estate();
  if (previous_ && previous_->executable) {
    said.previous = previous_->program;
    known.sockets.push_back({"@previous", "", previous_->executable.get()});
  }
  known.application = state::encode(said);
  known.secrets = {};                        // a supervisor holds no keys
  return {self(), state::features(), std::move(known)};
}

void Server::leave_supervisor() {
  if (!options_.supervisor || !role_.is_instance()) return;
  handoff::insist([this] { options_.supervisor->leave(); });
  await_telling();
}

void Server::await_telling() {
  const std::chrono::milliseconds limit = std::min(telling_limit, settings_->config.handoff.step_timeout / 2);
  if (!options_.supervisor->sent_within(limit)) log::warning("the supervisor, PID {}, does not listen", lasting_pid());
}

}  // namespace baton::proxy
