#include "demo/verdict.hpp"

#include <fmt/format.h>

namespace baton::demo {
namespace {

const char* sentence(Trouble kind) {
  switch (kind) {
    case Trouble::not_connected:
      return "could not connect";
    case Trouble::closed_between:
      return "saw their connection closed between two requests";
    case Trouble::closed_in_request:
      return "saw their connection closed with a request under way";
    case Trouble::wrong_answer:
      return "got a wrong answer";
    case Trouble::no_answer:
      return "got no answer in time";
  }
  return "";
}

}  // namespace

std::vector<std::string> objections(const Evidence& evidence) {
  std::vector<std::string> found;
  if (!evidence.broken_off.empty()) found.push_back(evidence.broken_off);

  std::size_t completed = 0;
  for (const Upgrade& upgrade : evidence.upgrades) {
    if (upgrade.failure.empty()) {
      ++completed;
    } else {
      found.push_back(
          fmt::format("The upgrade from generation {} failed: {}.", upgrade.from_generation, upgrade.failure));
    }
  }
  if (completed != evidence.upgrades_wanted) {
    found.push_back(fmt::format("{} of {} upgrades completed.", completed, evidence.upgrades_wanted));
  }
  if (evidence.upgrades_wanted == 0) found.push_back("Without an upgrade nothing is shown.");

  const Totals& totals = evidence.totals;
  for (std::size_t i = 0; i < troubles; ++i) {
    if (totals.trouble[i] != 0) {
      found.push_back(
          fmt::format("{} of {} clients {}.", totals.trouble[i], evidence.clients, sentence(static_cast<Trouble>(i))));
    }
  }
  if (totals.opened != evidence.clients) {
    found.push_back(fmt::format("{} of {} clients connected.", totals.opened, evidence.clients));
  }
  if (totals.proven != evidence.clients) {
    found.push_back(fmt::format("{} of {} connections were alive to the end.", totals.proven, evidence.clients));
  }
  if (evidence.accepted != totals.opened) {
    found.push_back(
        fmt::format("The proxy accepted {} connections, but the clients opened {}.", evidence.accepted, totals.opened));
  }
  if (!evidence.bad_end.empty()) found.push_back(evidence.bad_end);
  return found;
}

}  // namespace baton::demo
