// The server as the predecessor: it starts the successor, lends the conversation what only it can do, and either ends
// or goes on as if nothing had been.
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <iterator>
#include <unordered_set>

#include "handoff/insist.hpp"
#include "handoff/start.hpp"
#include "handoff/temporary.hpp"
#include "proxy/admin/upgrade_events.hpp"
#include "proxy/server/in_main.hpp"
#include "proxy/process/signals.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/server/server.hpp"
#include "proxy/server/timer.hpp"

namespace baton::proxy {

namespace asio = boost::asio;
namespace log = runtime::log;

namespace {

// The one line that says what an upgrade did.
std::string report_line(const handoff::Report& report) {
  const auto counts = [](const std::map<std::string, std::uint64_t>& numbers) {
    std::string text;
    for (const auto& [label, number] : numbers) text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", label, number);
    return text.empty() ? std::string("none") : text;
  };
  const auto known = [](const auto& number) { return number == 0 ? std::string("unknown") : std::to_string(number); };
  const admin::Moved moved = admin::moved_of(report);
  std::uint64_t refused = 0;
  for (const auto& [reason, number] : report.refused) refused += number;
  return fmt::format(
      "generation {} to {}, PID {} to {}, version {} to {}, {:.1f} ms; moved={} ({}), taken_back={}, "
      "refused={}{}{}, upstream_idle={}; "
      "pause p50={} us p99={} us max={} us",
      report.from.generation, known(report.to.generation), report.from.pid, known(report.to.pid), report.from.version,
      report.to.version.empty() ? "unknown" : report.to.version, static_cast<double>(report.duration_us) / 1000.0, moved.clients_total, counts(moved.clients),
      report.taken_back, refused, refused != 0 ? " (" + counts(report.refused) + ")" : "",
      report.left_behind != 0 ? fmt::format(", left_behind={}", report.left_behind) : "", moved.upstream_idle,
      report.pauses.p50_us, report.pauses.p99_us, report.pauses.max_us);
}

// The channel usually ends because the successor did; how, helps more than that it did. One that hangs does not answer
// this either. In the conversation's thread: nobody else waits.
void await_last_words(pid_t child) {
  constexpr int patience_ms = 100;
  siginfo_t dead{};
  for (int i = 0; i < patience_ms && child != 0; ++i) {
    // An error: it has been reaped.
    if (::waitid(P_PID, static_cast<id_t>(child), &dead, WEXITED | WNOHANG | WNOWAIT) != 0 || dead.si_pid == child)
      return;
    ::poll(nullptr, 0, 1);
  }
}

}  // namespace

std::optional<std::string> Server::begin_upgrade(const std::string& binary) {
  handoff::Program program{.arguments = options_.arguments, .configuration = {}, .descriptors = {}};
  // The path that a successor is started from is its own: it starts the next one from there.
  if (!binary.empty()) program.arguments[0] = binary;
  return hand_over_to(program);
}

std::optional<std::string> Server::begin_rollback() {
  if (auto why_not = why_no_handover()) return why_not;
  if (!previous_) return "nothing is known that ran before this process";
  const state::Program& before = previous_->program;
  const std::uint64_t unknown = unknown_to_previous();
  if (unknown != 0) {
    log::warning("rollback: {} connections cannot move to baton {}; they are served here to their end, at most {} s", unknown,
                 before.version, settings_->config.handoff.drain_timeout.count() / 1000);
  }
  tell(admin::rollback_event(before.version, unknown));
  return hand_over_to({.arguments = before.arguments,
                       .executable = previous_->executable.get(),
                       .configuration = before.configuration,
                       .descriptors = {}});
}

std::uint64_t Server::unknown_to_previous() {
  std::uint64_t unknown = 0;
  workers_->each([&](Worker& worker) { unknown += worker.count_unknown_to(previous_->program.features); });
  return unknown;
}

std::optional<std::string> Server::why_no_handover() const {
  if (role_.is_upgrading()) return "one is under way already; ask again when that has ended";
  if (role_.is_stopping()) return "this process is stopping";
  if (!role_.is_instance()) return "this process is not the instance";
  return std::nullopt;
}

std::optional<std::string> Server::hand_over_to(handoff::Program program) {
  if (auto why_not = why_no_handover()) return why_not;
  const auto begun = handoff::as_result([&] { return start_handover(std::move(program)); });
  if (!begun) upgrade_failed_to_start(begun.error().text);
  return std::nullopt;
}

handoff::Result<void> Server::start_handover(handoff::Program program) {
  if (auto ours = check_lock_path(); !ours) return ours;
  put_sockets_back();
  if (options_.supervisor) program.descriptors.push_back(options_.supervisor->door());
  auto started = handoff::start_successor(program);
  if (!started) return std::unexpected(started.error());
  taker_.clear();
  log::info("upgrade begins: started {} as PID {}", program.arguments[0], started->pid);
  tell(admin::started_event(started->pid, program.arguments[0]));
  handoff::Channel channel(std::move(started->channel));
  auto begun = converse(channel, started->pid);
  if (!begun) ::kill(started->pid, SIGKILL);  // it is reaped as every child is
  return begun;
}

handoff::Result<void> Server::converse(handoff::Channel& channel, pid_t child) {
  if (conversation_.joinable()) conversation_.join();
  if (role_.is_succeeding()) role_.end_succession();  // over, and its last word is about to come
  const auto lent = std::make_shared<handoff::Channel>(std::move(channel));
  const auto begun = handoff::as_result(
      [&]() -> handoff::Result<void> { return make_conversation(lent, child), handoff::Result<void>(); });
  if (!begun) {
    channel = std::move(*lent);
    donor_.reset();
    returns_.reset();
    return begun;
  }
  // Nothing fails from here on. What the conversation asks of this thread comes later.
  role_.upgrade();
  remembered_signals_ = {};
  successor_pid_ = child;
  successor_status_.reset();
  connections_to_move_.reset();
  reload_was_dropped_ = reload_ != nullptr;
  const auto dropped = handoff::as_result([this]() -> handoff::Result<void> {
    return drop_reload("an upgrade has begun, which reads the configuration anew"), handoff::Result<void>();
  });
  if (!dropped) log::error("reload: {}", dropped.error().text);
  (void)handoff::as_result([this]() -> handoff::Result<void> { return tell_progress(), handoff::Result<void>(); });
  return {};
}

// Throws when a thread, a descriptor or memory is wanting.
void Server::make_conversation(const std::shared_ptr<handoff::Channel>& channel, pid_t child) {
  const config::Handoff& handoff = settings_->config.handoff;
  donor_ = std::make_unique<WorkersDonor>(
      *workers_, handoff.finish_timeout,
      DonorDuties{.estate = [this] { return in_main([this] { return estate(); }); },
                  .stop_accepting = [this](const auto& taken) { in_main([&] { stop_accepting(taken); }); },
                  .on_probation = [this](const auto& conduct) { in_main([&] { note_conduct(conduct); }); },
                  .begin_moving = [this] { in_main([this] { begin_moving(); }); },
                  .accept_again = [this] { in_main([this] { accept(); }); },
                  .resign = [this] { return in_main([this] { return resign(); }); },
                  .reclaim =
                      [this, patience = handoff.step_timeout] {
                        // A successor that has died lets go of the lock a moment after it lets go of the channel.
                        return lock_.take_within(patience) && in_main([this] { return reclaim(); });
                      },
                  .left_behind = [this] { return left_behind(); }});
  returns_ = std::make_unique<WorkersAdopter>(
      AdopterDuties{.inherit = {},
                    .workers = [this]() -> Workers& { return *workers_; },
                    .accept = {},
                    .expect = [this](const auto& remaining) { shared_.expect(remaining); },
                    .take_over = {}});
  handoff::PredecessorTerms terms{
      .self = self(),
      .features = state::features(),
      .ready_timeout = handoff.ready_timeout,
      .step_timeout = handoff.step_timeout,
      .probation = handoff.probation,
      .return_timeout = handoff.finish_timeout + 2 * handoff.step_timeout,
  };
  // Everything that needs memory is made here: what that thread throws outside the conversation ends the process.
  conversation_ = std::thread([this, child, channel, terms = std::move(terms)] {
    auto talked = handoff::hand_over(std::move(*channel), *donor_, terms, returns_.get());
    if (talked.ending == handoff::Ending::rolled_back) await_last_words(child);
    // Shared, not copied: that thread must need no memory to hear of it.
    const auto outcome = handoff::insist([&] { return std::make_shared<handoff::HandoverOutcome>(std::move(talked)); });
    handoff::insist([&] { asio::post(context_, [this, child, outcome] { upgrade_ended(*outcome, child); }); });
  });
}

void Server::upgrade_failed_to_start(const std::string& why) {
  handoff::Report report;
  report.from = self();
  last_upgrade_ = admin::LastUpgrade{"rolled_back", why, std::move(report)};
  log::error("upgrade: failed: {}; this process goes on", why);
  tell_result(*last_upgrade_);
}

state::InstanceRecord Server::record() const {
  std::vector<std::string> lent = lent_addresses(sockets_);
  std::ranges::move(admin_.lent(), std::back_inserter(lent));
  return {
      .handoff_socket = paths_.handoff_socket.value_or(""),
      .pid_file = paths_.pid_file.value_or(""),
      .admin = admin_known_as_,
      .draining = draining_,
      .lent = std::move(lent),
      .arguments = options_.arguments,
      .previous = {},
      .lock_device = lock_.identity().device,
      .lock_inode = lock_.identity().inode,
  };
}

handoff::Estate Server::estate() {
  handoff::Estate estate;
  for (const BoundSocket& socket : sockets_) {
    estate.sockets.push_back({socket.listener, socket.address.text(), socket.socket.get()});
  }
  std::ranges::move(admin_.to_pass_on(admin_known_as_), std::back_inserter(estate.sockets));
  if (takers_.has_meeting_point()) estate.sockets.push_back({"@handoff", *paths_.handoff_socket, takers_.descriptor()});
  if (!paths_.lock) estate.sockets.push_back({"@lock", "", lock_.to_pass_on()});
  estate.application = state::encode(record());
  if (!settings_->tls.empty()) estate.secrets = settings_->ticket_keys->save(runtime::monotonic_ms());
  estate.configuration = options_.configuration_text;
  estate.executable = executable_.get();
  return estate;
}

void Server::stop_accepting(const std::vector<std::string>& taken) {
  tell(admin::ready_event());
  // What nobody goes on with is served here as long as live connections stay.
  not_taken_.clear();
  std::vector<ListeningSocket> ours;
  const std::unordered_set<std::string> goes_on(taken.begin(), taken.end());
  for (const auto& socket : sockets_) {
    if (goes_on.contains(socket.address.text())) continue;
    not_taken_.push_back(&socket);
    ours.push_back(as_workers_see_it(socket));
  }
  workers_->each([&](Worker& worker) { worker.accept_on(ours); });
  const config::Handoff& handoff = settings_->config.handoff;
  if (handoff.probation.count() == 0) return;
  probation_ends_ = std::chrono::steady_clock::now() + handoff.probation;
  log::info("upgrade: the successor is on probation for {} ms", handoff.probation.count());
}

void Server::note_conduct(const handoff::Conduct& conduct) {
  if (!probation_ends_) return;
  using std::chrono::milliseconds;
  const auto left = std::chrono::duration_cast<milliseconds>(*probation_ends_ - std::chrono::steady_clock::now());
  tell(admin::probation_event(static_cast<std::uint64_t>(std::max(left, milliseconds(0)).count()), conduct));
}

void Server::begin_moving() {
  probation_ends_.reset();
  connections_to_move_ = shared_.connections.load();
  tell_progress();
  workers_->each([](Worker& worker) { worker.stop_accepting(); });
  // The queues are emptied here, and again at the end, when the sockets close with us.
  for (const BoundSocket* socket : not_taken_) empty_queue(*socket);
}

std::string Server::resign() {
  const Counters counters = workers_->counters();
  const std::string record = state::encode(state::InstanceRecord{
      .accepted_total = inherited_accepted_ + counters.accepted,
      .requests_total = inherited_requests_ + counters.requests,
      .signals = remembered_signals_.all(),
      .draining = draining_,
  });
  remembered_signals_.note_sent();
  manager_.rest();
  admin_.pause();
  takers_.pause();
  role_.resign();
  lock_.release();
  return record;
}

handoff::LeftBehind Server::left_behind() const {
  return {.connections = shared_.connections, .at_most = settings_->config.handoff.drain_timeout};
}

// The lock is ours already.
bool Server::reclaim() {
  role_.reclaim();
  announce();
  tell_that_we_serve();  // the successor may have named itself already
  admin_.resume();
  takers_.resume();
  if (paths_.pid_file) {
    // The successor may have named itself already.
    if (auto file = handoff::PidFile::prepare(*paths_.pid_file, lasting_pid())) {
      pid_file_ = std::move(*file);
      (void)pid_file_.publish();
    }
  }
  return true;
}

std::string Server::explain_failure(const handoff::HandoverOutcome& outcome) {
  reap();
  if (!successor_status_) return outcome.reason;
  const char* joint = outcome.reason.find('\n') == std::string::npos ? "; the successor " : "\nthe successor ";
  return outcome.reason + joint + handoff::describe_exit(*successor_status_);
}

// What cannot be told for want of memory is not: what stays is served to its end, and then this process ends.
void Server::upgrade_ended(const handoff::HandoverOutcome& outcome, pid_t child) {
  donor_.reset();
  returns_.reset();
  probation_ends_.reset();
  if (outcome.ending != handoff::Ending::rolled_back) {
    const bool is_told_to_stop = role_.is_told_to_stop();
    role_.upgrade_done();
    handoff::insist([&] {
      const std::string reason = outcome.reason.empty() ? admin::what_stayed(outcome.report) : outcome.reason;
      const bool is_broken = outcome.ending == handoff::Ending::superseded;
      if (is_broken) {
        log::error("upgrade: the successor is the instance although the conversation broke ({}); {}", outcome.reason,
                   report_line(outcome.report));
      } else {
        log::info("upgrade: {}", report_line(outcome.report));
      }
      tell_result({"completed", reason, outcome.report});
    });
    retire(outcome.report, child);
    if (is_told_to_stop) stop_within_limit("told to during the upgrade");
    return;
  }

  role_.upgrade_failed();
  handoff::insist([&] { note_failure(outcome); });
  // A child that owns nothing is of no use to anybody. One that may own connections serves them to their end and ends by
  // itself; if it hangs, it is killed when that end must have come. A taker is not ours to kill.
  if (child != 0 && successor_pid_ == child && !outcome.successor_serves) {
    ::kill(child, SIGKILL);
  } else if (child != 0 && successor_pid_ == child) {
    const config::Handoff& handoff = settings_->config.handoff;
    const Leftover leftover{child, std::chrono::steady_clock::now() + handoff.drain_timeout + handoff.step_timeout * 2};
    handoff::insist([&] { leftovers_.push_back(leftover); });
    watch_leftovers();
  }
  const pid_t named = child != 0 ? child : static_cast<pid_t>(outcome.report.to.pid);     // as it calls itself
  if (paths_.pid_file && named != 0) {
    handoff::insist([&] { handoff::discard_temporaries_beside(*paths_.pid_file, named); });
  }
  tell_result(*last_upgrade_);
  if (supervisor_gone_) return supervisor_gone();
  remembered_signals_.forget(SIGUSR1);      // obeyed when it came
  if (std::exchange(reload_was_dropped_, false)) remembered_signals_.remember(SIGHUP);
  obey_remembered_signals();
}

void Server::note_failure(const handoff::HandoverOutcome& outcome) {
  const std::string why = explain_failure(outcome);
  last_upgrade_ = admin::LastUpgrade{"rolled_back", why, outcome.report};
  log::error("upgrade: failed: {}; this process goes on; {}", why, report_line(outcome.report));
}

// The successor is the instance.
void Server::retire(const handoff::Report& report, pid_t child) {
  if (child != 0) {
    const pid_t instance = report.to.pid > 0 ? static_cast<pid_t>(report.to.pid) : child;   // the child may be a wrapper
    manager_.succeeded_by(instance);
    if (options_.supervisor) {
      handoff::insist([&] { options_.supervisor->succeeded_by(instance, false); });
      if (!supervisor_gone_) heir_ = instance;
    }
    // Signals that came too late to go with Done.
    for (const int signal : remembered_signals_.not_sent()) process::pass_on(signal, instance);
  } else {
    // It belongs to another service, and its PID means nothing to our service manager. What was asked of us too late
    // ends with us.
    log::info("taken over by {}", taker_);
    handoff::insist([this] { manager_.stopping("taken over by " + taker_); });
    if (options_.supervisor) {
      handoff::insist([&] { options_.supervisor->succeeded_by(static_cast<pid_t>(report.to.pid), true); });
    }
  }
  const std::uint64_t left = shared_.connections.load();
  for (const BoundSocket* socket : not_taken_) {
    empty_queue(*socket);
    unlink_path(*socket);
  }
  drain_what_stays();
  if (left != 0) {
    log::warning("{} connections could not be moved and are served here to their end, at most {} s", left,
                 settings_->config.handoff.drain_timeout.count() / 1000);
  }
}

void Server::watch_leftovers() {
  call_after(leftovers_timer_, std::chrono::milliseconds(200), [this] {
    reap();
    for (const Leftover& leftover : leftovers_) {
      if (std::chrono::steady_clock::now() >= leftover.deadline) ::kill(leftover.pid, SIGKILL);
    }
    if (!leftovers_.empty()) watch_leftovers();
  });
}

}  // namespace baton::proxy
