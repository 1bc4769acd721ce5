// The server as the successor: what it inherits, when it becomes the instance, and what it does when the predecessor
// is suddenly gone, or is not.
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <unordered_set>

#include "handoff/executable.hpp"
#include "handoff/insist.hpp"
#include "proxy/server/adopter.hpp"
#include "proxy/server/in_main.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/server/server.hpp"

namespace baton::proxy {

namespace asio = boost::asio;
namespace log = runtime::log;

namespace {

// On probation: as many failures are enough to judge before the time is over.
constexpr std::uint64_t failures_enough = 3;

std::unexpected<handoff::Error> refuse(std::string text) {
  return handoff::fail(handoff::Fault::refused, std::move(text));
}

std::string in_words(const std::vector<config::Address>& addresses) {
  std::string text;
  for (const config::Address& address : addresses) text += (text.empty() ? "" : ", ") + address.text();
  return text;
}

// The running instance's paths cannot change under it: everybody who knows them would look in the wrong place. Of several
// admin addresses that is the one it is known by, if it is a path.
std::optional<std::string> changed_path(const state::InstanceRecord& theirs, const process::Paths& ours) {
  const auto differs = [](const char* key, const std::string& running, const std::string& wanted) {
    return running == wanted ? std::optional<std::string>()
                             : fmt::format("an upgrade cannot change {} (the running instance has '{}', the "
                                           "configuration says '{}'); stop and start to change it",
                                           key, running, wanted);
  };
  if (auto text = differs("handoff.socket", theirs.handoff_socket, ours.handoff_socket.value_or(""))) return text;
  if (auto text = differs("pid_file", theirs.pid_file, ours.pid_file.value_or(""))) return text;
  const bool is_kept = !theirs.admin.starts_with("unix:") || admin_known_as(ours.admin, theirs.admin) == theirs.admin;
  return differs("admin.bind", theirs.admin, is_kept ? theirs.admin : in_words(ours.admin));
}

// In another mount namespace the same path may be another file: with two locks there would be two instances.
std::optional<std::string> other_lock(const state::InstanceRecord& theirs, const handoff::InstanceLock& ours,
                                      const std::string& path) {
  if (theirs.lock_inode == 0 || ours.identity() == handoff::FileIdentity{theirs.lock_device, theirs.lock_inode}) {
    return std::nullopt;
  }
  return path + " is another file here than for the running instance; the two processes must share the folder of "
                "handoff.socket, under the same path";
}

// The sender itself; but what replaces a crashed process goes back to what ran before that one.
std::optional<Previous> what_ran_before(const state::InstanceRecord& record, handoff::Inheritance& inheritance,
                                        const LaunchOptions& ours) {
  if (record.after_crash) {
    const auto found = std::ranges::find(inheritance.sockets, "@previous", &handoff::InheritedSocket::name);
    if (!record.previous || found == inheritance.sockets.end()) return std::nullopt;
    return Previous{*record.previous, std::move(found->descriptor)};
  }
  if (!inheritance.executable) return std::nullopt;
  return Previous{.program = {.arguments = record.arguments.empty() ? ours.arguments : record.arguments,
                              .configuration = std::move(inheritance.configuration),
                              .version = inheritance.version,
                              .features = inheritance.features},
                  .executable = handoff::keep_executable(std::move(inheritance.executable))};
}

}  // namespace

int Server::run_as_successor(handoff::UniqueFd& channel, bool speaks_first) {
  watch();
  role_.succeed();
  is_taker_ = speaks_first;
  call_off_wake_ = handoff::UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!call_off_wake_) throw std::system_error(errno, std::generic_category(), "eventfd");
  const auto peer = handoff::peer_of(channel.get());
  predecessor_is_trusted_ = peer && handoff::is_trusted(*peer);
  const auto lock_patience = settings_->config.handoff.step_timeout;
  // Whoever could not start the thread has the channel yet, to say so.
  conversation_ = std::thread([this, speaks_first, lock_patience, given = channel.get()] {
    handoff::UniqueFd ours(given);
    WorkersAdopter adopter(AdopterDuties{
        .inherit =
            [this](handoff::Inheritance inheritance) {
              return in_main([&] { return inherit(std::move(inheritance)); });
            },
        .workers = [this]() -> Workers& { return *workers_; },
        .accept = [this] { in_main([this] { accept(); }); },
        .expect = [this](const auto& remaining) { shared_.expect(remaining); },
        .take_over = [this, lock_patience](const std::string& application,
                                           const handoff::Report& report) -> handoff::Result<void> {
          if (!lock_.take_within(lock_patience)) {
            return handoff::fail(handoff::Fault::timed_out, "the predecessor holds the instance lock");
          }
          return handoff::insist([&] { return in_main([&] { return take_over(application, report); }); });
        },
    });
    const handoff::Probation probation{.donor = [this]() -> handoff::Donor& { return returning_donor(); },
                                       .conduct = [this](bool at_end) { return conduct(at_end); },
                                       .called_off = [this]() -> std::optional<std::string> {
                                         const char* why = call_off_succession_;
                                         return why != nullptr ? std::optional<std::string>(why) : std::nullopt;
                                       },
                                       .wake_descriptor = call_off_wake_.get()};
    auto talked = handoff::succeed(std::move(ours), adopter,
                                   {.version = options_.version,
                                    .features = state::features(),
                                    .speaks_first = speaks_first,
                                    .step_timeout = settings_->config.handoff.step_timeout},
                                   &probation);
    if (talked.ending == handoff::Succession::orphaned && !lock_.held()) {
      // Whoever gets the lock is the instance; meanwhile nothing is accepted.
      handoff::insist([this] { in_main([this] { accept_no_more(); }); });
      lock_.take_within(lock_patience);
    }
    // Shared, not copied: that thread must need no memory to hear of it.
    const auto outcome =
        handoff::insist([&] { return std::make_shared<handoff::SuccessionOutcome>(std::move(talked)); });
    handoff::insist([&] { asio::post(context_, [this, outcome] { succession_ended(*outcome); }); });
  });
  (void)channel.release();
  return loop();
}

