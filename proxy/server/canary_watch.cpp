#include "proxy/server/canary_watch.hpp"

#include <algorithm>
#include <utility>

#include "proxy/rates/client_key.hpp"
#include "proxy/runtime/log.hpp"

namespace baton::proxy {

namespace log = runtime::log;

namespace {

using canary::Verdict;
using std::chrono::milliseconds;

state::CanaryClients choose(const config::Canary& terms, Workers& workers) {
  canary::ConnectionsByClient connections;
  workers.each([&](Worker& worker) {
    worker.each([&](const state::ConnectionState& state) {
      ++connections[std::string(rates::ClientKey(state.client_address).bytes())];
    });
  });
  const runtime::HashKey key = runtime::HashKey::random();
  return {.key = {key.bytes.begin(), key.bytes.end()},
          .share = terms.share,
          .divided = canary::shared_addresses(connections)};
}

}  // namespace

CanaryWatch::CanaryWatch(const config::Canary& terms, Workers& workers)
    : terms_(terms),
      clients_(choose(terms, workers)),
      experiment_(std::make_shared<canary::Experiment>(clients_)),
      comparison_(canary::Share(terms.share)),
      record_{.share = terms.share, .verdict = "wait", .decided_by = {}, .text = {}, .canary = {}, .others = {}} {}

CanaryWatch::Decision CanaryWatch::look(const state::CanarySide& theirs) {
  if (!began_) {
    began_ = std::chrono::steady_clock::now();
    log::info("upgrade: {}% of the clients try the successor; after {} s they have fared well enough, or not",
              terms_.share / 100.0, std::chrono::ceil<std::chrono::seconds>(terms_.bake).count());
  }
  record_.canary = theirs;
  record_.others = experiment_->tally.counts();
  comparison_.look(record_.canary, record_.others);
  record_.evidence = comparison_.evidence();
  const auto passed = std::chrono::steady_clock::now() - *began_;
  const Verdict verdict = comparison_.judge(passed >= terms_.bake);
  const bool is_new = record_.verdict != canary::name_of(verdict);
  record_.text = comparison_.text(verdict);
  record_.verdict = canary::name_of(verdict);
  if (verdict == Verdict::go_on) return Decision::go_on;
  if (verdict == Verdict::back || (verdict == Verdict::doubt && passed >= terms_.max)) return Decision::back;
  if (verdict == Verdict::doubt && is_new) {
    log::warning("upgrade: the canary is in doubt, and is watched for {} s more: {}", (left_ms() + 999) / 1000,
                 record_.text);
  }
  return Decision::none;
}

void CanaryWatch::refresh() {
  if (!began_) return;
  record_.others = experiment_->tally.counts();
  comparison_.look(record_.canary, record_.others);
  record_.text = comparison_.text(Verdict::wait);
}

// The words are short enough to need no memory.
void CanaryWatch::decide(Decision decision, By by) noexcept {
  if (is_decided()) return;
  if (by == By::command) {
    record_.verdict = decision == Decision::go_on ? "go_on" : "back";
  }
  record_.decided_by = by == By::comparison ? "comparison" : by == By::command ? "command" : "failure";
}

void CanaryWatch::note_failure(const std::string& why) {
  if (is_decided()) return;
  record_.text = why;
  record_.verdict = "back";
  decide(Decision::back, By::failure);
}

std::uint64_t CanaryWatch::left_ms() const {
  if (is_decided()) return 0;
  if (!began_) return static_cast<std::uint64_t>(terms_.bake.count());
  const auto passed = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - *began_);
  const milliseconds until = passed < terms_.bake ? terms_.bake : terms_.max;
  return static_cast<std::uint64_t>(std::max(until - passed, milliseconds(0)).count());
}

}  // namespace baton::proxy
