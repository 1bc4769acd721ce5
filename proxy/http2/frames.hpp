// The frames of an HTTP/2 connection (RFC 9113 §4, §6), as a machine over its state, without I/O: `open` takes what has
// come on the leg apart into its streams, `seal` puts what they send into it. We are the connection's server, or its
// client (`Frames::is_client`).
//
// A head that comes becomes HTTP/1.1 text at the front of its stream's `unread`, so that one tokeniser judges all
// heads; what makes it malformed by RFC 9113 §8 is refused here. Content follows it, and a trailer section is
// `Stream::trailers_in`. What the stream sends is a header block in `heads`, then content in `unsent`, then
// `trailers_out`. As a client, a stream gets its id when its head is sealed, so that ids go out in order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/http2/error.hpp"
#include "proxy/http2/floods.hpp"
#include "proxy/http2/frame_format.hpp"
#include "proxy/http2/hpack_decoder.hpp"
#include "proxy/state/http2.hpp"
#include "proxy/state/state.hpp"

namespace baton::http2 {

inline constexpr std::string_view alpn_name = "h2";  // RFC 9113 §3.2

// What the configuration of now allows.
struct Terms {
  std::uint32_t streams_max = 100;           // open at a time
  std::uint32_t stream_window = 256 * 1024;  // bytes
  std::uint32_t connection_window = 1024 * 1024;
  std::uint64_t list_bytes = 32 * 1024;    // of a header list, as RFC 9113 §6.5.2 measures it
  std::uint64_t buffer_bytes = 64 * 1024;  // how much may wait to be written
};

// What a thread uses while it reads.
struct Scratch {
  HeaderList list;
  // Since the last `open` of this connection, for the log: why it is over, and why a stream has been reset (the last of
  // several). Literals.
  std::string_view failure;
  std::string_view refusal;
  std::uint32_t refusals = 0;             // how many streams have been reset
  Error error = Error::no_error;          // of `failure`,
  Error refusal_error = Error::no_error;  // and of `refusal`
};

// The connection's streams, where they are kept.
class Streams {
 public:
  virtual std::size_t count() const = 0;
  // nullptr: no such stream is open.
  virtual state::Flow* find(std::uint32_t id) = 0;
  // The client has begun a stream with this id, which is higher than all before it. Its flow has a `stream`.
  virtual state::Flow& begin(std::uint32_t id) = 0;
  // Something has come on it, or it can send more.
  virtual void note_touched(state::Flow& flow) = 0;
  virtual void each(void (*visit)(state::Flow& flow, void* with), void* with) = 0;

 protected:
  ~Streams() = default;
};

// Writes what a server begins with, and a client. The latter does not ask for pushes.
void begin(state::Frames& frames, state::Flow& leg, const Terms& terms);
void begin_as_client(state::Frames& frames, state::Flow& leg, const Terms& terms);

// Takes whole frames from `leg.unread`, and answers those that the connection answers by itself. False: the connection
// has failed; GOAWAY has been written, and it ends as soon as that is sent.
bool open(state::Frames& frames, state::Flow& leg, Streams& streams, const Terms& terms, std::int64_t now_ms,
          Floods& floods, Scratch& scratch);

// The stream has content, and a window that the peer has not opened holds it back.
bool awaits_window(const state::Frames& frames, const state::Flow& flow);

// Puts what the stream sends into `leg.unsent`, as far as there is room and the windows allow, at most one frame of
// content. True: it did something.
bool seal(state::Frames& frames, state::Flow& leg, state::Flow& flow, const Terms& terms);
// Whether it would.
bool can_seal(const state::Frames& frames, const state::Flow& leg, const state::Flow& flow, const Terms& terms);

// Lets the peer send as much as has been consumed since. `kept`: bytes in `unread` that have been consumed all the
// same. `held`: those of all streams that have not.
void return_credit(state::Frames& frames, state::Flow& leg, state::Flow& flow, std::size_t kept = 0);
void return_credit(state::Frames& frames, state::Flow& leg, std::uint64_t held, const Terms& terms);

// Makes the flow a stream that we begin as a client.
void begin_stream(const state::Frames& frames, state::Flow& flow);

// Ends a stream that has not ended in both directions. The caller then drops it.
void reset(state::Frames& frames, state::Flow& leg, const state::Flow& flow, Error error);
// A stream has ended, and its caller drops it. Frames for it may still come, and are judged by how it ended.
enum class Ended { no, normally, by_our_reset };
void note_ended(state::Frames& frames, std::uint32_t id, Ended how = Ended::normally);
// `no`: it has not, or long ago.
Ended how_ended(const state::Frames& frames, std::uint32_t id);
// No further stream is served.
void go_away(state::Frames& frames, state::Flow& leg, Error error = Error::no_error);

}  // namespace baton::http2
