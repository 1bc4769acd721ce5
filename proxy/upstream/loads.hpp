// How many exchanges each server has in flight, in memory that the two processes of an upgrade share: so together they
// give no server more than its max_connections. Each process writes a column of its own. A count that both write would
// be wrong for ever when one of them crashes.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "handoff/unique_fd.hpp"
#include "proxy/rates/hashed_lines.hpp"

namespace baton::upstream {

// Of one server, by all workers of this process. Written for each exchange, so it is on a cache line of its own.
class Load {
 public:
  // Returns the count after the change.
  std::int64_t add(std::int64_t change) {
    return static_cast<std::int64_t>(rates::Word(*here_).fetch_add(static_cast<std::uint64_t>(change))) + change;
  }
  std::int64_t here() const { return static_cast<std::int64_t>(rates::Word(*here_).load(std::memory_order_relaxed)); }
  // In the other process, during an upgrade.
  std::int64_t elsewhere() const;
  std::int64_t everywhere() const { return here() + elsewhere(); }

 private:
  friend class Loads;
  struct Memory;

  alignas(64) std::uint64_t own_ = 0;
  std::uint64_t* here_ = &own_;    // in `line_`, or `own_`
  std::uint64_t* line_ = nullptr;  // of `memory_`; none: only this process sees the count
  std::shared_ptr<Memory> memory_;
  bool is_settled_ = false;  // it stays where it is
};

// Those of all servers of a process. Used by its main thread.
class Loads {
 public:
  // Of this process. Before any server is counted.
  void set_generation(std::uint64_t generation) { generation_ = generation; }
  // Has memory from now on. Throws std::system_error.
  void make_room();
  // For a successor; -1: there is no memory. Stays ours.
  int to_pass_on() const;
  // The predecessor's, before any server is counted. False: it is nothing of the kind.
  bool adopt(handoff::UniqueFd memory);

  // Counts the server's exchanges in the memory from now on, if there is any with room for it. Before the first one is
  // counted; later it does nothing. `all`: of the servers that there are; without room, those of others are forgotten.
  using All = std::function<std::vector<std::shared_ptr<const Load>>()>;
  void settle(Load& load, std::string_view upstream, std::string_view address, const All& all);

  // From now on the exchanges that the predecessor, the successor or nobody has count as well.
  void join_predecessor() { join(generation_ - 1); }
  void join_successor() { join(generation_ + 1); }
  void be_alone();
  // A successor may be one that counts nothing: what an earlier process left in its place must not count.
  void prepare_for_successor(Load& load) const;

 private:
  void join(std::uint64_t generation);
  std::uint64_t* line_for(std::uint64_t hash) const;
  void forget_others(const std::vector<std::shared_ptr<const Load>>& all) const;

  std::uint64_t generation_ = 1;
  std::shared_ptr<Load::Memory> memory_;
};

}  // namespace baton::upstream
