// The state of an HTTP/2 connection (RFC 9113), except for its streams. We are its server, or its client: `is_client`.
#pragma once

#include <array>
#include <cstdint>

#include "proxy/state/boxed.hpp"
#include "proxy/state/buffer.hpp"
#include "proxy/state/hpack_table.hpp"

namespace baton::state {

// The streams that ended last: frames for them may still be on their way.
struct EndedStreams {
  std::array<std::uint32_t, 64> ids{};  // a ring; a stream that we have reset has the highest bit set
  std::uint32_t next = 0;
  bool operator==(const EndedStreams&) const = default;
};

struct Frames {
  HpackTable table;                // of the peer's encoder
  Buffer block;                    // a header block that is not whole: its fragments so far
  std::uint32_t block_stream = 0;  // 0: there is none
  std::uint32_t block_frames = 0;
  bool block_ends_stream = false;
  bool is_client = false;
  bool preface_came = false;  // the client's; a server has none
  bool settings_came = false;
  bool settings_acknowledged = false;  // ours
  bool has_small_table = false;        // the peer's decoder allows less than 4,096 bytes
  bool goaway_sent = false;           // no stream above `last_stream` is served
  bool goaway_came = false;           // no further stream may be begun
  bool takes_connect = false;         // the server takes extended CONNECT (RFC 8441)
  bool has_failed = false;            // a connection error: nothing more is read
  std::int64_t send_window = 65'535;  // of the connection
  std::int64_t receive_window = 65'535;
  std::uint32_t peer_stream_window = 65'535;  // SETTINGS_INITIAL_WINDOW_SIZE
  // Ours, as announced: the same, and SETTINGS_MAX_CONCURRENT_STREAMS.
  std::uint32_t stream_window = 65'535;
  std::uint32_t streams_max = 0;
  std::uint32_t peer_streams_max = 0xffff'ffff;  // SETTINGS_MAX_CONCURRENT_STREAMS of a server
  std::uint32_t last_stream = 0;              // the highest that the client has begun
  std::uint64_t requests = 0;                 // begun on this connection
  std::int64_t idle_since_ms = 0;             // when the last stream ended
  std::int64_t block_since_ms = 0;            // when the preface or a header block began to come
  Boxed<EndedStreams> ended;
  bool operator==(const Frames&) const = default;
};

}  // namespace baton::state
