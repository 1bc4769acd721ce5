// One frame together with its descriptors over a Unix stream socket. Blocking with deadlines; a side that waits for room
// to write reads meanwhile, so two sides that write at once do not block each other.
//
// A frame: magic u32, header version u16, kind u16, record bytes u32, secret bytes u32, descriptor count u16, zero u16
// (all big-endian), then the record, then the secrets. The descriptors ride on the frame's first byte.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <list>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "handoff/result.hpp"
#include "handoff/secret_bytes.hpp"
#include "handoff/unique_fd.hpp"

namespace baton::handoff {

using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;
inline constexpr Deadline no_deadline = Deadline::max();

enum class Kind : std::uint16_t {
  hello = 1, inherit = 2, ready = 3, listen = 4, listening = 5, offer = 6, adopted = 7, done = 8, bye = 9, abort = 10,
  trial = 11, recall = 12, returning = 13, returned = 14, remaining = 15,
};
const char* kind_name(Kind kind);

struct Frame {
  Kind kind{};
  std::string record;
  SecretBytes secrets;
  std::vector<UniqueFd> descriptors;
  std::size_t descriptors_lost = 0;   // so many of the last ones found no room in this process (MSG_CTRUNC)
};

class Channel {
 public:
  Channel(UniqueFd socket);       // implicitly: a connected socket is a channel

  // Returns when the whole frame is in the channel. Any error means that it is not, and the channel is of no use for
  // sending any more. `descriptors` stay the caller's.
  Result<void> send(Kind kind, const std::string& record, std::span<const int> descriptors, const SecretBytes& secrets,
                    Deadline deadline);

  // The next frame. Fault::closed: end-of-file between two frames or inside one.
  Result<Frame> receive(Deadline deadline);

  // The same without waiting; nothing: no whole frame is here yet.
  Result<std::optional<Frame>> try_receive();
  // The same, and the frame stays the next one; null: no whole frame is here yet.
  Result<const Frame*> look();

  // Waits until a frame, or the channel's end, can be received or one of `others` is readable; false: the deadline came.
  bool wait(std::span<const int> others, Deadline deadline);

  // Ends both directions: from here on no frame of the other side can get in, and what is in can still be received.
  void shut_down();

  int descriptor() const { return socket_.get(); }

  // No received byte or descriptor is held here, so another reader can go on with the socket.
  bool is_between_frames() const { return received_.empty() && header_filled_ == 0 && arriving_.descriptors.empty() && !broken_; }

  // The socket itself, for that; the channel is of no use afterwards.
  UniqueFd release() { return std::move(socket_); }

 private:
  // Reads what is there without waiting. False: nothing was there.
  Result<bool> read_some();
  Result<void> take_descriptors(msghdr& message, bool at_frame_start);
  Result<void> header_complete();
  void frame_complete();

  static constexpr std::size_t header_bytes = 20;

  UniqueFd socket_;
  std::list<Frame> received_;
  std::optional<Error> broken_;          // why nothing more can be received

  // The frame that is arriving.
  char header_[header_bytes];
  std::size_t header_filled_ = 0;
  Frame arriving_;
  std::size_t record_bytes_ = 0;
  std::size_t secrets_filled_ = 0;
  bool is_truncated_ = false;            // the kernel found no room for all of its descriptors
};

// An Abort with the error's text. Best effort: the end of the channel says the same, without the reason.
void send_abort(Channel& channel, const Error& error, Deadline deadline);

}  // namespace baton::handoff
