#include "proxy/server/server.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "handoff/executable.hpp"
#include "handoff/insist.hpp"
#include "handoff/temporary.hpp"
#include "proxy/server/in_main.hpp"
#include "proxy/process/signals.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/worker/descriptors.hpp"

namespace baton::proxy {

namespace asio = boost::asio;
namespace log = runtime::log;

namespace {

std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

std::string holder_of(const std::optional<std::string>& pid_file) {
  const auto pid = pid_file ? handoff::PidFile::named_in(*pid_file) : std::nullopt;
  return pid ? ", PID " + std::to_string(*pid) : std::string();
}

}  // namespace

Server::Server(std::shared_ptr<const Settings> settings, LaunchOptions options)
    : settings_(std::move(settings)),
      options_(std::move(options)),
      paths_(process::resolve_paths(settings_->config)),
      context_(1),
      signals_(context_, process::signal_descriptor().release()),
      supervisor_(context_),
      drain_timer_(context_),
      leftovers_timer_(context_),
      certificates_timer_(context_),
      manager_(context_, std::move(options_.notifier), options_.supervisor != nullptr),
      progress_timer_(context_),
      admin_(context_, [this] { return admin_source(); }),
      takers_(context_, [this](Taker taker) { taken_over_by(std::move(taker)); }),
      background_(context_) {
  prepare_process();
}

Server::~Server() {
  if (conversation_.joinable()) conversation_.join();
}

void Server::set_connection_limit() {
  const DescriptorPlan plan = plan_descriptors(settings_->config, raise_descriptor_limit());
  shared_.sockets_max = plan.sockets;
  shared_.connections_max = settings_->config.limits.connections.value_or(plan.connections());
  if (const auto warning = too_many_connections(settings_->config, plan))
    log::warning("limits.connections: {}", *warning);
}

void Server::prepare_process() {
  set_connection_limit();
  executable_ = handoff::own_executable();
  if (const auto& access = settings_->config.log.access) {
    access_log_ = std::make_shared<runtime::AccessLog>(access->path);
  }
  if (!paths_.warning.empty()) log::warning("{}", paths_.warning);
}

void Server::become_first() {
  auto lock = paths_.lock ? handoff::InstanceLock::on_file(*paths_.lock) : handoff::InstanceLock::on_memory();
  if (!lock) throw std::runtime_error(lock.error().text + " (handoff.socket must be in a folder we can write)");
  lock_ = std::move(*lock);
  if (!lock_.try_take()) {
    throw std::runtime_error("another instance runs already (it holds " + *paths_.lock +
                             holder_of(paths_.pid_file) +
                             "); to replace it, send it SIGUSR2; to run beside it, give handoff.socket, pid_file and "
                             "admin.bind other paths");
  }
  std::vector<std::string> lent;
  for (const auto& socket : options_.passed.sockets) lent.push_back(socket.address);
  admin_.claim(options_.admin, options_.passed.sockets, lent);
  sockets_ = bind_or_take(options_.listeners, std::move(options_.passed));
  if (paths_.pid_file) {
    auto file = handoff::PidFile::prepare(*paths_.pid_file, lasting_pid());
    if (!file) throw std::runtime_error(file.error().text);
    pid_file_ = std::move(*file);
  }
}

void Server::start_workers(std::uint64_t generation) {
  shared_.generation = generation;
  workers_ = std::make_unique<Workers>(settings_, shared_, access_log_.get(), worker_count(settings_->config));
  log::set_tag("g" + std::to_string(generation) + " " + std::to_string(::getpid()));
}

int Server::run() {
  become_first();
  start_workers(1);
  admin_known_as_ = admin_known_as(paths_.admin);
  admin_.open(options_.admin);
  if (auto opened = open_meeting_point(); !opened) throw std::runtime_error(opened.error().text);
  role_.become_instance();
  announce();
  try {
    begin_to_serve();
  } catch (...) {
    leave_supervisor();  // what cannot start is not to be replaced
    throw;
  }
  return loop();
}

void Server::begin_to_serve() {
  if (auto published = pid_file_.publish(); !published) throw std::runtime_error(published.error().text);
  accept();
  log::info("{}", serving_status());
  manager_.serving(*workers_, serving_status());
  watch();
}

std::string Server::serving_status() const {
  return fmt::format("serving: baton {}, generation {}, PID {}, {} workers", options_.version, shared_.generation, ::getpid(),
                     workers_->size());
}

void Server::watch() {
  read_signals();
  watch_supervisor();
  watch_certificates();
}

// What a handler throws (no memory, no thread, no descriptor) ends what that handler was about. It must never end the
// process and with it every connection.
void Server::run_events() {
  for (;;) {
    try {
      context_.run();
      return;
    } catch (const std::exception& error) {
      log::error("{}; this process goes on", error.what());
    }
  }
}

int Server::loop() {
  run_events();
  if (role_.is_instance()) {
    pid_file_.withdraw();
    admin_.unlink();
    takers_.withdraw();
    for (const BoundSocket& socket : sockets_) unlink_path(socket);
    leave_supervisor();
  }
  if (options_.supervisor) options_.supervisor->end();
  for (const Leftover& leftover : leftovers_) ::kill(leftover.pid, SIGKILL);
  log::info("ended");
  if (role_.is_conversing()) {
    // Stopped in the middle of a handover: to end is what the other side is prepared for.
    log::stop();
    ::_exit(exit_code_);
  }
  if (conversation_.joinable()) conversation_.join();
  admin_.close();
  workers_.reset();
  access_log_.reset();
  if (background_.is_busy()) {
    // A name that is still being looked up must not hold the end up; and what the end destroys, that thread may use.
    log::stop();
    ::_exit(exit_code_);
  }
  return exit_code_;
}

void Server::exit_with(int code) {
  exit_code_ = code;
  context_.stop();
}

// ── Accepting ─────────────────────────────────────────────────────────────────────────────────────────────────────

ListeningSocket Server::as_workers_see_it(const BoundSocket& socket) const {
  ListeningSocket seen{.listener = socket.listener,
                       .tunnel_to = {},
                       .descriptor = socket.socket.get(),
                       .unix_path = socket.address.family == state::Family::unix_path};
  if (const config::Listener* listener = settings_->find_listener(socket.listener)) {
    if (listener->protocol == config::Protocol::tcp) seen.tunnel_to = listener->upstream;
    seen.tls = listener->tls.has_value();
  }
  return seen;
}

std::vector<ListeningSocket> Server::listening_sockets() const {
  std::vector<ListeningSocket> listening;
  for (const BoundSocket& socket : sockets_) listening.push_back(as_workers_see_it(socket));
  return listening;
}

void Server::accept() {
  handoff::insist([this] {
    const auto listening = listening_sockets();
    workers_->each([&](Worker& worker) { worker.accept_on(listening); });
  });
  for (const BoundSocket& socket : sockets_) log::info("listening on {} ({})", socket.address.text(), socket.listener);
}

void Server::empty_queue(const BoundSocket& socket) {
  Worker& worker = workers_->at(0);
  handoff::insist([&] { worker.loop().call([&] { worker.empty_queue(as_workers_see_it(socket)); }); });
}

// ── Signals ───────────────────────────────────────────────────────────────────────────────────────────────────────

void Server::read_signals() {
  handoff::insist([this] {
    signals_.async_wait(asio::posix::stream_descriptor::wait_read, [this](boost::system::error_code error) {
      if (error) return;
      read_signals();  // first: whatever these come to, the next ones are heard
      hear_signals();
    });
  });
}

void Server::hear_signals() {
  signalfd_siginfo info;
  while (::read(signals_.native_handle(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    const auto signal = static_cast<int>(info.ssi_signo);
    // The supervisor took us for the instance when it sent that. A stop is for what still drains here, too.
    const bool is_stop = signal == SIGTERM || signal == SIGINT || signal == SIGQUIT;
    const bool is_for_heir = heir_ != 0 && signal != SIGCHLD &&
                             static_cast<pid_t>(info.ssi_pid) == options_.supervisor->supervisor();
    // A whole process group may have been told to stop; what our predecessor was told then is no second time.
    const bool is_known = role_.is_told_to_stop() && process::was_passed_on(info) && (signal == SIGTERM || signal == SIGINT);
    if (is_for_heir) process::pass_on(signal, heir_);
    if (is_for_heir ? is_stop : !is_known) obey_signal(signal);
  }
}

void Server::obey_signal(int signal) {
  try {
    on_signal(signal);
  } catch (const std::exception& error) {
    log::error("signal {}: {}", signal, error.what());
  }
}

// What came while a conversation kept us busy.
void Server::obey_remembered_signals() {
  for (const int signal : std::exchange(remembered_signals_, {}).to_obey()) obey_signal(signal);
}

void Server::on_signal(int signal) {
  if (role_.is_succeeding() && signal != SIGCHLD) {
    // Until it is settled who serves, a successor obeys nobody; a whole process group may have been told to stop, and
    // the predecessor tells us too. One that has nothing yet simply ends.
    const bool is_stop = signal == SIGTERM || signal == SIGINT || signal == SIGQUIT;
    if (is_stop && !workers_) return exit_with(1);
    if (is_stop && is_taker_) call_off_succession("a signal to stop came");
    remembered_signals_.remember(signal);
    return;
  }
  switch (signal) {
    case SIGUSR2:
      if (const auto why_not = begin_upgrade()) log::warning("upgrade: SIGUSR2 refused: {}", *why_not);
      return;
    case SIGUSR1:
      reopen_logs();
      if (role_.is_upgrading()) remembered_signals_.remember(signal);
      return;
    case SIGHUP:
      if (role_.is_upgrading()) {
        remembered_signals_.remember(signal);
        return;
      }
      reload();  // the log says what comes of it
      return;
    case SIGTERM:
    case SIGINT:
      if (!role_.is_told_to_stop()) {
        role_.tell_to_stop();
        if (!role_.is_upgrading()) return stop_within_limit(signal == SIGTERM ? "SIGTERM" : "SIGINT");
        // Before anything is adopted this calls the upgrade off; later the successor stops in our place.
        remembered_signals_.remember(signal);
        donor_->call_off("a signal to stop came");
        return;
      }
      log::info("second signal: stopping at once");
      if (role_.is_upgrading() && !taker_.empty()) {
        role_.resign();      // a taker lives on, and may need the paths of the instance
        return exit_with(0);
      }
      if (role_.is_upgrading() && successor_pid_ != 0) {
        ::kill(successor_pid_, SIGKILL);
        if (paths_.pid_file) handoff::discard_temporaries_beside(*paths_.pid_file, successor_pid_);
      }
      // Nobody else is left to remove the paths of the instance.
      if (role_.has_resigned() && role_.is_upgrading() && lock_.take_within(settings_->config.handoff.step_timeout)) reclaim();
      return exit_with(0);
    case SIGQUIT:
      if (role_.is_upgrading()) {
        remembered_signals_.remember(signal);
        return;
      }
      if (!role_.is_stopping()) begin_stop("SIGQUIT", std::nullopt);
      return;
    case SIGCHLD:
      reap();
      return;
    default:
      return;
  }
}

void Server::reap() {
  int status = 0;
  for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    std::erase_if(leftovers_, [pid](const Leftover& leftover) { return leftover.pid == pid; });
    if (pid != successor_pid_) continue;
    successor_status_ = status;
    successor_pid_ = 0;
  }
}

// `then` comes when they are. A disk may take long to open a file.
void Server::reopen_logs(std::function<void()> then) {
  const auto reopened = [then = std::move(then)] {
    log::info("log files reopened");
    if (then) then();
  };
  if (!access_log_) return reopened();
  try {
    background_.run([access_log = access_log_, reopened]() -> Background::Rest {
      access_log->reopen();
      return reopened;
    });
  } catch (const std::exception&) {
    access_log_->reopen();  // no thread is free: then here, however long it takes
    reopened();
  }
}

}  // namespace baton::proxy
