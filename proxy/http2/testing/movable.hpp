// A connection of HTTP/2 without sockets that can move to another process at any byte: what both roles have in common.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <variant>

#include "proxy/http2/frames.hpp"
#include "proxy/state/codec.hpp"

namespace baton::http2 {

class Movable : protected Streams {
 public:
  // False: the connection has failed.
  bool take(std::string_view bytes) {
    if (frames().has_failed) return false;
    leg().unread.append(bytes);
    const bool goes_on = open(frames(), leg(), *this, terms, now_ms, floods_, scratch);
    if (goes_on) carry_on();
    flush();
    return goes_on;
  }

  // As another process adopts it.
  void move() {
    const auto moved = state::decode(state::encode(state_), state::encode_secrets(state_).view(), 0);
    require(moved.has_value(), "its state is refused");
    require(std::get<state::ConnectionState>(*moved) == state_, "its state is not the same once decoded");
    state_ = std::get<state::ConnectionState>(*moved);
  }

  // Everything that has been sent.
  const std::string& sent() const { return sent_; }
  const state::ConnectionState& state() const { return state_; }

  Terms terms;
  std::int64_t now_ms = 1'000;
  Scratch scratch;

 protected:
  ~Movable() = default;

  // Those of the connection that is tested.
  virtual state::Leg& leg() = 0;
  virtual state::Frames& frames() = 0;
  // Does what its streams can do after something has come.
  virtual void carry_on() = 0;

  void note_touched(state::Flow&) override {}
  void flush() {
    sent_ += leg().unsent.view();
    leg().unsent.clear();
  }
  static void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "%s\n", what);
    std::abort();
  }

  state::ConnectionState state_;

 private:
  Floods floods_;
  std::string sent_;
};

// The same conversation twice: one connection stays, the other one moves. For fuzz targets.
template <class Conversation>
struct Twins {
  // `step` returns whether the connection goes on, which must be the same for both.
  bool both(auto step) {
    const bool goes_on = step(stays);
    if (step(moves) != goes_on) std::abort();
    return goes_on;
  }
  bool are_alike() const { return stays.sent() == moves.sent() && stays.state() == moves.state(); }

  Conversation stays;
  Conversation moves;
};

}  // namespace baton::http2
