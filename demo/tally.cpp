#include "demo/tally.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace baton::demo {
namespace {

constexpr std::size_t complaints_kept = 10;

template <std::size_t... index>
std::array<Account, groups> open_accounts(Tally& tally, std::index_sequence<index...>) {
  return {Account(tally, group_at(index))...};
}

}  // namespace

std::uint64_t Totals::live() const {
  const std::uint64_t ended = proven + closes() + errors() - of(Trouble::not_connected);
  return opened - std::min(opened, ended);
}

Totals& Totals::operator+=(const Totals& other) {
  started += other.started;
  opened += other.opened;
  answered += other.answered;
  bytes += other.bytes;
  proven += other.proven;
  for (std::size_t i = 0; i < troubles; ++i) trouble[i] += other.trouble[i];
  return *this;
}

Totals sum(const TotalsByGroup& totals) {
  Totals all;
  for (const Totals& one : totals) all += one;
  return all;
}

Totals sum(const TotalsByGroup& totals, Kind kind) {
  Totals all;
  for (const Transport transport : all_transports) all += of(totals, {kind, transport});
  return all;
}

void Account::add_answered(Microseconds latency) {
  ++answered_;
  tally_.latency_.add(latency);
}

void Account::add_trouble(Trouble trouble, std::string_view what) {
  ++trouble_[static_cast<std::size_t>(trouble)];
  const std::lock_guard lock(tally_.complaints_mutex_);
  auto& complaints = tally_.complaints_;
  if (complaints.size() < complaints_kept) complaints.push_back(fmt::format("{} {}", name_of(group_), what));
}

bool Account::crash_goes_on() const {
  return tally_.crash_goes_on_;
}

Totals Account::totals() const {
  Totals totals{.started = started_, .opened = opened_, .answered = answered_, .bytes = bytes_, .proven = proven_};
  for (std::size_t i = 0; i < troubles; ++i) totals.trouble[i] = trouble_[i];
  return totals;
}

std::uint64_t Tally::lasting_opened() const {
  const TotalsByGroup totals = by_group();
  return sum(totals).opened - sum(totals, Kind::newcomer).opened;
}

Tally::Tally() : accounts_(open_accounts(*this, std::make_index_sequence<groups>())) {}

TotalsByGroup Tally::by_group() const {
  TotalsByGroup totals;
  for (std::size_t i = 0; i < groups; ++i) totals[i] = accounts_[i].totals();
  return totals;
}

std::vector<std::string> Tally::complaints() const {
  const std::lock_guard lock(complaints_mutex_);
  return complaints_;
}

}  // namespace baton::demo
