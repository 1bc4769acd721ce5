#include "demo/canary.hpp"

#include <fmt/format.h>

#include "demo/canary_marks.hpp"

namespace baton::demo {

std::string in_short(const AskersView& asked) {
  return fmt::format("it has served {} of {} clients that ask for this; {} saw a failure", asked.served,
                     asked.totals.started, asked.failed + asked.failed_outside);
}

std::vector<std::string> describe(const Canary& canary) {
  const AskersView& asked = canary.asked;
  return {
      fmt::format("  A successor that failed 1 request in {} was tried by {} of {} clients, and {}",
                  asked_for_each_failure, asked.served, asked.totals.started, asked.failed),
      fmt::format("  of these saw a failure, until the comparison called it back after {:.1f} s:", asked.seconds),
      fmt::format("  {} connections moved there, all came back, and no other client saw it.",
                  canary.upgrade.report.moved_total),
  };
}

}  // namespace baton::demo
