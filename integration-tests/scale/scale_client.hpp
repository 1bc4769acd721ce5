// What the clients of the scale tests have in common: one connection, and a place on the board for what went wrong.
#pragma once

#include <cstdint>
#include <string>

#include "scale/board.hpp"
#include "scale/loop.hpp"

namespace baton::harness {

inline constexpr std::size_t at_once_max = 64;  // connections that are being opened, or idle ones that are asking

class ScaleClient : public Peer {
 public:
  ScaleClient(std::uint16_t port, Board& board, std::uint32_t id);

  // The client has done what was asked of it, or never will.
  bool is_settled() const { return is_lost_ || has_what_it_wants(); }

  virtual void move_bytes() {}
  virtual void finish() {}

 protected:
  virtual bool has_what_it_wants() const = 0;

  void lose(const std::string& why);
  void on_end() override { lose("ended by the other side"); }

  const std::uint32_t id_;
  Board& board_;

 private:
  bool is_lost_ = false;
};

}  // namespace baton::harness
