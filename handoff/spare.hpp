// A conversation's second channel, which is silent as long as both sides live. When one has died, its keeper goes on in
// it (PROTOCOL.md).
#pragma once

#include <optional>
#include <utility>

#include "handoff/channel.hpp"
#include "handoff/parties.hpp"

namespace baton::handoff {

class Spare {
 public:
  // Of a predecessor: adds the successor's end to what that inherits. Keep the result until it is sent, and no longer:
  // a keeper that had it would never see the channel end. Without a free descriptor there is no spare.
  UniqueFd open(Estate& estate);
  // Of a successor: takes its end out of what it has inherited.
  void take_from(Inheritance& inheritance);

  bool is_open() const { return channel_.has_value(); }
  // -1: it is not open.
  int descriptor() const { return channel_ ? channel_->descriptor() : -1; }
  // The other side's keeper has begun with this. Ask when the channel has failed.
  bool begins_with(Kind kind);
  // The channel to go on in.
  Channel take() { return *std::exchange(channel_, std::nullopt); }
  void close() { channel_.reset(); }

 private:
  std::optional<Channel> channel_;
};

}  // namespace baton::handoff
