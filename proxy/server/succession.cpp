#include "proxy/server/succession.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <unordered_set>
#include <utility>

#include "handoff/executable.hpp"
#include "handoff/insist.hpp"
#include "handoff/meeting_point.hpp"
#include "handoff/result.hpp"
#include "proxy/admin/upgrade_events.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/server/upgrade_counts.hpp"
#include "proxy/state/codec.hpp"

namespace baton::proxy {

namespace log = runtime::log;

namespace {

// On probation, this many failures are enough to judge before the time is over.
constexpr std::uint64_t failures_enough = 3;

std::unexpected<handoff::Error> cannot_succeed(std::string text) {
  return handoff::fail(handoff::Fault::refused, std::move(text));
}

// The sender itself; but a process that replaces a crashed one rolls back to what ran before the crashed one.
std::optional<Previous> what_ran_before(const state::InstanceRecord& record, handoff::Inheritance& inheritance,
                                        const std::vector<std::string>& our_arguments) {
  if (record.after_crash) {
    const auto found = std::ranges::find(inheritance.sockets, "@previous", &handoff::InheritedSocket::name);
    if (!record.previous || found == inheritance.sockets.end()) return std::nullopt;
    return Previous{*record.previous, std::move(found->descriptor)};
  }
  if (!inheritance.executable) return std::nullopt;
  return Previous{.program = {.arguments = record.arguments.empty() ? our_arguments : record.arguments,
                              .configuration = std::move(inheritance.configuration),
                              .version = inheritance.version,
                              .features = inheritance.features},
                  .executable = handoff::keep_executable(std::move(inheritance.executable))};
}

// As this side knows it: the predecessor says when it began and how far it had come, unless it is of an older version.
admin::LastUpgrade completed_upgrade(const std::optional<state::InstanceRecord>& record,
                                     const handoff::Report& report) {
  const std::uint64_t duration_ms = report.duration_us / 1000;
  admin::LastUpgrade upgrade{.result = "completed",
                             .reason = admin::what_stayed(report),
                             .report = report,
                             .at_ms = runtime::unix_us() / 1000 - static_cast<std::int64_t>(duration_ms),
                             .steps = {{"started", 0}}};
  if (record && record->upgrade) {
    upgrade.at_ms = record->upgrade->at_ms;
    upgrade.steps = record->upgrade->steps;
    upgrade.canary = record->upgrade->canary;
  }
  const std::uint64_t last_ms = upgrade.steps.empty() ? 0 : upgrade.steps.back().ms;
  upgrade.steps.push_back({"done", std::max(last_ms, duration_ms)});
  return upgrade;
}

}  // namespace

Succession::Succession(Parts parts, bool is_external)
    : parts_(parts),
      is_external_(is_external),
      limits_(parts.data_path.handoff()),
      cancel_wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!cancel_wake_) throw std::system_error(errno, std::generic_category(), "eventfd");
}

void Succession::begin(handoff::UniqueFd& channel, Ended ended) {
  const auto peer = handoff::peer_of(channel.get());
  predecessor_is_trusted_ = peer && handoff::is_trusted(*peer);
  handoff::SuccessorTerms terms{.version = parts_.generation.version,
                                .features = state::features(),
                                .speaks_first = is_external_,
                                .step_timeout = limits_.step_timeout};
  // If the thread cannot be started, the caller still has the channel to report that.
  conversation_.emplace(
      [this, given = channel.get(), terms = std::move(terms)] { return talk(handoff::UniqueFd(given), terms); },
      [&main = parts_.main](auto task) { main.post(std::move(task)); }, std::move(ended));
  (void)channel.release();
}

void Succession::cancel(const char* why) {
  cancelled_because_ = why;
  [[maybe_unused]] const auto woken = ::eventfd_write(cancel_wake_.get(), 1);
}

// ── In the conversation's thread ──────────────────────────────────────────────────────────────────────────────────

handoff::SuccessionOutcome Succession::talk(handoff::UniqueFd channel, const handoff::SuccessorTerms& terms) {
  WorkersAdopter adopter(adopter_duties());
  const handoff::Probation probation{.donor = [this]() -> handoff::Donor& { return returning_donor(); },
                                     .conduct = [this](bool at_end) { return conduct(at_end); },
                                     .called_off = [this]() -> std::optional<std::string> {
                                       const char* why = cancelled_because_;
                                       return why != nullptr ? std::optional<std::string>(why) : std::nullopt;
                                     },
                                     .wake_descriptor = cancel_wake_.get()};
  auto outcome = handoff::succeed(std::move(channel), adopter, terms, &probation);
  if (outcome.ending == handoff::Succession::orphaned && !parts_.instance.has_lock()) {
    // The process that gets the lock is the instance; until then we accept nothing.
    handoff::insist([this] { parts_.main.run([this] { parts_.data_path.stop_accepting(); }); });
    if (parts_.instance.take_lock_within(limits_.step_timeout)) publish_pid();
  }
  return outcome;
}

