// What a flow has if it is a stream of an HTTP/2 connection (RFC 9113 §5), besides its content.
#pragma once

#include <cstdint>

#include "proxy/state/boxed.hpp"
#include "proxy/state/buffer.hpp"

namespace baton::state {

struct Stream {
  std::uint32_t id = 0;  // 0: to a server, and its head has not been put into a frame
  // RFC 9113 §5.2: how many bytes of DATA we may send (negative after SETTINGS have lowered it), and the peer.
  std::int64_t send_window = 0;
  std::int64_t receive_window = 0;
  std::uint64_t declared_left = 0;  // content-length, less the content that came
  std::uint32_t head_bytes = 0;     // of the head at the front of `unread`, when it came
  bool is_declared = false;
  bool has_body = false;           // its head came without END_STREAM
  bool end_sent = false;           // END_STREAM is in a frame, or will be in the last of `heads`
  bool head_came = false;          // to a server: the head of its final response
  bool is_head_request = false;    // to a server: the response has no content, whatever length it names
  bool takes_connect = false;      // it began with an extended CONNECT (RFC 8441)
  std::uint16_t refused_with = 0;  // the status of our answer, because its head cannot be taken; 0: it can
  std::uint32_t reset_code = 0;    // why the other side has reset it (RFC 9113 §7)
  // How the peer's window grows (http2/windows.cpp). `window`: its size; 0: as announced. `wanted`: its next size, if
  // the content that has come can be passed on; 0: none.
  std::uint32_t window = 0;
  std::uint32_t wanted = 0;
  // Since `edge_ms` (0: not measured), the peer has been allowed more than the next `until_edge` bytes.
  std::uint32_t until_edge = 0;
  std::int64_t edge_ms = 0;
  // Header blocks that go before the content, each a BlockMark and a block.
  Buffer heads;
  Boxed<Buffer> trailers_in;   // a trailer section as text, behind `unread`
  Boxed<Buffer> trailers_out;  // a header block, behind `unsent`
  bool operator==(const Stream&) const = default;
};

}  // namespace baton::state
