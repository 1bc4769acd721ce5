#include "demo/tally.hpp"

#include <utility>

namespace baton::demo {
namespace {
constexpr std::size_t complaints_kept = 10;
}

void Tally::add_trouble(Trouble kind, std::string what) {
  ++trouble_[static_cast<std::size_t>(kind)];
  const std::lock_guard lock(complaints_mutex_);
  if (complaints_.size() < complaints_kept) complaints_.push_back(std::move(what));
}

Totals Tally::totals() const {
  Totals totals{.opened = opened_, .answered = answered_, .proven = proven_};
  for (std::size_t i = 0; i < troubles; ++i) totals.trouble[i] = trouble_[i];
  return totals;
}

std::vector<std::string> Tally::complaints() const {
  const std::lock_guard lock(complaints_mutex_);
  return complaints_;
}

}  // namespace baton::demo