handoff::Result<std::vector<std::string>> Server::inherit(handoff::Inheritance inheritance) {
  const auto record = state::decode_instance_record(inheritance.application);
  if (!record) return refuse("what the predecessor says of itself cannot be read");
  if (auto text = changed_path(*record, paths_)) return refuse(std::move(*text));

  handoff::UniqueFd lock;
  for (auto& socket : inheritance.sockets) {
    if (socket.name == "@lock") lock = std::move(socket.descriptor);
    if (socket.name == "@handoff" && paths_.handoff_socket) {
      takers_.meet_at(handoff::MeetingPoint::inherited(std::move(socket.descriptor), *paths_.handoff_socket));
    }
  }
  auto opened = paths_.lock ? handoff::InstanceLock::on_file(*paths_.lock)
                            : lock ? handoff::InstanceLock::reopened(std::move(lock)) : handoff::InstanceLock::on_memory();
  if (!opened) return std::unexpected(opened.error());
  lock_ = std::move(*opened);
  if (paths_.lock) {
    if (auto text = other_lock(*record, lock_, *paths_.lock)) return refuse(std::move(*text));
  }
  // Nobody holds it for us: if it is taken, somebody else is the instance, and nothing here may be accepted.
  if (record->after_crash && !lock_.take_within(settings_->config.handoff.step_timeout)) {
    return refuse("another process holds the instance lock");
  }
  if (paths_.pid_file) {
    auto file = handoff::PidFile::prepare(*paths_.pid_file, lasting_pid());
    if (!file) return std::unexpected(file.error());
    pid_file_ = std::move(*file);
  }
  draining_ = record->draining;
  after_crash_ = record->after_crash;
  inherited_accepted_ = record->accepted_total;
  inherited_requests_ = record->requests_total;
  // Root that takes over from another user never runs that user's program.
  if (predecessor_is_trusted_) previous_ = what_ran_before(*record, inheritance, options_);
  // A predecessor that knows no TLS has none.
  settings_->ticket_keys->restore(inheritance.secrets.view(), runtime::monotonic_ms());
  try {
    admin_known_as_ = admin_known_as(paths_.admin, record->admin);
    std::vector<std::string> lent = record->lent;
    admin_.claim(options_.admin, inheritance.sockets, lent);
    for (const auto& socket : options_.passed.sockets) lent.push_back(socket.address);
    admin_.claim(options_.admin, options_.passed.sockets, lent);
    // A taker's own service manager may have passed some as well.
    sockets_ =
        bind_or_take(options_.listeners, std::move(options_.passed), std::move(inheritance.sockets), record->lent);
    start_workers(inheritance.generation + 1);
    admin_.open(options_.admin);
    admin_.pause();
  } catch (const std::exception& error) {
    return refuse(error.what());
  }
  std::vector<std::string> addresses;
  for (const BoundSocket& socket : sockets_) {
    if (!socket.bound_here) addresses.push_back(socket.address.text());
  }
  return addresses;
}

// The lock is ours already: there is no way back.
void Server::become_instance() {
  role_.become_instance();
  handoff::insist([this] {
    if (auto opened = open_meeting_point(); !opened)
      log::error("takeover: nobody can take over: {}", opened.error().text);
  });
  announce();
  handoff::insist([this] {
    if (auto published = pid_file_.publish(); !published) log::error("{}", published.error().text);
  });
  admin_.become_instance();
}

