#include "demo/verdict.hpp"

#include <fmt/format.h>

namespace baton::demo {
namespace {

const char* sentence(Trouble kind) {
  switch (kind) {
    case Trouble::not_connected:
      return "could not connect";
    case Trouble::closed_between:
      return "saw their connection closed with nothing under way";
    case Trouble::closed_in_request:
      return "saw their connection cut";
    case Trouble::wrong_answer:
      return "saw a wrong byte or answer";
    case Trouble::no_answer:
      return "got no answer in time";
    case Trouble::reset_by_crash:
      break;  // judged for all groups together
  }
  return "";
}

void object_to(const std::string& name, const Totals& totals, std::vector<std::string>& found) {
  if (totals.started == 0) found.push_back(fmt::format("No {} client took part.", name));
  for (std::size_t i = 0; i < troubles; ++i) {
    if (totals.trouble[i] != 0 && static_cast<Trouble>(i) != Trouble::reset_by_crash) {
      found.push_back(fmt::format("{} of {} {} clients {}.", totals.trouble[i], totals.started, name,
                                  sentence(static_cast<Trouble>(i))));
    }
  }
  if (totals.opened != totals.started) {
    found.push_back(fmt::format("{} of {} {} clients connected.", totals.opened, totals.started, name));
  }
  if (totals.proven + totals.of(Trouble::reset_by_crash) != totals.started) {
    found.push_back(fmt::format("{} of {} {} connections were alive to the end.", totals.proven, totals.started, name));
  }
}

// What a thread was running is torn, and nothing else may be.
void object_to_crash(const std::optional<Crash>& crash, const Totals& clients, std::vector<std::string>& found) {
  if (!crash) return found.push_back("No process was killed.");
  if (!crash->failure.empty())
    return found.push_back(fmt::format("PID {} was killed: {}.", crash->from_pid, crash->failure));
  if (const auto reset = clients.of(Trouble::reset_by_crash); reset > crash->threads) {
    found.push_back(fmt::format("The death of a process with {} threads cost {} connections.", crash->threads, reset));
  }
}

void object_to_canary(const std::optional<Canary>& canary, std::vector<std::string>& found) {
  if (!canary) return found.push_back("No canary was tried.");
  object_to("asking", canary->asked.totals, found);
  if (const auto number = canary->asked.failed_outside; number != 0) {
    found.push_back(fmt::format("{} asking clients saw a failure that was not the canary's.", number));
  }
  const FailedUpgrade& upgrade = canary->upgrade;
  if (!upgrade.failure.empty()) {
    return found.push_back(fmt::format("The canary was not called back: {}.", upgrade.failure));
  }
  const auto& report = upgrade.report.canary;
  if (!report || report->verdict != "back" || report->decided_by != "comparison") {
    found.push_back(fmt::format("The canary was not called back by the comparison: {}.", upgrade.report.reason));
  }
  if (canary->asked.failed == 0) found.push_back("No client saw a failure of the canary.");
  if (upgrade.connections < canary->lasting) {
    found.push_back(
        fmt::format("{} connections did not come back from the canary.", canary->lasting - upgrade.connections));
  }
}

void object_to_plan(const Plan& plan, const Evidence& evidence, std::size_t completed,
                    std::vector<std::string>& found) {
  if (completed != plan.upgrades_wanted) {
    found.push_back(fmt::format("{} of {} upgrades completed.", completed, plan.upgrades_wanted));
  }
  const Totals clients = sum(evidence.clients);
  if (completed == evidence.upgrades.size() && evidence.broken_off.empty()) {
    object_to_crash(plan.crash, clients, found);
    if (plan.crash && plan.crash->failure.empty()) object_to_canary(plan.canary, found);
  }
  if (plan.upgrades_wanted == 0) found.push_back("Without an upgrade nothing is shown.");
  const std::uint64_t opened = clients.opened + (plan.canary ? plan.canary->asked.totals.opened : 0);
  if (plan.accepted != opened) {
    found.push_back(
        fmt::format("The proxy accepted {} connections, but the clients opened {}.", plan.accepted, opened));
  }
}

}  // namespace

std::vector<std::string> objections(const Evidence& evidence) {
  std::vector<std::string> found;
  if (!evidence.broken_off.empty()) found.push_back(evidence.broken_off);

  std::size_t completed = 0;
  for (const Upgrade& upgrade : evidence.upgrades) {
    const std::uint64_t left_behind = upgrade.report.taken_back + upgrade.report.refused;
    if (upgrade.failure.empty()) {
      ++completed;
      if (left_behind != 0) {
        found.push_back(fmt::format("The upgrade from generation {} left {} connections behind.",
                                    upgrade.from_generation, left_behind));
      }
    } else {
      found.push_back(
          fmt::format("The upgrade from generation {} failed: {}.", upgrade.from_generation, upgrade.failure));
    }
  }
  if (evidence.plan) object_to_plan(*evidence.plan, evidence, completed, found);

  // If it was broken off before any client began, that is all there is to say.
  const bool has_begun = evidence.broken_off.empty() || sum(evidence.clients).started != 0;
  for (std::size_t i = 0; has_begun && i < groups; ++i) object_to(name_of(group_at(i)), evidence.clients[i], found);
  if (!evidence.bad_end.empty()) found.push_back(evidence.bad_end);
  found.insert(found.end(), evidence.other.begin(), evidence.other.end());
  return found;
}

}  // namespace baton::demo
