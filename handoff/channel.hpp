// Carries frames with their descriptors over a Unix stream socket. Blocking, with deadlines. While waiting for room to
// write, a side also reads, so two sides that write at once do not block each other.
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
  std::size_t descriptors_lost = 0;   // from the end: this process had no room for them (MSG_CTRUNC)
};

class Channel {
 public:
  Channel(UniqueFd socket);       // implicit: a connected socket is a channel

  // Returns when the whole frame is in the channel. Any error means that it is not, and that nothing more can be sent.
  // `descriptors` stay the caller's.
  Result<void> send(Kind kind, const std::string& record, std::span<const int> descriptors, const SecretBytes& secrets,
                    Deadline deadline);

  // The next frame. Fault::closed: end-of-file between two frames or inside one.
  Result<Frame> receive(Deadline deadline);

  // The same without waiting; nothing: no whole frame has arrived yet.
  Result<std::optional<Frame>> try_receive();
  // The same without taking the frame out; null: no whole frame has arrived yet.
  Result<const Frame*> look();

  // Waits until a frame or end-of-file can be received, or one of `others` is readable; false: the deadline passed.
  bool wait(std::span<const int> others, Deadline deadline);

  // Ends both directions: the other side can send nothing more, and what it has sent can still be received.
  void shut_down();

  int descriptor() const { return socket_.get(); }

  // No received byte or descriptor is buffered here, so another reader can take over the socket.
  bool is_between_frames() const { return received_.empty() && header_filled_ == 0 && arriving_.descriptors.empty() && !broken_; }

  // The socket, for that reader; the channel is unusable afterwards.
  UniqueFd release() { return std::move(socket_); }

 private:
  // Reads without waiting. False: there was nothing to read.
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
  bool is_truncated_ = false;            // the kernel had no room for all of its descriptors
};

// Sends an Abort with the error's text. Best effort: end-of-file says the same, without the reason.
void send_abort(Channel& channel, const Error& error, Deadline deadline);

}  // namespace baton::handoff
