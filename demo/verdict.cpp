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
  }
  return "";
}

void object_to_group(Group group, const Totals& totals, std::vector<std::string>& found) {
  const std::string name = name_of(group);
  if (totals.started == 0) found.push_back(fmt::format("No {} client took part.", name));
  for (std::size_t i = 0; i < troubles; ++i) {
    if (totals.trouble[i] != 0) {
      found.push_back(fmt::format("{} of {} {} clients {}.", totals.trouble[i], totals.started, name,
                                  sentence(static_cast<Trouble>(i))));
    }
  }
  if (totals.opened != totals.started) {
    found.push_back(fmt::format("{} of {} {} clients connected.", totals.opened, totals.started, name));
  }
  if (totals.proven != totals.started) {
    found.push_back(fmt::format("{} of {} {} connections were alive to the end.", totals.proven, totals.started, name));
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
  if (completed != evidence.upgrades_wanted) {
    found.push_back(fmt::format("{} of {} upgrades completed.", completed, evidence.upgrades_wanted));
  }
  if (evidence.upgrades_wanted == 0) found.push_back("Without an upgrade nothing is shown.");

  for (std::size_t i = 0; i < groups; ++i) object_to_group(group_at(i), evidence.clients[i], found);
  if (const auto opened = sum(evidence.clients).opened; evidence.accepted != opened) {
    found.push_back(
        fmt::format("The proxy accepted {} connections, but the clients opened {}.", evidence.accepted, opened));
  }
  if (!evidence.bad_end.empty()) found.push_back(evidence.bad_end);
  return found;
}

}  // namespace baton::demo