// Not in the main thread: a file system may be slow. After the lock is taken: only its holder may be named.
void Succession::publish_pid() {
  handoff::insist([this] {
    if (auto published = parts_.instance.publish_pid(); !published) log::error("{}", published.error().text);
  });
}

AdopterDuties Succession::adopter_duties() {
  const MainThread& main = parts_.main;
  DataPath& data_path = parts_.data_path;
  const InMain<void(const std::string&, const handoff::Report&)> take_over_in_main(
      main, [this](const auto& application, const auto& report) { take_over(application, report); });
  return {
      .inherit = {main, [this](handoff::Inheritance inheritance) { return inherit(std::move(inheritance)); }},
      .converses = parts_.supervision.for_conversation(keeper::Partner::predecessor),
      .workers = [&data_path]() -> Workers& { return data_path.workers(); },
      .accept = {main, [this] { accept(); }},
      .accept_on_own = {main, [this] { accept_on_own(); }},
      .expect = [&shared = data_path.shared()](const auto& remaining) { shared.expect(remaining); },
      .take_over = [this, take_over_in_main](const std::string& application,
                                             const handoff::Report& report) -> handoff::Result<void> {
        if (!parts_.instance.take_lock_within(limits_.step_timeout)) {
          return handoff::fail(handoff::Fault::timed_out, "the predecessor holds the instance lock");
        }
        handoff::insist([&] { take_over_in_main(application, report); });
        publish_pid();
        return {};
      },
  };
}

// The answer depends on every worker: one that hangs keeps us silent, and silence fails the probation.
handoff::Conduct Succession::conduct(bool at_end) {
  const Counters counters = parts_.data_path.workers().counters();
  handoff::Conduct conduct{.accepted = counters.accepted,
                           .served = counters.requests + counters.tunnels + counters.tunnels_unreached,
                           .failed = counters.failures + counters.tunnels_unreached,
                           .failing = {}};
  if (const auto experiment = experiment_) {
    const Shared& shared = parts_.data_path.shared();
    conduct.application = state::encode(experiment->tally.counts());
    conduct.held = {.connections = shared.connections, .descriptors = shared.sockets};
    return conduct;  // the predecessor judges
  }
  // A few exchanges may fail whichever process serves them; if more than half do, the fault is ours or our
  // configuration's.
  const bool enough_seen = at_end || conduct.failed >= failures_enough;
  if (enough_seen && 2 * conduct.failed > conduct.served) {
    conduct.failing =
        fmt::format("{} of {} exchanges failed (5xx, or no server was reached)", conduct.failed, conduct.served);
  }
  return conduct;
}

handoff::Donor& Succession::returning_donor() {
  donor_ = std::make_unique<WorkersDonor>(parts_.data_path.workers(), limits_.finish_timeout, donor_duties());
  return *donor_;
}

// Whether we accept again is decided after the conversation ends.
DonorDuties Succession::donor_duties() {
  return {.stop_accepting = {parts_.main, [this](const auto& shared) { stop_accepting_for_return(shared); }},
          .begin_moving = {},
          .accept_again = {},
          .estate = {},
          .converses = {},
          .on_probation = {},
          .resign = {},
          .take_lock = {},
          .reclaim = {},
          .left_behind = {},
          .counted = {parts_.main, [this] { return parts_.self.totals({}, std::nullopt); }}};
}

// ── In the main thread ────────────────────────────────────────────────────────────────────────────────────────────

