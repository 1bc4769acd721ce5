// How many useless frames may come on a connection.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

namespace baton::http2 {

// A request that is reset at once costs its server more than a frame costs us.
inline constexpr std::uint32_t weight_of_a_request = 10;

// A bucket: it holds `most` frames, and loses `refill` of them a second. It is empty when the connection moves: another
// process does not know what came before.
class Floods {
 public:
  static constexpr std::uint64_t most = 10'000;
  static constexpr std::uint64_t refill = 330;

  // False: there were too many.
  bool note(std::int64_t now_ms, std::uint32_t weight = 1) {
    constexpr std::int64_t elapsed_ms_max = 10'000'000;
    const std::int64_t elapsed_ms = std::clamp<std::int64_t>(now_ms - std::exchange(at_ms_, now_ms), 0, elapsed_ms_max);
    level_ -= std::min(level_, static_cast<std::uint64_t>(elapsed_ms) * refill);
    level_ += std::uint64_t{weight} * 1'000;
    return level_ <= most * 1'000;
  }

  // We have sent something, which the peer may confirm by small WINDOW_UPDATEs: of its stream and of the connection.
  void note_sent() { confirmations_ = std::min(confirmations_ + 2, most); }
  // A small WINDOW_UPDATE. False: it confirms nothing.
  bool confirms() {
    if (confirmations_ == 0) return false;
    --confirmations_;
    return true;
  }

 private:
  std::uint64_t confirmations_ = 0;  // that may still come
  std::int64_t at_ms_ = 0;
  std::uint64_t level_ = 0;  // thousandths
};

}  // namespace baton::http2
