#include "proxy/server/upgrade_attempt.hpp"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "handoff/insist.hpp"
#include "proxy/admin/upgrade_events.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/state/codec.hpp"

namespace baton::proxy {

namespace log = runtime::log;

namespace {

// The channel usually ends because the successor did, and its wait status says more than the EOF. A successor that
// hangs does not end within this time either. Runs in the conversation's thread, so nothing else waits.
void await_last_words(pid_t child) {
  constexpr int patience_ms = 100;
  siginfo_t dead{};
  for (int i = 0; i < patience_ms && child != 0; ++i) {
    // An error means that it has been reaped.
    if (::waitid(P_PID, static_cast<id_t>(child), &dead, WEXITED | WNOHANG | WNOWAIT) != 0 || dead.si_pid == child)
      return;
    ::poll(nullptr, 0, 1);
  }
}

// Its keeper gives back what it has. False: it has been reaped.
bool kill_child(pid_t child) {
  siginfo_t state{};
  if (::waitid(P_PID, static_cast<id_t>(child), &state, WEXITED | WNOHANG | WNOWAIT) != 0) return false;
  if (state.si_pid == child) return true;  // it has ended
  log::error("upgrade: the canary, PID {}, does not answer and is killed", child);
  return ::kill(child, SIGKILL) == 0;
}

}  // namespace

UpgradeAttempt::UpgradeAttempt(boost::asio::io_context& context, Parts parts, admin::LineSink client,
                               const std::optional<config::Canary>& canary)
    : parts_(parts),
      progress_(
          context, [&data_path = parts.data_path] { return data_path.connections(); }, std::move(client),
          [&instance = parts.instance](const std::string& line) { instance.events().tell_upgrade(line); }) {
  if (canary) canary_ = std::make_unique<CanaryWatch>(*canary, parts.data_path.workers());
}

UpgradeAttempt::~UpgradeAttempt() {
  conversation_.reset();
  donor_.reset();
  end_canary();
}

pid_t UpgradeAttempt::child() const {
  const auto* child = std::get_if<Child>(&successor_);
  return child != nullptr ? child->pid : 0;
}

std::string UpgradeAttempt::external() const {
  const auto* external = std::get_if<External>(&successor_);
  return external != nullptr ? external->who : std::string();
}

handoff::Result<void> UpgradeAttempt::begin(handoff::Channel& channel, Successor successor, Ended ended) {
  successor_ = std::move(successor);
  const auto lent = std::make_shared<handoff::Channel>(std::move(channel));
  // Everything that needs memory is made here: an exception in that thread outside the conversation ends the process.
  auto begun = handoff::as_result([&]() -> handoff::Result<void> {
    make_roles();
    auto talk = [this, child = child(), lent, terms = terms()] {
      auto outcome = handoff::hand_over(std::move(*lent), *donor_, terms, returns_.get());
      if (outcome.ending == handoff::Ending::rolled_back) await_last_words(child);
      return outcome;
    };
    conversation_.emplace(
        std::move(talk), [&main = parts_.main](auto task) { main.post(std::move(task)); }, std::move(ended));
    return {};
  });
  if (!begun) channel = std::move(*lent);
  return begun;
}

void UpgradeAttempt::make_roles() {
  const config::Handoff& handoff = parts_.data_path.handoff();
  const MainThread& main = parts_.main;
  DataPath& data_path = parts_.data_path;
  const auto accept = [this] { parts_.data_path.accept_on(parts_.instance.sockets()); };
  InMain<void()> begin_canary;
  if (canary_) begin_canary = {main, [this] { this->begin_canary(); }};
  donor_ = std::make_unique<WorkersDonor>(
      data_path.workers(), handoff.finish_timeout,
      DonorDuties{.stop_accepting = {main, [this](const auto& taken) { stop_accepting(taken); }},
                  .experiment = canary_ ? canary_->experiment() : nullptr,
                  .begin_canary = std::move(begin_canary),
                  .kill_canary =
                      [child = child(), has_keeper = parts_.supervision.supervisor().has_value()] {
                        // Without one that would cut what it has: it may be slow only.
                        return child != 0 && has_keeper && kill_child(child);
                      },
                  .begin_moving = {main, [this] { begin_moving(); }},
                  .accept_again = {main, accept},
                  .estate = {main, [this] { return estate(); }},
                  .converses = parts_.supervision.for_conversation(child() != 0 ? keeper::Partner::child
                                                                                : keeper::Partner::foreigner),
                  .on_probation = {main, [this](const auto& conduct) { note_conduct(conduct); }},
                  .resign = {main, [this] { return resign(); }},
                  .take_lock =
                      [&instance = parts_.instance, patience = handoff.step_timeout] {
                        // A dying successor releases the lock a moment after it closes the channel.
                        return instance.take_back_within(patience);
                      },
                  .reclaim = {main, [this] { reclaim(); }},
                  .left_behind =
                      [&shared = data_path.shared(), at_most = handoff.drain_timeout] {
                        return handoff::LeftBehind{.connections = shared.connections, .at_most = at_most};
                      },
                  .counted = {}});
  returns_ = std::make_unique<WorkersAdopter>(
      AdopterDuties{.inherit = {},
                    .converses = {},
                    .workers = [&data_path]() -> Workers& { return data_path.workers(); },
                    .accept = {},
                    .expect =
                        [&shared = data_path.shared()](const auto& remaining) {
                          shared.lend({});
                          shared.expect(remaining);
                        },
                    .take_over = {},
                    .returned = {main, [this](const auto& application) { add_counted(application); }}});
}

handoff::Estate UpgradeAttempt::estate() {
  parts_.data_path.settings()->servers->prepare_loads_for_successor();
  handoff::Estate estate = parts_.self.estate(canary_ ? std::optional(canary_->clients()) : std::nullopt);
  parts_.instance.offer_events(estate);
  estate.heir = parts_.instance.name_heir();
  inherited_ = state::decode_instance_record(estate.application);
  return estate;
}

void UpgradeAttempt::add_counted(const std::string& application) {
  const auto theirs = state::decode_instance_record(application);
  if (!theirs || !inherited_) return;  // of a version that does not say
  if (theirs->after_crash) {
    parts_.generation.note_crash(theirs->crashes.last);
    return parts_.supervision.announce();
  }
  ForeignCounts::count_more(*theirs, *inherited_);
  parts_.data_path.add_counted(*theirs, *inherited_);
}

handoff::PredecessorTerms UpgradeAttempt::terms() const {
  const config::Handoff& handoff = parts_.data_path.handoff();
  return {.self = parts_.self.side(),
          .features = state::features(),
          .ready_timeout = handoff.ready_timeout,
          .step_timeout = handoff.step_timeout,
          .probation = handoff.probation,
          .canary = canary_ != nullptr,
          .return_timeout = handoff.finish_timeout + 2 * handoff.step_timeout};
}

void UpgradeAttempt::note_ready() {
  progress_.reach("ready");
  progress_.tell(admin::ready_event());
}

// ── A canary ──────────────────────────────────────────────────────────────────────────────────────────────────────

void UpgradeAttempt::begin_canary() {
  note_ready();
  progress_.reach("canary");
  parts_.role.begin_canary();
  parts_.data_path.settings()->servers->loads().join_successor();
}

// Several times a second, perhaps for hours: a look that lacks memory is left out. People are told last.
void UpgradeAttempt::judge_canary(const handoff::Conduct& conduct) {
  (void)handoff::as_result([&]() -> handoff::Result<void> { return look_at_canary(conduct), handoff::Result<void>(); });
}

void UpgradeAttempt::look_at_canary(const handoff::Conduct& conduct) {
  using Decision = CanaryWatch::Decision;
  if (canary_->is_decided()) return;
  parts_.data_path.shared().lend(conduct.held);
  const auto theirs = state::decode_canary_side(conduct.application);
  const Decision decision = theirs ? canary_->look(*theirs) : Decision::back;
  const std::string text = theirs ? canary_->record().text : "what it has counted cannot be read";
  if (decision == Decision::go_on) {
    canary_->decide(decision, CanaryWatch::By::comparison);
    donor_->promote();
    log::info("upgrade: the canary goes on: {}", text);
  } else if (decision == Decision::back) {
    called_back_because_ = "the canary was called back: " + text;
    canary_->decide(decision, theirs ? CanaryWatch::By::comparison : CanaryWatch::By::failure);
    donor_->call_off(called_back_because_.c_str());
    log::warning("upgrade: the canary is called back: {}", text);
  }
  show_canary();
  if (decision == Decision::back) progress_.tell(admin::recalled_event());
}

void UpgradeAttempt::refresh_canary() {
  (void)handoff::as_result([this]() -> handoff::Result<void> { return canary_->refresh(), handoff::Result<void>(); });
}

void UpgradeAttempt::show_canary() {
  parts_.generation.canary = canary_->record();
  progress_.tell(admin::canary_event(canary_->left_ms(), canary_->record()));
}

void UpgradeAttempt::promote() {
  refresh_canary();
  canary_->decide(CanaryWatch::Decision::go_on, CanaryWatch::By::command);
  donor_->promote();
  show_canary();
}

void UpgradeAttempt::note_logs_reopened() {
  signals_.remember(SIGUSR1);
  if (is_undecided_canary() && child() != 0) ::kill(child(), SIGUSR1);
}

void UpgradeAttempt::call_off(const char* reason) {
  const bool is_canary = canary_ && !canary_->is_decided();
  if (is_canary) {
    refresh_canary();
    canary_->decide(CanaryWatch::Decision::back, CanaryWatch::By::command);
  }
  donor_->call_off(reason);
  if (is_canary) show_canary();
}

void UpgradeAttempt::note_failure(const std::string& why) {
  if (canary_) canary_->note_failure(why);
}

admin::LastUpgrade UpgradeAttempt::recorded(std::string result, std::string reason, handoff::Report report) const {
  auto upgrade = progress_.recorded(std::move(result), std::move(reason), std::move(report));
  if (canary_ && canary_->has_begun()) upgrade.canary = canary_->record();
  return upgrade;
}

// It is compared no longer.
void UpgradeAttempt::end_canary() {
  if (!canary_) return;
  parts_.role.end_canary();
  parts_.data_path.shared().lend({});
  parts_.generation.canary.reset();
  handoff::insist([this] { parts_.data_path.workers().each([](Worker& worker) { worker.count_in(nullptr); }); });
}

// ── All of them ───────────────────────────────────────────────────────────────────────────────────────────────────

void UpgradeAttempt::stop_accepting(const std::vector<std::string>& taken) {
  end_canary();
  if (!canary_) note_ready();
  // Listeners that the successor does not take are served here as long as live connections stay.
  not_taken_.clear();
  const std::unordered_set<std::string> goes_on(taken.begin(), taken.end());
  for (const BoundSocket& socket : parts_.instance.sockets()) {
    if (!goes_on.contains(socket.address.text())) not_taken_.push_back(&socket);
  }
  parts_.data_path.accept_only_on(not_taken_);
  parts_.data_path.settings()->servers->loads().join_successor();
  const config::Handoff& handoff = parts_.data_path.handoff();
  if (handoff.probation.count() == 0 || canary_) return;
  probation_ends_ = std::chrono::steady_clock::now() + handoff.probation;
  progress_.reach("probation");
  log::info("upgrade: the successor is on probation for {} ms", handoff.probation.count());
}

void UpgradeAttempt::note_conduct(const handoff::Conduct& conduct) {
  if (canary_) return judge_canary(conduct);
  if (!probation_ends_) return;
  using std::chrono::milliseconds;
  const auto left = std::chrono::duration_cast<milliseconds>(*probation_ends_ - std::chrono::steady_clock::now());
  progress_.tell(admin::probation_event(static_cast<std::uint64_t>(std::max(left, milliseconds(0)).count()), conduct));
}

void UpgradeAttempt::begin_moving() {
  probation_ends_.reset();
  progress_.reach("moving");
  progress_.begin_moving();
  parts_.data_path.workers().each([](Worker& worker) { worker.stop_accepting(); });
  // The accept queues are emptied here, and again at the end, when the sockets close with this process.
  for (const BoundSocket* socket : not_taken_) parts_.data_path.empty_queue(*socket);
}

std::string UpgradeAttempt::resign() {
  progress_.reach("adopted");
  std::string totals = parts_.self.totals(signals_.all(), recorded("", "", {}));
  signals_.note_sent();
  parts_.manager.rest();
  parts_.role.resign();
  parts_.supervision.note_resigned(true);
  parts_.instance.give_up();
  return totals;
}

void UpgradeAttempt::reclaim() {
  parts_.role.reclaim();
  parts_.supervision.note_resigned(false);
  parts_.supervision.announce();
  // The successor may already have reported itself as the main process.
  handoff::insist([this] { parts_.manager.serving(parts_.data_path.workers(), parts_.self.serving(), ::getpid()); });
  parts_.instance.reclaim();
}

}  // namespace baton::proxy
