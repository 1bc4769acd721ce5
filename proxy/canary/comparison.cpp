#include "proxy/canary/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/special_functions/beta.hpp>
#include <cmath>

namespace baton::canary {

namespace {

constexpr std::array<double, 6> times_worse{2, 4, 8, 16, 32, 64};
constexpr double evidence_for_back = 100;
constexpr double evidence_max = 1e12;
constexpr double tolerable_rate = 0.01;
constexpr double confidence = 0.95;
constexpr double excluded_times = 3;
const double excluded_log = -std::log(20);
const double remembered_log = 2 * excluded_log;
constexpr std::uint64_t exposures_of_block = 4;

double as_double(std::uint64_t count) {
  return static_cast<double>(count);
}

// The log likelihood ratio of that many clients' first failures, by the share of the clients that the canary has.
double log_ratio_by_clients(double failed_canary, double failed_others, double share, double times) {
  return failed_canary * std::log(times) - (failed_canary + failed_others) * std::log1p(share * (times - 1));
}

double evidence_of(const state::CanarySide& canary, const state::CanarySide& others, double share) {
  double sum = 0;
  for (const double times : times_worse) {
    sum += std::exp(
        log_ratio_by_clients(as_double(canary.clients_failed), as_double(others.clients_failed), share, times));
  }
  return std::min(sum / times_worse.size(), evidence_max);
}

// What is remembered, and then what was seen since.
double with(double remembered, double seen) {
  return std::max(remembered, remembered_log) + seen;
}

// The later counts, without what cannot be. `failed` is cut last, so that it never falls either.
state::CanarySide later(const state::CanarySide& before, const state::CanarySide& now) {
  state::CanarySide counts;
  counts.exchanges = std::max(before.exchanges, now.exchanges);
  counts.exposures = std::max(before.exposures, now.exposures);
  counts.clients_failed = std::min(counts.exposures, std::max(before.clients_failed, now.clients_failed));
  return counts;
}

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::ptrdiff_t at = std::ssize(digits) - 3; at > 0; at -= 3) digits.insert(static_cast<std::size_t>(at), 1, ',');
  return digits;
}

std::string counted(std::uint64_t number, const char* what) {
  return fmt::format("{} {}{}", number == 0 ? "no" : grouped(number), what, number == 1 ? "" : "s");
}

// Two digits, and rounded up, so that it is a bound still.
std::string percent(double rate) {
  const double percents = 100 * rate;
  if (percents >= 10) return fmt::format("{:.0f} %", std::min(100.0, std::ceil(percents)));
  if (percents >= 1) return fmt::format("{:.1f} %", std::ceil(percents * 10) / 10);
  return fmt::format("{:.2f} %", std::ceil(percents * 100) / 100);
}

std::string times(double evidence) {
  if (evidence >= 1e6) return "over a million times";
  const double unit = std::pow(10, std::floor(std::log10(std::max(evidence, 1.0))) - 1);
  return grouped(static_cast<std::uint64_t>(std::floor(evidence / unit) * unit)) + " times";
}

constexpr const char* what_to_do = "raise --canary or --bake, or decide by `baton ctl promote`";

}  // namespace

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::wait:
      return "wait";
    case Verdict::doubt:
      return "doubt";
    case Verdict::go_on:
      return "go_on";
    case Verdict::back:
      return "back";
  }
  return "";
}

// Terms of the distribution by their ratios, from the first that can be, in relation to it. Both sums are scaled, each
// when it grows too large for a double.
double log_likelihood_ratio(const Block& block, double odds) {
  const std::uint64_t failed = block.failed_canary + block.failed_others;
  if (block.failed_canary > block.exposures_canary || block.failed_others > block.exposures_others) return 0;
  const std::uint64_t first = failed > block.exposures_others ? failed - block.exposures_others : 0;
  const std::uint64_t last = std::min(block.exposures_canary, failed);
  if (last - first > terms_max) return 0;
  const auto log_sum = [&](double weight) {
    double term = 1, sum = 1, log_scale = 0;
    for (std::uint64_t x = first; x < last; ++x) {
      term *= weight * as_double(block.exposures_canary - x) * as_double(failed - x) /
              (as_double(x + 1) * as_double(block.exposures_others + x + 1 - failed));
      sum += term;
      if (sum > 1e200) {
        log_scale += std::log(sum);
        term /= sum;
        sum = 1;
      }
    }
    return log_scale + std::log(sum);
  };
  return as_double(block.failed_canary - first) * std::log(odds) - (log_sum(odds) - log_sum(1));
}

