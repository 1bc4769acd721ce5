// The origin behind the proxies: answers /large and /until-close with 1 MiB, everything else with
// 13 bytes, and that for /upload after its 1 MiB.
#pragma once

#include <cstdint>

#include "loop.hpp"

class Origin final : public Peer {
 public:
  explicit Origin(Loop& loop);

  std::uint16_t port() const { return port_; }
  void on_events(std::uint32_t events) override;

 private:
  Loop& loop_;
  std::uint16_t port_ = 0;
};