handoff::Result<void> Server::take_over(const std::string& application, const handoff::Report& report) {
  auto record = state::decode_instance_record(application);
  if (record) remembered_signals_.reserve(record->signals.size());
  std::optional<admin::LastUpgrade> upgrade;
  if (!after_crash_) upgrade = admin::LastUpgrade{"completed", admin::what_stayed(report), report};
  // All that may fail has been done; whoever calls this begins it again until it has.
  // Who replaces a crashed process has heard all that is known with what it inherited.
  if (record && !after_crash_) {
    inherited_accepted_ = record->accepted_total;
    inherited_requests_ = record->requests_total;
    draining_ = record->draining;            // somebody may have changed it since it was inherited
  }
  if (upgrade) last_upgrade_ = std::move(upgrade);
  become_instance();
  // The predecessor will say it too; but it may die before it has, and then nobody else would.
  tell_that_we_serve();
  if (after_crash_) {
    log::info("serving: baton {}, generation {}, PID {}, in the place of a process that crashed", options_.version,
              shared_.generation, ::getpid());
  } else {
    log::info("serving: baton {}, generation {}, PID {}, {} connections adopted", options_.version, shared_.generation,
              ::getpid(), admin::moved_of(report).clients_total);
    if (report.left_behind != 0) log::warning("upgrade: {}", last_upgrade_->reason);
  }
  if (record) remembered_signals_.append(record->signals);
  return {};
}

void Server::accept_no_more() {
  handoff::insist([this] { workers_->each([](Worker& worker) { worker.stop_accepting(); }); });
}

void Server::tell_that_we_serve() {
  handoff::insist([this] { manager_.serving(*workers_, serving_status(), ::getpid()); });
}

void Server::call_off_succession(const char* why) {
  call_off_succession_ = why;
  [[maybe_unused]] const auto woken = ::eventfd_write(call_off_wake_.get(), 1);
}

void Server::succession_ended(const handoff::SuccessionOutcome& outcome) {
  if (supervisor_gone_) remembered_signals_.remember(SIGTERM);
  if (outcome.ending == handoff::Succession::completed) {
    if (role_.is_succeeding()) role_.end_succession();
    return obey_remembered_signals();
  }
  const auto unlink_what_we_bound = [this] {
    admin_.unlink_bound_here();
    for (const BoundSocket& socket : sockets_) {
      if (socket.bound_here) unlink_path(socket);
    }
  };
  if (outcome.ending == handoff::Succession::failed) {
    role_.end_succession();
    unlink_what_we_bound();
    log::error("cannot succeed: {}", outcome.reason);
    return exit_with(call_off_succession_ != nullptr ? 0 : 1);
  }
  accept_no_more();
  if (outcome.ending == handoff::Succession::orphaned && !role_.is_instance() && lock_.held()) {
    become_instance();
    log::warning("the predecessor is gone ({}); this process is the instance now, generation {}", outcome.reason,
                 shared_.generation);
  }
  role_.end_succession();
  if (role_.is_instance()) {
    accept();
    tell_that_we_serve();
    return obey_remembered_signals();
  }
  unlink_what_we_bound();
  if (options_.supervisor) handoff::insist([this] { options_.supervisor->leave(); });
  const std::uint64_t here = shared_.connections;
  exit_code_ = call_off_succession_ != nullptr ? 0 : 1;      // to stop was what it was told
  drain_what_stays();
  log::error("the predecessor {} ({}); {} connections are served here to their end",
             outcome.ending == handoff::Succession::returned ? "has everything back" : "took the service back", outcome.reason,
             here);
}

// ── On probation ──────────────────────────────────────────────────────────────────────────────────────────────────

// Called in the conversation's thread. That every worker answers is part of the answer: one that hangs keeps us silent,
// and silence fails.
handoff::Conduct Server::conduct(bool at_end) {
  const Counters counters = workers_->counters();
  handoff::Conduct conduct{.accepted = counters.accepted,
                           .served = counters.requests + counters.tunnels + counters.tunnels_unreached,
                           .failed = counters.failures + counters.tunnels_unreached,
                           .failing = {}};
  // A few may fail whoever serves them; more than half, and the fault is ours or our configuration's.
  const bool enough_seen = at_end || conduct.failed >= failures_enough;
  if (enough_seen && 2 * conduct.failed > conduct.served) {
    conduct.failing = fmt::format("{} of {} exchanges failed (5xx, or no server was reached)", conduct.failed, conduct.served);
  }
  return conduct;
}

handoff::Donor& Server::returning_donor() {
  donor_ = std::make_unique<WorkersDonor>(
      *workers_, settings_->config.handoff.finish_timeout,
      DonorDuties{.estate = {},
                  .stop_accepting = [this](const auto& shared) { in_main([&] { stop_accepting_for_return(shared); }); },
                  .on_probation = {},
                  .begin_moving = [] {},
                  .accept_again = [] {},      // whether we do is decided when the conversation is over
                  .resign = {},
                  .reclaim = {},
                  .left_behind = {}});
  return *donor_;
}

void Server::stop_accepting_for_return(const std::vector<std::string>& shared) {
  accept_no_more();
  Worker& worker = workers_->at(0);
  const std::unordered_set<std::string> goes_on(shared.begin(), shared.end());
  for (const BoundSocket& socket : sockets_) {
    if (goes_on.contains(socket.address.text())) continue;
    worker.loop().call([&] { worker.empty_queue(as_workers_see_it(socket)); });
  }
}

}  // namespace baton::proxy
