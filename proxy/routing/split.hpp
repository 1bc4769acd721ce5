// Which upstream of a split a request goes to.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace baton::routing {

struct Share {
  std::string upstream;
  std::size_t upstream_index = 0;  // in Config::upstreams
  std::int64_t weight = 1;
  bool operator==(const Share&) const = default;
};

// The turns of a split in one worker.
using Turns = std::vector<std::int64_t>;

// Smooth weighted round robin: after as many requests as the sum of the weights each upstream has had its weight, and
// they are as evenly mixed as can be. At least one weight is not 0.
inline const Share& next_share(const std::vector<Share>& split, Turns& turns) {
  turns.resize(split.size());
  std::int64_t total = 0;
  std::size_t best = split.size();
  for (std::size_t i = 0; i < split.size(); ++i) {
    if (split[i].weight == 0) continue;
    turns[i] += split[i].weight;
    total += split[i].weight;
    if (best == split.size() || turns[i] > turns[best]) best = i;
  }
  turns[best] -= total;
  return split[best];
}

// nullptr: the split does not have it.
inline const Share* find_share(const std::vector<Share>& split, std::string_view upstream) {
  const auto found = std::ranges::find(split, upstream, &Share::upstream);
  return found == split.end() ? nullptr : &*found;
}

}  // namespace baton::routing
