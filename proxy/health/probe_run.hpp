// Counts a server's probes: from their results to a verdict.
#pragma once

#include <optional>

#include "proxy/state/server_facts.hpp"

namespace baton::health {

// The first probe of a server that nothing is known of decides at once; later ones only so many in a row.
class ProbeRun {
 public:
  struct Terms {
    unsigned up = 2;
    unsigned down = 3;
  };

  // Returns the new verdict if this result changes it; `in_a_row` then says how many probes it took.
  std::optional<state::Health> note(bool is_well, state::Health now, const Terms& terms) {
    if (is_well != was_well_) count_ = 0;
    was_well_ = is_well;
    ++count_;
    const state::Health wanted = is_well ? state::Health::up : state::Health::down;
    const unsigned needed = now == state::Health::unknown ? 1 : is_well ? terms.up : terms.down;
    if (wanted == now || count_ < needed) return std::nullopt;
    return wanted;
  }
  unsigned in_a_row() const { return count_; }

 private:
  bool was_well_ = true;
  unsigned count_ = 0;
};

}  // namespace baton::health
