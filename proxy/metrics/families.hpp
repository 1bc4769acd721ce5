// The series of the ledger by families: what they are called, and what they mean.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/metrics/ledger.hpp"

namespace baton::metrics {

enum class Type : std::uint8_t { counter, gauge, histogram, info };

struct Family {
  std::string_view name;  // without the prefix
  Type type;
  std::string_view help;
  std::span<const std::uint64_t> bounds{};           // of a histogram,
  double unit = 1;                                   // and how many base units one of them is
  std::span<const std::string_view> first_labels{};  // of series that there are from the start
};

// Those that this version counts in the ledger, in the order in which they are shown.
std::span<const Family> ledger_families();

// Those that are there from the start, so that their first count is seen as an increase.
void begin_series(Ledger& ledger);

// The value of a label of a series, still escaped. Empty: it has no such label.
std::string_view label_of(std::string_view series, std::string_view label);

// All counters at one moment.
class Totals {
 public:
  Totals() = default;
  explicit Totals(std::map<std::string, Ledger::Numbers, std::less<>> series) : series_(std::move(series)) {}

  // The first number of all series of the family together, of those only that have the label with this value.
  std::uint64_t sum(std::string_view family) const;
  std::uint64_t sum(std::string_view family, std::string_view label, std::string_view value) const;
  // The first number of the series with that name.
  std::uint64_t value(std::string_view name) const;
  std::uint64_t of_server(std::string_view family, std::string_view upstream, std::string_view server) const {
    return value(server_series(family, upstream, server));
  }
  // Calls `visit` for each series of the family, with its labels as text (`{route="x"}`, or nothing) and its numbers.
  template <class Visit>
  void each(std::string_view family, Visit visit) const {
    for (auto one = series_.lower_bound(family); one != series_.end() && one->first.starts_with(family); ++one) {
      const std::string_view labels = std::string_view(one->first).substr(family.size());
      if (labels.empty() || labels.front() == '{') visit(labels, one->second);
    }
  }

 private:
  std::map<std::string, Ledger::Numbers, std::less<>> series_;
};

// Of one route.
struct Requests {
  std::uint64_t all = 0;
  std::uint64_t failed = 0;  // ended with a 5xx
};
// By route; the names as they stand in series.
std::map<std::string, Requests, std::less<>> requests_by_route(const Totals& totals);

}  // namespace baton::metrics