handoff::Result<std::vector<std::string>> Succession::inherit(handoff::Inheritance inheritance) {
  const auto record = state::decode_instance_record(inheritance.application);
  if (!record) return cannot_succeed("the predecessor's application record cannot be read");
  Generation& generation = parts_.generation;
  DataPath& data_path = parts_.data_path;
  Instance& instance = parts_.instance;
  if (auto inherited = instance.inherit(*record, inheritance, limits_.step_timeout); !inherited) {
    return std::unexpected(inherited.error());
  }
  const auto theirs = config::provenance_of(inheritance.configuration);
  if (theirs && theirs->is_applied && !record->after_crash && !generation.provenance.is_applied) {
    log::warning(
        "the running instance's configuration was applied to its admin interface; this process has the file's");
  }
  parts_.supervision.note_prepared();
  generation.is_draining = record->draining;
  data_path.set_maintenance(record->maintenance);
  generation.replaces_crashed = record->after_crash;
  generation.crashes = record->crashes;
  generation.upgrades = record->upgrades;
  if (!generation.upgrades.all().empty()) generation.last_upgrade = generation.upgrades.all().front();
  generation.history = record->history;
  instance.inherit_events(inheritance.sockets);
  inherit_counts(*record, inheritance);
  generation.foreign.count_before(*record);
  // A successor that runs as root never runs the program of another user that it took over from.
  if (predecessor_is_trusted_) generation.previous = what_ran_before(*record, inheritance, generation.arguments);
  // A predecessor that knows no TLS has none.
  data_path.settings()->ticket_keys->restore(inheritance.secrets.view(), runtime::monotonic_ms());
  if (runtime::HashKey key; record->hash_key.size() == key.bytes.size()) {
    std::ranges::copy(record->hash_key, key.bytes.begin());
    data_path.settings()->servers->set_key(key);
  }
  try {
    data_path.complete_names(record->names);
    data_path.remember_listeners(record->trust);
    data_path.learn(*record);
    instance.take_sockets(*record, std::move(inheritance.sockets));
    data_path.start(inheritance.generation + 1);
    if (record->canary) {
      experiment_ = std::make_shared<canary::Experiment>(*record->canary);
      parts_.role.begin_canary();
      is_canary_ = true;
      canary_share_ = record->canary->share;
      data_path.workers().each([this](Worker& worker) { worker.count_in(experiment_); });
    }
    data_path.settings()->servers->loads().join_predecessor();
    instance.open_admin();
    instance.pause_admin();
  } catch (const std::exception& error) {
    return cannot_succeed(handoff::describe(error));
  }
  std::vector<std::string> addresses;
  for (const BoundSocket& socket : instance.sockets()) {
    if (!socket.bound_here) addresses.push_back(socket.address.text());
  }
  return addresses;
}

// A canary leaves the predecessor's sockets to it.
void Succession::accept_on_own() {
  std::vector<const BoundSocket*> own;
  for (const BoundSocket& socket : parts_.instance.sockets()) {
    if (socket.bound_here) own.push_back(&socket);
  }
  handoff::insist([&] { parts_.data_path.accept_only_on(own); });
}

void Succession::accept() {
  end_canary();
  parts_.data_path.accept_on(parts_.instance.sockets());
}

// It is promoted, or has outlived its predecessor.
void Succession::end_canary() {
  if (!std::exchange(is_canary_, false)) return;
  parts_.role.end_canary();
  handoff::insist([this] { parts_.data_path.workers().each([](Worker& worker) { worker.count_in(nullptr); }); });
}

std::optional<state::CanaryRecord> Succession::undecided_canary() const {
  if (!experiment_) return std::nullopt;
  log::warning("upgrade: the predecessor died while this process was its canary: it serves all clients now, unproven");
  return state::CanaryRecord{.share = canary_share_,
                             .verdict = "wait",
                             .decided_by = "failure",
                             .text = "the predecessor died; what it had decided, if anything, is not known",
                             .canary = experiment_->tally.counts(),
                             .others = {}};
}

// A predecessor that counts nothing, or in another layout, has nothing for us: we count from zero.
void Succession::inherit_counts(const state::InstanceRecord& record, handoff::Inheritance& inheritance) {
  rates::Counts& counts = *parts_.data_path.settings()->counts;
  upstream::Loads& loads = parts_.data_path.settings()->servers->loads();
  const std::int64_t clock_us = record.rates_clock_us - inheritance.clock_offset_us;
  for (handoff::InheritedSocket& socket : inheritance.sockets) {
    const bool is_refused =
        (socket.name == "@rates" && !counts.requests.adopt(std::move(socket.descriptor), clock_us)) ||
        (socket.name == "@connections" && !counts.connections.watch(std::move(socket.descriptor))) ||
        (socket.name == "@metrics" && !metrics::ledger().adopt(std::move(socket.descriptor))) ||
        (socket.name == "@in_flight" && !loads.adopt(std::move(socket.descriptor)));
    if (is_refused) log::warning("upgrade: {} of the predecessor cannot be read; it is counted anew", socket.name);
  }
}

