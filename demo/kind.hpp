// The kinds of clients and what they speak, for counting and naming.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace baton::demo {

enum class Kind : std::uint8_t {
  keep_alive,
  idle,
  half_head,
  download,
  slow_reader,
  events,
  upload,
  websocket,
  raw_tcp,
  newcomer,  // the only kind whose connections do not last: each asks once and closes
};
inline constexpr std::size_t kinds = 10;

struct KindName {
  std::string_view name;
  std::string_view unit;  // of what is verified; empty: bytes
};

constexpr KindName name_of(Kind kind) {
  constexpr std::array<KindName, kinds> names{{{"keep-alive", "answers"},
                                               {"idle", "answers"},
                                               {"half a head", "answers"},
                                               {"download", ""},
                                               {"slow reader", ""},
                                               {"event stream", "events"},
                                               {"upload", ""},
                                               {"WebSocket", "messages"},
                                               {"raw TCP", "messages"},
                                               {"newcomer", "answers"}}};
  return names[static_cast<std::size_t>(kind)];
}

enum class Transport : std::uint8_t { plain, tls13, tls12 };
inline constexpr std::size_t transports = 3;
inline constexpr std::array<Transport, transports> all_transports{Transport::plain, Transport::tls13, Transport::tls12};

constexpr std::string_view name_of(Transport transport) {
  constexpr std::array<std::string_view, transports> names{"plain", "TLS 1.3", "TLS 1.2"};
  return names[static_cast<std::size_t>(transport)];
}

// Clients that are counted together.
struct Group {
  Kind kind;
  Transport transport = Transport::plain;
};
inline constexpr std::size_t groups = kinds * transports;

constexpr std::size_t index_of(Group group) {
  return static_cast<std::size_t>(group.transport) * kinds + static_cast<std::size_t>(group.kind);
}

constexpr Group group_at(std::size_t index) {
  return {static_cast<Kind>(index % kinds), static_cast<Transport>(index / kinds)};
}

// "keep-alive", "TLS 1.3 keep-alive"
inline std::string name_of(Group group) {
  std::string name(name_of(group.kind).name);
  if (group.transport == Transport::plain) return name;
  return std::string(name_of(group.transport)) + ' ' + name;
}

}  // namespace baton::demo
