// Whether a canary is worse than the process that serves the other clients. A value: no clock, no I/O.
//
// **Back.** Which clients are the canary's is chance (share.hpp). So if both processes are alike, each client whose
// first failure is counted is the canary's with chance s, its share, whenever it fails, however active it is and
// whatever happens to servers; if the canary's clients fail r times as often, with chance rs / (1 + (r − 1)s). The
// evidence is the mean of the likelihood ratios for r = 2, 4, … 64: a nonnegative martingale of mean 1 if both are
// alike, which by Ville's inequality reaches 100 in at most 1 % of canaries, however often it is looked at. A client of
// the share that fails before it has moved counts for the others and, if it fails again, for the canary: each only
// lowers the evidence or comes later than the truth. So the others are counted from the canary's beginning; leaving out
// their past would accuse the canary of an outage that began before its clients came. (Shares of the *exposures* would
// not do: they depend on a few busy clients and those may be the ones that never fail.)
//
// **Go on.** Not before the canary has baked, and only if one of these holds:
// - the failure rate of the canary is at most 1 % per exposure, by an upper bound of 95 % (Clopper and Pearson);
// - that it is three times worse is excluded at 20 to 1, both by shares of clients, as above, and by exposures: a
//   canary whose clients have not come, or are seldom active, has few failures for that reason only.
//
// For exposures, time is cut into blocks. In a block, the failures that fall to the canary are hypergeometric if both
// are alike, and Fisher's noncentral hypergeometric if the odds of failure are three times as high; so an outage in
// which everything fails says nothing. A block begins when the canary has exposures: those of the others before that
// have nothing to be compared with. It ends when both sides have had four; failures have no part in that rule. No more
// than 400 to 1 is remembered, so that an outage that hits both does not outweigh what comes after it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/canary/share.hpp"
#include "proxy/state/upgrade_record.hpp"

namespace baton::canary {

enum class Verdict { wait, doubt, go_on, back };

// As in the record of an upgrade: wait, doubt, go_on, back.
std::string_view name_of(Verdict verdict);

// The logarithm of how much likelier it is, if the odds of failure are `odds` times as high on the canary, that of
// `failed` failures `failed_canary` fall to it. 0, which says nothing, if the counts cannot be or a side is so large
// (`terms_max`) that to compute it would take long.
struct Block {
  std::uint64_t exposures_canary = 0;
  std::uint64_t exposures_others = 0;
  std::uint64_t failed_canary = 0;
  std::uint64_t failed_others = 0;
};
double log_likelihood_ratio(const Block& block, double odds);
inline constexpr std::uint64_t terms_max = 20'000;

// The greatest rate under which as few as `failed` of `exposures` have a chance of 5 % or more.
double upper_bound(std::uint64_t failed, std::uint64_t exposures);

class Comparison {
 public:
  explicit Comparison(Share share) : share_(share) {}

  // The counts of both sides since the canary began, as often as one likes; those of the others are read no earlier.
  // Counts that fall, or that cannot be, are those of a process that errs; they are passed over or cut. Once the
  // verdict is `back`, nothing changes any more.
  void look(const state::CanarySide& canary, const state::CanarySide& others);

  Verdict judge(bool baked) const;
  // That the canary is worse: how much likelier what was seen is then, at most a million times a million.
  double evidence() const { return evidence_; }
  // A verdict in words, with the numbers it rests on; for operators. No full stop.
  std::string text(Verdict verdict) const;

  const state::CanarySide& canary() const { return canary_; }
  const state::CanarySide& others() const { return others_; }

 private:
  void add_to_block(const Block& seen);
  bool rate_is_low() const;
  bool three_times_worse_is_excluded() const;
  std::string seen() const;

  Share share_;
  state::CanarySide canary_, others_;
  double evidence_ = 1;
  Block block_;  // the open one; without exposures of the canary it has not begun
  // Logarithms of the likelihood ratio for three times worse.
  double thrice_by_clients_ = 0;
  double thrice_by_exposures_ = 0;
};

}  // namespace baton::canary
