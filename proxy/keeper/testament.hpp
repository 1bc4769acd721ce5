// What an instance leaves for the process that continues for it, in memory that its keeper can read.
#pragma once

#include <cstdint>

#include "handoff/parties.hpp"
#include "handoff/predecessor.hpp"
#include "proxy/state/list.hpp"
#include "proxy/state/string.hpp"

namespace baton::keeper {

class Testament : public state::Allocated {
 public:
  // The descriptors stay the instance's; the keeper has the same numbers.
  Testament(const handoff::PredecessorTerms& terms, const handoff::Estate& estate);
  ~Testament();
  Testament(const Testament&) = delete;
  Testament& operator=(const Testament&) = delete;

  std::int64_t pid() const { return pid_; }
  handoff::PredecessorTerms terms() const;
  handoff::Estate estate() const;

 private:
  struct Socket {
    state::String name;
    state::String address;
    int descriptor = -1;
  };

  std::uint64_t generation_;
  std::int64_t pid_;
  state::String version_;
  state::List<state::String> features_;
  std::chrono::milliseconds ready_timeout_;
  std::chrono::milliseconds step_timeout_;
  state::List<Socket> sockets_;
  state::String application_;
  state::List<char> secrets_;
  state::String configuration_;
  int executable_;
};

}  // namespace baton::keeper
