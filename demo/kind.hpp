// The kinds of clients, for counting and naming.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
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

}  // namespace baton::demo