double upper_bound(std::uint64_t failed, std::uint64_t exposures) {
  if (failed >= exposures) return 1;
  using namespace boost::math::policies;
  using Quiet = policy<domain_error<ignore_error>, pole_error<ignore_error>, overflow_error<ignore_error>,
                       evaluation_error<ignore_error>>;
  const double bound =
      boost::math::ibeta_inv(as_double(failed + 1), as_double(exposures - failed), confidence, Quiet());
  return bound >= 0 && bound <= 1 ? bound : 1;
}

void Comparison::look(const state::CanarySide& canary, const state::CanarySide& others) {
  if (evidence_ >= evidence_for_back) return;
  const state::CanarySide canary_now = later(canary_, canary), others_now = later(others_, others);
  const Block seen{.exposures_canary = canary_now.exposures - canary_.exposures,
                   .exposures_others = others_now.exposures - others_.exposures,
                   .failed_canary = canary_now.clients_failed - canary_.clients_failed,
                   .failed_others = others_now.clients_failed - others_.clients_failed};
  canary_ = canary_now;
  others_ = others_now;
  add_to_block(seen);
  if (seen.failed_canary == 0 && seen.failed_others == 0) return;
  thrice_by_clients_ =
      with(thrice_by_clients_, log_ratio_by_clients(as_double(seen.failed_canary), as_double(seen.failed_others),
                                                    share_.fraction(), excluded_times));
  evidence_ = evidence_of(canary_, others_, share_.fraction());
}

void Comparison::add_to_block(const Block& seen) {
  if (block_.exposures_canary == 0 && seen.exposures_canary == 0) return;
  block_.exposures_canary += seen.exposures_canary;
  block_.exposures_others += seen.exposures_others;
  block_.failed_canary += seen.failed_canary;
  block_.failed_others += seen.failed_others;
  if (std::min(block_.exposures_canary, block_.exposures_others) < exposures_of_block) return;
  thrice_by_exposures_ = with(thrice_by_exposures_, log_likelihood_ratio(block_, excluded_times));
  block_ = {};
}

bool Comparison::rate_is_low() const {
  return upper_bound(canary_.clients_failed, canary_.exposures) <= tolerable_rate;
}

bool Comparison::three_times_worse_is_excluded() const {
  return std::max(thrice_by_clients_, thrice_by_exposures_) <= excluded_log;
}

Verdict Comparison::judge(bool baked) const {
  if (evidence_ >= evidence_for_back) return Verdict::back;
  if (!baked) return Verdict::wait;
  return rate_is_low() || three_times_worse_is_excluded() ? Verdict::go_on : Verdict::doubt;
}

std::string Comparison::seen() const {
  return fmt::format("{} failed in {} on the canary, {} in {} on the others", counted(canary_.clients_failed, "client"),
                     counted(canary_.exchanges, "exchange"),
                     others_.clients_failed == 0 ? "none" : grouped(others_.clients_failed),
                     others_.exchanges == 0 ? "none" : grouped(others_.exchanges));
}

std::string Comparison::text(Verdict verdict) const {
  const bool has_nobody = canary_.exposures == 0;
  switch (verdict) {
    case Verdict::wait:
      return has_nobody ? "no client of the canary's share has come so far" : fmt::format("so far, {}", seen());
    case Verdict::back:
      return fmt::format("{}: {} likelier if the canary is worse", seen(), times(evidence_));
    case Verdict::go_on:
      return rate_is_low() ? fmt::format("{}: its failure rate is below {}", seen(),
                                         percent(upper_bound(canary_.clients_failed, canary_.exposures)))
                           : fmt::format("{}: that it is three times worse is excluded", seen());
    case Verdict::doubt:
      if (has_nobody) return fmt::format("no client of the canary's share has come; {}", what_to_do);
      if (canary_.clients_failed != 0 && evidence_ <= 1) {
        return fmt::format("{}: both sides have failures, and too little else to tell them apart; {}", seen(),
                           what_to_do);
      }
      return fmt::format("{}: a failure rate of up to {} is still possible; {}", seen(),
                         percent(upper_bound(canary_.clients_failed, canary_.exposures)), what_to_do);
  }
  return "";
}

}  // namespace baton::canary
