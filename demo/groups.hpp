// The kinds of clients that the demo plays, and the groups in which they are counted.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

#include "clients/kinds.hpp"

namespace baton::demo {

using clients::all_transports;
using clients::Kind;
using clients::Transport;
using clients::transports;

constexpr bool is_played(Kind kind) {
  switch (kind) {
    case Kind::keep_alive:
    case Kind::idle:
    case Kind::half_head:
    case Kind::download:
    case Kind::slow_reader:
    case Kind::events:
    case Kind::upload:
    case Kind::websocket:
    case Kind::http2:
    case Kind::grpc:
    case Kind::raw_tcp:
    case Kind::newcomer:
      return true;
    // Only tests play these.
    case Kind::pipelined:
    case Kind::large_bodies:
    case Kind::half_closed_by_client:
    case Kind::half_closed_by_server:
    case Kind::half_record:
    case Kind::half_hello:
    case Kind::key_updates:
      return false;
  }
  return false;
}

inline constexpr std::size_t kinds =
    std::ranges::count_if(clients::catalogue, [](const auto& one) { return is_played(one.kind); });
inline constexpr auto kinds_played = [] {
  std::array<Kind, kinds> played{};
  auto next = played.begin();
  for (const auto& one : clients::catalogue) {
    if (is_played(one.kind)) *next++ = one.kind;
  }
  return played;
}();

// Clients that are counted together.
struct Group {
  Kind kind;
  Transport transport = Transport::plain;
};
inline constexpr std::size_t groups = kinds * transports;

constexpr std::size_t index_of(Group group) {
  const auto kind = std::ranges::find(kinds_played, group.kind) - kinds_played.begin();
  return static_cast<std::size_t>(group.transport) * kinds + static_cast<std::size_t>(kind);
}

constexpr Group group_at(std::size_t index) {
  return {kinds_played[index % kinds], static_cast<Transport>(index / kinds)};
}

inline std::string name_of(Group group) {
  return clients::name_of(group.kind, group.transport);
}

}  // namespace baton::demo
