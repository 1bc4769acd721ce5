// A connection to a server that carries streams of HTTP/2, each of an exchange of the same client's connection. Between
// two clients it is in the pool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "proxy/http2/frames.hpp"
#include "proxy/runtime/loop.hpp"
#include "proxy/runtime/socket.hpp"
#include "proxy/tls/stream.hpp"

namespace baton::proxy {

class Connection;
class ExchangeRunner;
class Worker;

class Carrier final : public runtime::SocketOwner, public runtime::Disposable, private http2::Streams {
 public:
  // `leg` has frames; all three outlive this.
  Carrier(Worker& worker, Connection& connection, state::UpstreamLeg& leg, std::unique_ptr<tls::Stream> stream);

  state::UpstreamLeg& leg() const { return leg_; }
  std::unique_ptr<tls::Stream>& stream() { return stream_; }

  // Another stream can begin.
  bool has_room() const;
  bool has_streams() const { return !users_.empty(); }
  // It has no streams. Sends what is still to be sent. True: it may serve another client's connection.
  bool finish() noexcept;

  // Its exchange has got a leg with a stream: a new one, or one from another process.
  void join(ExchangeRunner& user);
  void make_room() { users_.reserve(users_.size() + 1); }
  // Its leg is about to go; unless both directions have ended, the server learns that the stream is cancelled.
  void leave(const ExchangeRunner& user, const state::UpstreamLeg& stream) noexcept;

  bool can_read() const { return !is_over_ && stream_->readable(leg_); }
  bool can_write() const {
    return !is_over_ && !takes_no_more_ && stream_->has_to_send(leg_) && stream_->socket().writable();
  }
  bool can_seal() const;
  // Both count the bytes that they move in `moved`. True: there was progress.
  bool read(std::size_t& moved);
  bool write(std::size_t& moved);

  void on_ready(runtime::Socket& socket) override;

 private:
  std::size_t count() const override { return users_.size(); }
  state::Flow* find(std::uint32_t id) override;
  state::Flow& begin(std::uint32_t) override;
  void note_touched(state::Flow& flow) override;
  void each(void (*visit)(state::Flow& flow, void* with), void* with) override;

  struct User {
    std::uint32_t id;  // of its stream
    ExchangeRunner* runner;
  };

  void end(const state::UpstreamLeg& stream);
  bool seal(const http2::Terms& terms);
  void return_credit(const http2::Terms& terms);
  // It can no longer be used: its streams are cut off.
  void fail();

  Worker& worker_;
  Connection& connection_;
  state::UpstreamLeg& leg_;
  state::Frames& frames_;
  std::unique_ptr<tls::Stream> stream_;
  http2::Floods floods_;
  std::vector<User> users_;
  std::size_t first_ = 0;     // whose turn it is first
  std::size_t found_ = 0;     // the last one that was found
  bool is_over_ = false;      // it has failed, or the server has ended it
  bool takes_no_more_ = false;  // writing has failed; what has come may still be read
  bool is_doubtful_ = false;    // it gets no further stream
};

}  // namespace baton::proxy
