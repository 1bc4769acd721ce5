// Peers that act in turns, a few in each millisecond, which spreads the load over all of them.
#pragma once

#include <chrono>
#include <vector>

namespace baton::harness {

template <class SomePeer>
class Turns {
 public:
  void add(SomePeer& peer) { peers_.push_back(&peer); }

  // The next few peers; none if this millisecond has had its turn.
  template <class Action>
  void tick(Action action) {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_tick_) return;
    next_tick_ = now + std::chrono::milliseconds(1);
    for (std::size_t i = 0; i < at_a_time && i < peers_.size(); ++i) action(*peers_[next_++ % peers_.size()]);
  }

  template <class Action>
  void each(Action action) {
    for (SomePeer* peer : peers_) action(*peer);
  }

 private:
  static constexpr std::size_t at_a_time = 4;
  std::vector<SomePeer*> peers_;
  std::size_t next_ = 0;
  std::chrono::steady_clock::time_point next_tick_{};
};

}  // namespace baton::harness