void Succession::become_instance() {
  if (parts_.generation.replaces_crashed && !is_crash_noted_) note_crash({});
  end_canary();
  parts_.role.become_instance();
  parts_.data_path.settings()->counts->connections.forget_predecessor();
  parts_.data_path.settings()->servers->loads().be_alone();
  handoff::insist([this] {
    if (auto opened = parts_.instance.open_meeting_point(); !opened)
      log::error("takeover: no process can take over: {}", opened.error().text);
  });
  parts_.supervision.announce();
  parts_.instance.resume_inherited();
  (void)handoff::as_result([this]() -> handoff::Result<void> {
    if (const auto& last = parts_.generation.last_upgrade) {
      parts_.instance.events().tell_upgrade(admin::result_event(*last));
    }
    return {};
  });
}

void Succession::note_orphaned(const std::string& reason) {
  if (parts_.generation.replaces_crashed || std::exchange(is_counted_, true)) return;
  handoff::Report report;
  report.to = parts_.self.side();
  count_completed(report);
  (void)handoff::as_result([&]() -> handoff::Result<void> {
    admin::LastUpgrade upgrade{.result = "completed", .reason = reason, .report = report};
    upgrade.canary = undecided_canary();
    if (upgrade.canary) count_canary(*upgrade.canary);
    parts_.generation.note_upgrade(std::move(upgrade));
    return {};
  });
}

void Succession::take_over(const std::string& application, const handoff::Report& report) {
  Generation& generation = parts_.generation;
  const auto record = state::decode_instance_record(application);
  if (record) signals_.reserve(record->signals.size());
  const bool has_crashed = record && record->after_crash;  // the predecessor, in this upgrade or before it
  std::optional<admin::LastUpgrade> upgrade;
  if (!generation.replaces_crashed) {
    upgrade = completed_upgrade(record, report);
    upgrade->report.to = parts_.self.side();  // a keeper does not know us
    if (has_crashed && !upgrade->canary) upgrade->canary = undecided_canary();
  }
  // Everything that may fail is done by now; the caller repeats this function until it succeeds. A process that
  // replaces a crashed one got all that is known with its inheritance.
  if (record && !generation.replaces_crashed) {
    generation.is_draining = record->draining;  // both may have changed since they were inherited
    parts_.data_path.set_maintenance(record->maintenance);
  }
  // After a crash they are older than what was inherited.
  if (record && !generation.replaces_crashed && !has_crashed) {
    generation.foreign.count_before(*record);
    generation.upgrades = record->upgrades;
    generation.history = record->history;
    parts_.data_path.learn(*record);
  }
  if (upgrade) {
    if (!std::exchange(is_counted_, true)) {
      count_completed(upgrade->report);
      if (upgrade->canary) count_canary(*upgrade->canary);
    }
    generation.note_upgrade(*std::move(upgrade));
  }
  if (generation.replaces_crashed || has_crashed) note_crash(record);
  become_instance();
  // The predecessor reports it too, but it may die first, and then no other process would.
  tell_that_we_serve();
  if (generation.replaces_crashed || has_crashed) {
    log::info("serving: baton {}, generation {}, PID {}, in place of a crashed process, {} connections from its keeper",
              generation.version, parts_.data_path.generation(), ::getpid(), generation.crashes.last.whole);
  } else {
    log::info("serving: baton {}, generation {}, PID {}, {} connections adopted", generation.version,
              parts_.data_path.generation(), ::getpid(), admin::moved_of(report).clients_total);
    if (report.left_behind != 0) log::warning("upgrade: {}", generation.last_upgrade->reason);
  }
  if (record) signals_.append(record->signals);
}

// A supervisor of an older version tells nothing.
void Succession::note_crash(const std::optional<state::InstanceRecord>& told) {
  parts_.generation.note_crash(told ? told->crashes.last : state::Crash());
  is_crash_noted_ = true;
}

void Succession::tell_that_we_serve() {
  handoff::insist([this] { parts_.manager.serving(parts_.data_path.workers(), parts_.self.serving(), ::getpid()); });
}

void Succession::stop_accepting_for_return(const std::vector<std::string>& shared) {
  parts_.data_path.stop_accepting();
  const std::unordered_set<std::string> goes_on(shared.begin(), shared.end());
  for (const BoundSocket& socket : parts_.instance.sockets()) {
    if (!goes_on.contains(socket.address.text())) parts_.data_path.empty_queue(socket);
  }
}

}  // namespace baton::proxy
